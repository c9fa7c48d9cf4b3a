/**
 * Alignment checks: which operands want which alignment, in every engine and in code that is translated already, and
 * what comes first when more is wrong.
 */
import type { EngineFactory } from "../../../../lib/cpu/i386/engine.ts";
import { interpreter } from "../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../lib/cpu/i386/engines/reference.ts";
import { asm, i386, machine, ram } from "../../../../mod.ts";
import { setCache } from "../../../../lib/cpu/i386/segment.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { Cr0, Cr4, Flag, Reg, Vector } from "../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { MODES, Rig, setMode } from "./rig.ts";

const ENGINES = [reference, interpreter, jit({ threshold: 1 })];
const CODE = 0x4000, DIRECTORY = 0x1000, TABLE = 0x2000;
/** This page is absent. */
const HOLE = 0x9000;
const HLT = 0xf4;

interface Bench {
  readonly rig: Rig;
  /** Runs with an address in ESI; the vector that ends it, HLT's #GP for none. */
  run(esi: number, ticks?: number, esp?: number): number;
}

/** Code at privilege level 3 with paging, CR0.AM set, EFLAGS.AC as asked for. */
function bench(engine: EngineFactory, code: readonly number[], ac: boolean): Bench {
  const rig = new Rig(engine), { cpu, space } = rig, s = cpu.state;
  for (let page = 0; page < 16; page++) space.write(TABLE + 4 * page, page << 12 === HOLE ? 0 : (page << 12) | 7, 32);
  space.write(DIRECTORY, TABLE | 7, 32);
  space.poke(CODE, Uint8Array.from([...code, HLT]));
  setMode(cpu, MODES[0]);
  s.set(Layout.cr3, DIRECTORY);
  s.set(Layout.cr4, Cr4.osfxsr);
  s.set(Layout.cr0, Cr0.pe | Cr0.ne | Cr0.wp | Cr0.am | Cr0.pg);
  s.set(Layout.cpl, 3);
  s.set(Layout.fcw, 0x37f);
  s.set(Layout.fempty, 0xff);
  cpu.flushTlb(true);
  cpu.set("eflags", ac ? Flag.ac | 2 : 2);
  let vector = -1;
  cpu.interceptor = {
    intercept: (event) => {
      vector = event.vector;
      cpu.interruptSlice();
      return "handled";
    },
  };
  return {
    rig,
    run: (esi, ticks = 10, esp = 0x7000) => {
      vector = -1;
      s.setReg32(Reg.esi, esi);
      s.setReg32(Reg.esp, esp);
      s.setReg32(Reg.eax, 0);
      cpu.set("eip", CODE);
      cpu.run(ticks);
      return vector;
    },
  };
}

/** Instructions on [ESI] and the alignment they want. */
const OPERANDS: readonly (readonly [string, number, readonly number[]])[] = [
  ["fld m64", 8, [0xdd, 0x06]],
  ["fstp m80", 8, [0xdb, 0x3e]],
  ["fild m64", 8, [0xdf, 0x2e]],
  ["fld m32", 4, [0xd9, 0x06]],
  ["fnstcw", 2, [0xd9, 0x3e]],
  ["movq mm0", 8, [0x0f, 0x6f, 0x06]],
  ["movss", 4, [0xf3, 0x0f, 0x10, 0x06]],
  ["addsd", 8, [0xf2, 0x0f, 0x58, 0x06]],
  ["movlps to memory", 8, [0x0f, 0x13, 0x06]],
  ["movups", 16, [0x0f, 0x10, 0x06]],
  ["cmpxchg8b", 8, [0x0f, 0xc7, 0x0e]],
  ["bts", 4, [0x0f, 0xab, 0x06]],
  ["add", 4, [0x01, 0x06]],
];

Deno.test("#AC: every operand wants its own alignment, at privilege level 3 with CR0.AM and EFLAGS.AC", () => {
  for (const engine of ENGINES) {
    for (const [name, unit, code] of OPERANDS) {
      const where = `${engine.name}, ${name}`, on = bench(engine, code, true), off = bench(engine, code, false);
      assertEquals(on.run(0x8000 + unit), Vector.gp, where);
      assertEquals(on.run(0x8000 + unit / 2), Vector.ac, where);
      assertEquals(off.run(0x8000 + unit / 2), Vector.gp, where);
      on.rig.cpu.state.set(Layout.cpl, 0);
      on.rig.cpu.modeChanged();
      assertEquals(on.run(0x8000 + unit / 2), -1, where); // HLT halts
    }
  }
});

Deno.test("#AC is met by code that was translated before POPF set EFLAGS.AC", () => {
  // fld m64; fstp st0; add [esi], eax; dec ecx; jnz back; push imm32; popf; jmp back
  const code = [0xdd, 0x06, 0xdd, 0xd8, 0x01, 0x06, 0x49, 0x75, 0xf7, 0x68, 2, 0, 4, 0, 0x9d, 0xeb, 0xef];
  for (const engine of ENGINES) {
    const { rig, run } = bench(engine, code, false);
    rig.cpu.state.setReg32(Reg.ecx, 5000);
    assertEquals(run(0x8004, 100_000), Vector.ac, engine.name);
    assertEquals(rig.cpu.state.get(Layout.eip), CODE, engine.name);
    assertEquals(rig.cpu.state.reg32(Reg.ecx), 0, engine.name);
  }
});

Deno.test("#AC comes before #PF where an operand is read and written", () => {
  for (const engine of ENGINES) {
    for (const code of [[0x01, 0x06], [0x0f, 0xab, 0x06], [0x0f, 0xc7, 0x0e]]) {
      assertEquals(bench(engine, code, true).run(HOLE + 2), Vector.ac, engine.name);
      assertEquals(bench(engine, code, false).run(HOLE + 2), Vector.pf, engine.name);
    }
  }
});

Deno.test("FNSAVE and FRSTOR want multiples of their operand size only", () => {
  for (const engine of ENGINES) {
    for (const [prefix, unit] of [[[], 4], [[0x66], 2]] as const) {
      // fld1; fnsave; frstor; fstp m80 behind it
      const { run } = bench(engine, [0xd9, 0xe8, ...prefix, 0xdd, 0x36, ...prefix, 0xdd, 0x26], true);
      assertEquals(run(0x8000 + unit), Vector.gp, engine.name);
      const half = bench(engine, [...prefix, 0xdd, 0x36], true);
      assertEquals(half.run(0x8000 + unit / 2), Vector.ac, engine.name);
      const memory = new Uint8Array(128);
      half.rig.space.readPhysical(0x8000, memory);
      assertEquals(memory, new Uint8Array(128), engine.name);
    }
  }
});

Deno.test("RET far and IRET: a frame that does not fit into the stack is #SS before its first word is #PF", () => {
  for (const engine of ENGINES) {
    for (const [code, bytes] of [[[0xcb], 8], [[0xcf], 12], [[0x66, 0xcf], 6]] as const) {
      const { rig, run } = bench(engine, code, false), s = rig.cpu.state;
      const limit = (last: number): void => {
        setCache(s, 2, 0x23, last, 0x0040f300);
        rig.cpu.modeChanged();
      };
      limit(HOLE + bytes - 2);
      assertEquals(run(0x8000, 10, HOLE), Vector.ss, engine.name);
      limit(HOLE + bytes - 1);
      assertEquals(run(0x8000, 10, HOLE), Vector.pf, engine.name);
    }
  }
});

Deno.test("#PF of a push names the push that comes first", () => {
  for (const engine of ENGINES) {
    const { rig, run } = bench(engine, [0xc8, 0, 0, 8], false); // enter 0, 8
    rig.cpu.state.setReg32(Reg.ebp, 0x8000);
    assertEquals(run(0x8000, 10, HOLE + 8), Vector.pf, engine.name);
    assertEquals(rig.cpu.state.get(Layout.faultLinear), HOLE + 4, engine.name);
    const all = bench(engine, [0x60], false); // pushad
    assertEquals(all.run(0x8000, 10, HOLE + 0x1005), Vector.pf, engine.name);
    assertEquals(all.rig.cpu.state.get(Layout.faultLinear), HOLE + 0xffd, engine.name);
  }
});

for (const how of ["popf", "iret"] as const) {
  Deno.test(`#AC follows ${how.toUpperCase()} of user code that sets EFLAGS.AC, in fast code too`, () => {
    for (const engine of ["reference", "interpreter", "jit"] as const) {
      const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 0x20000 })] });
      m.load(
        CODE,
        asm`
        lidt [0x7f00]
        mov eax, cr0
        or eax, 0x40000
        mov cr0, eax
        mov eax, 0x28
        ltr ax
        mov eax, 0x23
        mov ds, ax
        mov es, ax
        push 0x23
        push 0x6000
        push 2
        push 0x1b
        push user
        iret
        user:
        fninit
        mov esi, 0x8004
        mov ecx, 3000
        again:
        fld qword [esi]
        fstp st0
        push 2
        popf
        push 2
        push 0x1b
        push on
        iret
        on:
        dec ecx
        jnz again
        mov edx, ${how === "popf" ? 1 : 0}
        push 0x40002
        test edx, edx
        jz byiret
        popf
        target: fld qword [esi]
        hlt
        byiret:
        push 0x1b
        push target
        iret`,
      );
      m.load(
        0x9000,
        asm`mov ebx, [esp+4]
        movzx edx, word [cs:ebx]
        hlt`,
      );
      const entries = [0, 0, 0xffff, 0x00cf9b00, 0xffff, 0x00cf9300, 0xffff, 0x00cffb00, 0xffff, 0x00cff300];
      [...entries, 0x40000067, 0x00008901].forEach((v, i) => m.write(0x13000 + 4 * i, v));
      m.write(0x14004, 0x5000);
      m.write(0x14008, 0x10);
      m.write(0x12000 + 8 * Vector.ac, (8 << 16) | 0x9000);
      m.write(0x12004 + 8 * Vector.ac, 0x8e00);
      m.load(0x7f00, Uint8Array.of(0xff, 7, 0, 0x20, 1, 0));
      m.start({ mode: "flat32", entry: CODE, stack: 0x7000, gdt: { base: 0x13000, limit: 0x2f } });
      const stop = m.run({ instructions: 200_000 });
      assertEquals(stop.kind, "halt", `${engine}: ${JSON.stringify(stop)}`);
      assertEquals([m.cpu.ecx, m.cpu.edx], [0, 0x06dd], engine);
    }
  });
}
