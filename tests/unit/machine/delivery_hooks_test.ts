/** Hooks before interrupts and faults are delivered: each kind of event, on the bare processor, with every engine. */
import { asm16 } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";
import { inject } from "../../../lib/script/inject.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;

/** Real mode, all vectors of the first 256 lead to an IRET at 0x700, vector 13 nowhere. */
function program(engine: typeof ENGINES[number], code: Parameters<Machine["load"]>[1]): Machine {
  const cpu = i386({ engine, jit: { threshold: 1 } });
  const m = machine({ cpu, memory: [ram({ at: 0, size: 0x100000 })] });
  for (let v = 0; v < 256; v++) m.physical.poke32(4 * v, 0x700);
  m.poke(0x700, Uint8Array.of(0xcf));
  return m.load(0x7c00, code);
}

/** What hooks saw: kind, vector, source, EIP. */
function watch(m: Machine): string[] {
  const seen: string[] = [];
  const at = (): string => m.cpu.eip.toString(16);
  m.onInterrupt(undefined, (e) => seen.push(`${e.source} ${e.vector} ${at()}`));
  m.onFault(undefined, (e) => seen.push(`fault ${e.vector} ${e.errorCode} ${at()}`));
  return seen;
}

for (const engine of ENGINES) {
  Deno.test(`${engine}: onInterrupt() sees INT n, INT3 and INTO with EIP after them, at every turn, and changes nothing`, () => {
    const code = asm16`
      mov cx, 20
      again: int 0x80
      int3
      mov al, 0x7f
      inc al
      into
      loop again
      hlt`;
    const plain = program(engine, code), m = program(engine, code), seen = watch(m);
    for (const one of [plain, m]) assertEquals(one.run({ instructions: 10_000 }).kind, "halt");
    const turn = ["software 128 7c05", "software 3 7c06", "software 4 7c0b"];
    assertEquals(seen, Array.from({ length: 20 }, () => turn).flat());
    assertEquals(m.hash(), plain.hash());
  });

  Deno.test(`${engine}: stop() in onInterrupt() of INT n ends the run before the handler's first instruction`, () => {
    const m = program(
      engine,
      asm16`
      nop
      int 0x21
      hlt`,
    );
    const remove = m.onInterrupt(0x21, (e) => e.stop("dos"));
    assertEquals(m.run(), { kind: "hook", name: "dos", eip: 0x700 });
    assertEquals(m.cpu.instructions, 2);
    remove();
    assertEquals(m.run(), { kind: "halt", eip: 0x7c04 });
  });

  Deno.test(`${engine}: hooks see NMI, injected interrupts, single-step traps and a double fault`, () => {
    const m = program(
      engine,
      asm16`
      pushf
      pop ax
      or ax, 0x100
      push ax
      popf
      nop
      hlt`,
    );
    const seen = watch(m);
    m.step();
    m.cpu.cpu.nmi();
    m.run({ instructions: 2 });
    inject(m, { interrupt: 0x33 });
    m.onFault(1, (e) => e.stop("trap"));
    assertEquals(m.run({ instructions: 100 }), { kind: "hook", name: "trap", eip: 0x700 });
    assertEquals(seen, ["nmi 2 7c01", "external 51 7c01", "fault 1 -1 7c08"]);
    const twice = program(
      engine,
      asm16`
      lidt [limit]
      int 0x50
      hlt
      limit: dw 8 * 4 + 3, 0, 0`,
    );
    twice.poke(0x700, Uint8Array.of(0xf4));
    const faults = watch(twice);
    assertEquals(twice.run({ instructions: 100 }).kind, "halt");
    assertEquals(faults, ["software 80 7c07", "fault 13 -1 7c05", "fault 8 0 7c05"]);
  });
}
