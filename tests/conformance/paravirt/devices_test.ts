/**
 * A guest that turns the devices against the hypervisor: bus masters aimed at its memory, registers of cards moved over it,
 * over the ROM and over RAM, the local APIC moved, ROM and RAM switched.
 */
import { type Device, type PciCard, pciConfig, type VmiPcMachine } from "../../../mod.ts";

import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, type RogueOptions } from "./rogue.ts";
import { conformance, HIDES_NOTHING, NO_CALLS, NO_ROM, RING_0 } from "./suite.ts";

const HYPERVISOR = 0x7c000000;
const ROM = 0xc8000;
/** Where the guest has its table of descriptors, and a buffer. */
const PRD = 0x310000, BUFFER = 0x320000;
const MASTER = 0xc000;
const CARD_SLOT = 3;
const MARK = 0x41;

const bytes = (m: VmiPcMachine, at: number, size: number): string => [...m.peek(at, size)].join();
const ports = (...writes: readonly (readonly [port: number, value: number, width?: 8 | 32])[]): string =>
  writes.map(([port, value, width = 8]) =>
    `mov edx, ${port}\nmov eax, ${value >>> 0}\nout dx, ${width === 8 ? "al" : "eax"}`
  ).join("\n");

/** One sector by a bus master, from the disk or to it, with the table of descriptors at `prd`. */
function transfer(command: 0xc8 | 0xca, prd: number): string {
  return ports(
    [MASTER, 0],
    [MASTER + 2, 6],
    [MASTER + 4, prd, 32],
    [0x1f6, 0xe0],
    [0x1f2, 1],
    [0x1f3, 0],
    [0x1f4, 0],
    [0x1f5, 0],
    [0x1f7, command],
    [MASTER, command === 0xc8 ? 9 : 1],
  );
}
/** A table of one descriptor, and the transfer. */
const dma = (command: 0xc8 | 0xca, at: number): string =>
  `mov dword [${PRD}], ${at >>> 0}\nmov dword [${PRD + 4}], 0x80000200\n${transfer(command, PRD)}
  mov edx, ${MASTER + 2}\nin al, dx\nand eax, 0xff`;

/** A card with a page of registers in memory that swallows what is written, and counts it. */
class Sponge implements PciCard {
  readonly name: string = "sponge";
  readonly pci: PciCard["pci"];
  writes = 0;
  constructor(size: number) {
    const handler = { read: () => 0x5a5a5a5a, peek: () => 0x5a5a5a5a, write: () => void this.writes++ };
    this.pci = {
      name: this.name,
      ...pciConfig({ vendor: 0x1234, device: 1, classCode: 0x058000, command: 7 }),
      bars: [{ kind: "memory", size, handler }],
      rom: new Uint8Array(size).fill(0x90),
    };
  }
  attach(): void {}
  reset(): void {
    this.writes = 0;
  }
  save(): ReturnType<Device["save"]> {
    return { version: 1, fields: { writes: this.writes } };
  }
  load(): void {}
}

const config = (register: number, value: number): string =>
  ports([0xcf8, (0x80000000 | (CARD_SLOT << 11) | register) >>> 0, 32], [0xcfc, value, 32]);
/** Moves the card's registers, or its ROM, to an address. */
const move = (at: number): string => `${config(4, 7)}\n${config(0x10, at)}`;
const moveRom = (at: number): string => `${config(4, 7)}\n${config(0x30, at | 1)}`;

conformance("devices", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string, options: RogueOptions = {}): Rogue =>
    rogue(candidate, body, { engine, ...options });
  const disk = (): Uint8Array => new Uint8Array(64 * 512).fill(MARK);

  on.test("a bus master moves a sector between the disk and the guest's memory", () => {
    const r = run(
      (k) => `
      ${dma(0xc8, BUFFER)}
      ${k.store(0)}
      mov dword [${BUFFER}], 0x11223344
      ${dma(0xca, BUFFER)}
      ${k.store(1)}`,
      { disks: [disk()] },
    );
    assertEquals([r.stop.kind, r.result(0) & 3, r.result(1) & 3], ["halt", 0, 0]);
    assertEquals(r.m.peek(BUFFER, 8), Uint8Array.of(0x44, 0x33, 0x22, 0x11, MARK, MARK, MARK, MARK));
    const sector = new Uint8Array(512);
    r.m.disks[0]?.read(0, 1, sector);
    assertEquals(sector.subarray(0, 4), Uint8Array.of(0x44, 0x33, 0x22, 0x11));
  });

  for (const at of [HYPERVISOR, HYPERVISOR + 0x20000, HYPERVISOR + 0x26000, HYPERVISOR - 0x100]) {
    on.unless(HIDES_NOTHING).test(
      `a bus master neither writes nor reads the hypervisor's memory at 0x${at.toString(16)}`,
      () => {
        const before = run((k) => k.store(0), { disks: [disk()] });
        const r = run((k) => `${dma(0xc8, at)}\n${k.store(0)}\n${dma(0xca, at)}\n${k.store(1)}`, { disks: [disk()] });
        assertEquals(r.stop.kind, "halt");
        assertEquals([r.result(0) & 2, r.result(1) & 2], [2, 2], "the controller says that nobody answered");
        const from = Math.max(at, HYPERVISOR);
        assertEquals(bytes(r.m, from, 0x200), bytes(before.m, from, 0x200));
        const sector = new Uint8Array(512);
        r.m.disks[0]?.read(0, 1, sector);
        assert(sector.every((b) => b === MARK || b === 0xff), "nothing of it has come to the disk");
      },
    );
  }

  on.unless(HIDES_NOTHING).test("a table of descriptors in the hypervisor's memory is none", () => {
    const r = run(
      (k) => `${transfer(0xc8, HYPERVISOR + 0x20000)}\nmov edx, ${MASTER + 2}\nin al, dx\n${k.store(0)}`,
      { disks: [disk()] },
    );
    assertEquals([r.stop.kind, r.result(0) & 2], ["halt", 2]);
  });

  on.unless(NO_ROM).test("a bus master does not write the ROM", () => {
    const clean = run((k) => k.store(0));
    const r = run((k) => `${dma(0xc8, ROM)}\n${k.store(0)}\n${k.call("GetCR3")}\n${k.store(1)}`, { disks: [disk()] });
    assertEquals([r.stop.kind, r.result(1)], ["halt", 0x40000]);
    assertEquals(bytes(r.m, ROM, 0x2000), bytes(clean.m, ROM, 0x2000));
  });

  on.unless(HIDES_NOTHING).test(
    "an entry that a bus master puts into a table in use does not lead to the hypervisor",
    () => {
      const image = disk();
      new DataView(image.buffer).setUint32(0, 0x300007, true);
      for (let i = 1; i < 128; i++) new DataView(image.buffer).setUint32(4 * i, HYPERVISOR + 7, true);
      const r = run((k) => `
      mov dword [0x300000], 0x77
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, [0x40000000]
      ${dma(0xc8, FREE_TABLE)}
      mov eax, [0x40000000]
      mov dword [0x40002000], 0x41414141
      mov eax, [0x40002000]
      ${k.store(1)}`, { disks: [image] });
      assertEquals([r.stop.kind, r.result(1)], ["killed", 0]);
      assertEquals(r.m.peek(HYPERVISOR, 0x1000).includes(MARK), false);
    },
  );

  for (
    const [what, at] of [["the hypervisor", HYPERVISOR], ["RAM", 0x300000], ["the local APIC", 0xfee00000]] as const
  ) {
    const on2 = at === HYPERVISOR ? on.unless(HIDES_NOTHING) : on;
    on2.test(`registers and ROM of a card moved over ${what} stay where they were`, () => {
      const body = (k: Kit): string => `
        mov dword [0x300000], 0x77
        ${move(at)}
        ${moveRom(at)}
        mov eax, [0x300000]
        ${k.store(0)}
        mov dword [${FREE_TABLE}], 0xfee00013
        mov eax, [0x40000030]
        ${k.store(1)}
        mov eax, cr3
        mov cr3, eax
        ${k.call("GetCR3")}
        ${k.store(2)}`;
      const sponge = new Sponge(0x1000), r = run(body, { cards: [sponge] });
      assertEquals([r.stop.kind, r.result(0), r.result(1) & 0xff, r.result(2)], ["halt", 0x77, 0x14, 0x40000]);
      assertEquals(sponge.writes, 0);
    });
  }

  on.unless(NO_ROM).test("registers and ROM of a card moved over the ROM stay where they were", () => {
    const r = run(
      (k) =>
        `${move(ROM)}\n${moveRom(ROM)}\n${k.call("GetCR3")}\n${k.store(0)}\n${k.call("GetCycleFrequency")}\n${
          k.store(1)
        }`,
      { cards: [new Sponge(0x1000)] },
    );
    assertEquals([r.stop.kind, r.result(0), r.result(1)], ["halt", 0x40000, 100_000_000]);
  });

  on.unless(RING_0).test(
    "page tables in the registers of a card end the guest or map nothing of the hypervisor's",
    () => {
      const r = run((k) => `
      ${move(0xe0000000)}
      mov dword [0x40400], ${0xe0000007 | 0}
      mov eax, 3
      ${k.call("FlushTLB")}
      ${k.attempt("mov dword [0x40000000], 0x41414141")}
      ${k.attempt(`mov eax, 0xe0000000\nmov cr3, eax\nmov dword [0x5000], 0x41414141`)}`, {
        cards: [new Sponge(0x1000)],
        budget: 20_000,
      });
      assert(["halt", "killed", "fault", "budget"].includes(r.stop.kind), JSON.stringify(r.stop));
      assertEquals(r.m.peek(HYPERVISOR, 0x2000).includes(MARK), false);
      assert((r.m.cpu.get("cr3") as number) >= HYPERVISOR);
    },
  );

  on.test("the local APIC stays where it is, whatever its base register is told", () => {
    for (const base of [HYPERVISOR, 0x300000, ROM, 0xfee01000]) {
      const r = run((k) => `
        mov dword [0x300020], 0x77
        mov ecx, 0x1b
        mov eax, ${base + 0x900}
        xor edx, edx
        ${k.attempt("wrmsr")}
        rdmsr
        ${k.store(0)}
        mov dword [${FREE_TABLE}], 0xfee00013
        mov eax, [0x40000030]
        ${k.store(1)}
        mov eax, [0x300020]
        ${k.store(2)}`);
      assertEquals([r.stop.kind, r.result(0) & 0xfffff000, r.result(1) & 0xff], ["halt", 0xfee00000 | 0, 0x14]);
      assertEquals(r.result(2), 0x77);
    }
  });

  on.unless(RING_0, NO_CALLS).test("APIC calls go to the APIC after its base register was told something else", () => {
    const r = run((k) => `
      mov ecx, 0x1b
      mov eax, ${HYPERVISOR + 0x900}
      xor edx, edx
      wrmsr
      mov eax, 0x30
      ${k.call("APICRead")}
      ${k.store(0)}
      mov eax, 0x80
      mov edx, 0x41
      ${k.call("APICWrite")}
      mov eax, 0x80
      ${k.call("APICRead")}
      ${k.store(1)}`);
    assertEquals([r.stop.kind, r.result(0) & 0xff, r.result(1)], ["halt", 0x14, 0x41]);
    assertEquals(r.m.peek(HYPERVISOR, 0x1000).includes(MARK), false);
  });

  on.unless(NO_ROM).test("RAM switched in where the ROM is leaves the ROM", () => {
    const pam = ports([0xcf8, 0x80000058, 32], [0xcfc, 0x33333300, 32], [0xcf8, 0x8000005c, 32], [
      0xcfc,
      0x33333333,
      32,
    ]);
    const clean = run((k) => k.store(0));
    const r = run((k) => `
      ${pam}
      mov edi, ${ROM}
      mov ecx, 0x800
      mov eax, 0x41414141
      rep stosd
      mov dword [0xd0000], 0x41414141
      mov eax, [0xd0000]
      ${k.store(0)}
      ${k.call("GetCR3")}
      ${k.store(1)}`);
    assertEquals([r.stop.kind, r.result(0), r.result(1)], ["halt", 0x41414141, 0x40000]);
    assertEquals(bytes(r.m, ROM, 0x1800), bytes(clean.m, ROM, 0x1800));
  });
});
