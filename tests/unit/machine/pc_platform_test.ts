/** Interrupt routing of the PC preset: coprocessor errors, PCI pins on both controllers, lines across snapshots. */
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import type { IrqLine } from "../../../lib/core/bus.ts";
import type { PciCard } from "../../../lib/machine/pc_board.ts";
import { pciConfig } from "../../../lib/device/pci_bus.ts";
import { pc } from "../../../lib/machine/presets.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";

const MiB = 2 ** 20;
const ENGINES = ["reference", "interpreter", "jit"] as const;

/** Two divisions by zero, each waited for; `answer` is what the handler of IRQ 13 does beside counting at 0x600. */
const division = (answer: string): Uint8Array =>
  assemble(
    `
  xor ax, ax
  mov ds, ax
  mov word [0x1d4], handler
  mov word [0x1d6], 0
  mov al, 0x11
  out 0x20, al
  out 0xa0, al
  mov al, 8
  out 0x21, al
  mov al, 0x70
  out 0xa1, al
  mov al, 4
  out 0x21, al
  mov al, 2
  out 0xa1, al
  mov al, 1
  out 0x21, al
  out 0xa1, al
  mov al, 0xfb
  out 0x21, al
  mov al, 0xdf
  out 0xa1, al
  fninit
  mov word [0x604], 0x37b
  fldcw [0x604]
  sti
  fld1
  fldz
  fdivp st1, st0
  fwait
  inc byte [0x601]
  fld1
  fdiv st0, st1
  fwait
  inc byte [0x602]
  cli
  hlt
handler:
  inc byte [0x600]
  ${answer}
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  iret
`,
    { bits: 16, origin: 0x7c00 },
  ).bytes;

function divide(engine: typeof ENGINES[number], answer: string): number[] {
  const m = pc({ memory: 2 * MiB, engine });
  m.load(0x7c00, { bits: 16, bytes: division(answer) });
  m.run({ instructions: 5000 });
  return [...m.physical.peek(0x600, 3)];
}

Deno.test("pc(): a coprocessor error with CR0.NE clear arrives as IRQ 13, again for the next error", () => {
  for (const engine of ENGINES) {
    assertEquals(divide(engine, "out 0xf0, al\n fnclex"), [2, 1, 1], engine);
  }
});

Deno.test("pc(): port 0xF0 alone has the error ignored until it is cleared", () => {
  for (const engine of ENGINES) assertEquals(divide(engine, "out 0xf0, al"), [1, 1, 1], engine);
});

Deno.test("pc(): without port 0xF0 the instruction waits and the edge is not repeated", () => {
  for (const engine of ENGINES) assertEquals(divide(engine, "nop"), [1, 0, 0], engine);
});

/** A card whose interrupt pin A a script drives. */
function card(): PciCard & { pin: IrqLine } {
  return {
    name: "card",
    pci: { name: "card", ...pciConfig({ vendor: 0x1234, device: 1, classCode: 0xff0000, pin: 1 }) },
    pin: { set: () => {} },
    wire(pin): void {
      this.pin = pin(1);
    },
    attach(): void {},
    reset(): void {},
    save: () => ({ version: 1, fields: {} }),
    load(): void {},
  };
}

Deno.test("pc(): pin A of slot 3 is PIRQ C, level-triggered on line 11 of the 8259A pair and pin 11 of the IO-APIC", () => {
  const one = card();
  const m = pc({ memory: 2 * MiB, cards: [one] });
  const irr = (): number => {
    m.ports.write(0xa0, 0x0a, 8);
    return m.ports.read(0xa0, 8);
  };
  const remote = (): number => {
    m.write(0xfec00000, 16 + 2 * 11);
    return (m.read(0xfec00010) >>> 14) & 1;
  };
  m.write(0xfec00000, 16 + 2 * 11);
  m.write(0xfec00010, 0x8000 | 0x51);
  assertEquals(m.ports.read(0x4d1, 8), 0x0e, "lines 9, 10 and 11 are level-triggered");
  one.pin.set(true);
  assertEquals([irr() & 0x0c, remote()], [0x08, 1]);
  const asserted = m.snapshot();
  one.pin.set(false);
  assertEquals(irr() & 0x0c, 0);
  m.restore(asserted);
  assertEquals([irr() & 0x0c, remote()], [0x08, 1], "the line is up again, and no second message was sent");
  one.pin.set(false);
  assertEquals(irr() & 0x0c, 0);
  m.ports.write(0xcf8, 0x80000862 & ~3, 32);
  assertEquals(m.ports.read(0xcfc, 32), 0x0b0b0a0a, "PIRQ routing");
});

Deno.test("pc(): a source that rises on a line held high by another gives a new edge", () => {
  const m = pc({ memory: 2 * MiB });
  const request = (): number => {
    m.ports.write(0x20, 0x0c, 8); // poll: takes the request into service
    const answer = m.ports.read(0x20, 8);
    m.ports.write(0x20, 0x20, 8);
    return answer;
  };
  for (const [port, value] of [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xfe]] as const) {
    m.ports.write(port, value, 8);
  }
  request();
  assertEquals(request() & 0x80, 0, "the timer's output is high, its edge is used up");
  m.irq(0, true);
  assertEquals(request(), 0x80);
  m.irq(0, false);
  assertEquals(request() & 0x80, 0);
  m.irq(0, true);
  assertEquals(request(), 0x80, "the same line of a script, driven again");
});

Deno.test("pc(): after a snapshot a line that was high gives an edge when it falls and rises, on another machine too", () => {
  const make = (): ReturnType<typeof pc> => {
    const m = pc({ memory: 2 * MiB });
    for (const [port, value] of [[0x20, 0x11], [0x21, 8], [0x21, 4], [0x21, 1], [0x21, 0xdf]] as const) {
      m.ports.write(port, value, 8);
    }
    return m;
  };
  const m = make();
  m.irq(5, true);
  const high = m.snapshot();
  m.irq(5, false);
  const low = m.snapshot();
  const pending = (on: typeof m): boolean => {
    on.ports.write(0x20, 0x0a, 8);
    return (on.ports.read(0x20, 8) & 0x20) !== 0;
  };
  for (const on of [m, make()]) {
    on.restore(high);
    assertEquals(pending(on), true);
    on.ports.write(0x20, 0x0c, 8);
    on.ports.read(0x20, 8); // poll takes it
    on.irq(5, true);
    assertEquals(pending(on), false, "no new edge");
    on.irq(5, false);
    on.irq(5, true);
    assertEquals(pending(on), true);
    on.restore(low);
    on.irq(5, true);
    assertEquals(pending(on), true);
    on.restore(high);
    assertEquals(on.hash(), high.hash());
  }
});
