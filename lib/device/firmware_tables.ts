/**
 * Tables that firmware leaves for an operating system: MP floating pointer and configuration table, and ACPI RSDP, RSDT,
 * FADT, FACS, MADT and DSDT, for any number of CPUs. Everything is built as one block to be put at `at`.
 *
 * PCI interrupts are described as the ISA lines that PIRQ A-D are routed to (`pirq`), level-triggered, active low.
 *
 * Sources: Intel MultiProcessor Specification 1.4; ACPI 1.0b. Cold.
 *
 * Not emulated: ACPI processor objects, thermal zones, devices on the ISA bus.
 */

/** Options of {@linkcode firmwareTables}. */
export interface FirmwareTableOptions {
  /** Physical address of the block, a multiple of 16 in 0xE0000-0xFFFFF. */
  readonly at: number;
  /** Number of CPUs; default 1. */
  readonly cpus?: number;
  /** First power management port; default 0x600. */
  readonly pmPort?: number;
  /** Sleep type of S5; default 0. */
  readonly s5?: number;
  /** ISA lines of PIRQ A-D; default 10, 10, 11, 11. */
  readonly pirq?: readonly [number, number, number, number];
  /** System control interrupt; default 9. */
  readonly sci?: number;
}

/** First address of memory for PCI devices: RAM ends below. */
const PCI_MEMORY = 0x80000000;

const le = (value: number, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 0xff);
const text = (t: string, length: number): number[] => [...t.padEnd(length)].map((c) => c.charCodeAt(0));

/** Sets byte `at` so that the first `length` bytes sum to zero. */
function sum(bytes: number[], at: number, length: number = bytes.length): number[] {
  bytes[at] = 0;
  bytes[at] = -bytes.slice(0, length).reduce((a, b) => a + b, 0) & 0xff;
  return bytes;
}

function acpi(signature: string, revision: number, body: readonly number[]): number[] {
  const head = [...text(signature, 4), ...le(36 + body.length, 4), revision, 0, ...text("VMIKIT", 6)];
  return sum([...head, ...text("VMIKIT", 8), ...le(1, 4), ...text("VMIK", 4), ...le(1, 4), ...body], 9);
}

/** AML package length that counts itself. */
function packed(op: readonly number[], body: readonly number[]): number[] {
  const n = body.length;
  if (n + 1 < 64) return [...op, n + 1, ...body];
  if (n + 2 < 4096) return [...op, 0x40 | ((n + 2) & 15), (n + 2) >> 4, ...body];
  return [...op, 0x80 | ((n + 3) & 15), ((n + 3) >> 4) & 0xff, (n + 3) >> 12, ...body];
}

/** Address space descriptor of the host bridge: a range it passes on, `size` 2 or 4 bytes a field (ACPI 1.0b 6.4.3.5). */
function windowOf(type: number, flags: number, size: 2 | 4, from: number, to: number): number[] {
  const fields = [0, from, to, 0, to - from + 1].flatMap((n) => le(n, size));
  return [size === 2 ? 0x88 : 0x87, ...le(3 + fields.length, 2), type, 0x0c, flags, ...fields];
}

/** _CRS of the host bridge: bus numbers, ports and memory for PCI; the configuration ports are its own. */
function bridgeResources(): number[] {
  const bytes = [
    ...windowOf(2, 0, 2, 0, 0xff),
    ...[0x47, 1, ...le(0xcf8, 2), ...le(0xcf8, 2), 1, 8],
    ...windowOf(1, 3, 2, 0, 0xcf7),
    ...windowOf(1, 3, 2, 0xd00, 0xffff),
    ...windowOf(0, 3, 4, 0xa0000, 0xbffff),
    ...windowOf(0, 3, 4, PCI_MEMORY, 0xfebfffff),
    ...[0x79, 0],
  ];
  return [0x08, ...text("_CRS", 4), ...packed([0x11], [0x0a, bytes.length, ...bytes])];
}

function dsdt(s5: number, pirq: readonly number[]): number[] {
  const entries: number[][] = [];
  for (let device = 0; device < 32; device++) {
    for (let pin = 0; pin < 4; pin++) {
      const line = pirq[(device + pin - 1) & 3] ?? 0;
      entries.push(packed([0x12], [4, 0x0c, ...le(device * 0x10000 + 0xffff, 4), 0x0a, pin, 0, 0x0a, line]));
    }
  }
  const s = [0x0a, s5];
  const sleep = [0x08, ...text("_S5_", 4), ...packed([0x12], [4, ...s, ...s, 0, 0])];
  const hid = [0x08, ...text("_HID", 4), 0x0c, 0x41, 0xd0, 0x0a, 0x03];
  const prt = [0x08, ...text("_PRT", 4), ...packed([0x12], [entries.length, ...entries.flat()])];
  const bridge = packed([0x5b, 0x82], [...text("PCI0", 4), ...hid, ...bridgeResources(), ...prt]);
  return acpi("DSDT", 1, [...sleep, ...packed([0x10], [0x5c, ...text("_SB_", 4), ...bridge])]);
}

function fadt(facs: number, dsdtAt: number, pm: number, sci: number): number[] {
  const body = [...le(facs, 4), ...le(dsdtAt, 4), 1, 0, ...le(sci, 2), ...le(0xb2, 4), 0xf1, 0xf0, 0, 0];
  body.push(...le(pm, 4), ...le(0, 4), ...le(pm + 4, 4), ...le(0, 8), ...le(pm + 8, 4), ...le(pm + 12, 4), ...le(0, 4));
  body.push(4, 2, 0, 4, 4, 0, 0, 0, ...le(0xfff, 2), ...le(0xfff, 2), ...le(0, 4), 0, 0, 0, 0, 0x32, 0, 0, 0);
  return acpi("FACP", 1, [...body, ...le(0x85, 4)]);
}

function madt(cpus: number, level: readonly number[]): number[] {
  const body = [...le(0xfee00000, 4), ...le(1, 4)];
  for (let i = 0; i < cpus; i++) body.push(0, 8, i, i, ...le(1, 4));
  body.push(1, 12, cpus, 0, ...le(0xfec00000, 4), ...le(0, 4), 2, 10, 0, 0, ...le(2, 4), ...le(0, 2));
  for (const n of level) body.push(2, 10, 0, n, ...le(n, 4), ...le(0x0f, 2));
  body.push(4, 6, 0xff, ...le(0, 2), 1);
  return acpi("APIC", 1, body);
}

function mpTable(cpus: number, pirq: readonly number[]): number[] {
  const entries: number[][] = [];
  for (let i = 0; i < cpus; i++) {
    entries.push([0, i, 0x14, i === 0 ? 3 : 1, ...le(0x600, 4), ...le(0x201, 4), ...le(0, 8)]);
  }
  entries.push([1, 0, ...text("PCI", 6)], [1, 1, ...text("ISA", 6)], [2, cpus, 0x11, 1, ...le(0xfec00000, 4)]);
  for (let n = 0; n < 16; n++) {
    if (n !== 2 && !pirq.includes(n)) entries.push([3, 0, ...le(0, 2), 1, n, cpus, n === 0 ? 2 : n]);
  }
  for (let device = 1; device < 32; device++) {
    for (let pin = 0; pin < 4; pin++) {
      entries.push([3, 0, ...le(0x0f, 2), 0, (device << 2) | pin, cpus, pirq[(device + pin - 1) & 3] ?? 0]);
    }
  }
  entries.push([4, 3, ...le(0, 2), 1, 0, 0xff, 0], [4, 1, ...le(0, 2), 1, 0, 0xff, 1]);
  const body = entries.flat();
  const head = [...text("PCMP", 4), ...le(44 + body.length, 2), 4, 0, ...text("VMIKIT", 8), ...text("PC", 12)];
  return sum([...head, ...le(0, 6), ...le(entries.length, 2), ...le(0xfee00000, 4), ...le(0, 4), ...body], 7);
}

/** Builds the block. The RSDP is its first 20 bytes, the MP floating pointer the 16 bytes at offset 32. */
export function firmwareTables(o: FirmwareTableOptions): Uint8Array {
  const cpus = o.cpus ?? 1;
  const pirq = o.pirq ?? [10, 10, 11, 11];
  const sci = o.sci ?? 9;
  const out: number[] = new Array(48).fill(0);
  const put = (bytes: readonly number[], align = 16): number => {
    while ((o.at + out.length) % align !== 0) out.push(0);
    const at = o.at + out.length;
    for (const b of bytes) out.push(b);
    return at;
  };
  const mp = put(mpTable(cpus, pirq));
  const facs = put([...text("FACS", 4), ...le(64, 4), ...new Array(56).fill(0)], 64);
  const dsdtAt = put(dsdt(o.s5 ?? 0, pirq));
  const fadtAt = put(fadt(facs, dsdtAt, o.pmPort ?? 0x600, sci));
  const madtAt = put(madt(cpus, [...new Set([sci, ...pirq])]));
  const rsdt = put(acpi("RSDT", 1, [...le(fadtAt, 4), ...le(madtAt, 4)]));
  const rsdp = sum([...text("RSD PTR ", 8), 0, ...text("VMIKIT", 6), 0, ...le(rsdt, 4)], 8);
  const pointer = sum([...text("_MP_", 4), ...le(mp, 4), 1, 4, 0, ...le(0, 5)], 10);
  rsdp.forEach((b, i) => out[i] = b);
  pointer.forEach((b, i) => out[32 + i] = b);
  return Uint8Array.from(out);
}
