/**
 * Faults whose handler a kernel enters, and the IRET back, as hooks, debug registers and scripts see them: the same as on
 * the reference engine. The kernel must have done them, so the first rounds make it and fill the tables.
 */
import type { CpuEvent } from "../../../../../lib/core/cpu.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { readEflags, writeEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { setCache } from "../../../../../lib/cpu/i386/segment.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { asm } from "../../../../../mod.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { Rig } from "../rig.ts";

const GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, CODE = 0x4000, HANDLERS = 0x6000, STACK = 0x8000, TABLES = 0xc000;
const FLAT_CODE = 0x00cf9b00, FLAT_DATA = 0x00cf9300, RING3 = 0x6000;
const DATA = 0xb000, ABSENT = 0xf000;

/** What is to run. */
interface Case {
  readonly user: boolean;
  readonly code: Uint8Array;
  /** Of all exceptions. */
  readonly handler: Uint8Array;
}

/** Flat segments and pages as an operating system makes them; the last page is absent. */
function prepare(rig: Rig, { user, code, handler }: Case): void {
  const { cpu, space } = rig, s = cpu.state, dpl = user ? RING3 : 0;
  const words = (at: number, ...values: number[]): void => {
    space.writePhysical(at, new Uint8Array(new Int32Array(values).buffer));
  };
  words(GDT, 0, 0, 0xffff, FLAT_CODE, 0xffff, FLAT_DATA, 0xffff, FLAT_CODE | RING3, 0xffff, FLAT_DATA | RING3);
  for (let v = 0; v < 32; v++) {
    words(IDT + v * 8, 8 << 16 | HANDLERS + v * 64, 0x8e00);
    space.writePhysical(HANDLERS + v * 64, handler);
  }
  words(TSS + 4, STACK, 0x10);
  space.writePhysical(CODE, code);
  words(TABLES, TABLES + 0x1007, ...Array(1023).fill(0));
  words(TABLES + 0x1000, ...[...Array(15).keys()].map((n) => n << 12 | 7));
  s.set(Layout.cr3, TABLES);
  s.set(Layout.cr0, 0x80000011 | 0);
  s.set(Layout.cpl, user ? 3 : 0);
  [s.set(Layout.gdtBase, GDT), s.set(Layout.gdtLimit, 0x27)];
  [s.set(Layout.idtBase, IDT), s.set(Layout.idtLimit, 0xff)];
  setCache(s, 1, user ? 0x1b : 8, 0xffff, FLAT_CODE | dpl);
  setCache(s, 2, user ? 0x23 : 0x10, 0xffff, FLAT_DATA | dpl);
  for (const n of [0, 3]) setCache(s, n, 0x23, 0xffff, FLAT_DATA | RING3);
  setCache(s, 7, 0x38, 0x67, TSS << 16 | 0x8b00);
  s.setSeg(7, 4, TSS);
  s.setReg32(4, 0x9f00);
  s.set(Layout.eip, CODE);
  writeEflags(s, 2);
  cpu.modeChanged();
  cpu.flushTlb(true);
  rig.cpu.board.hooks.changed = (): void => rig.cpu.hooksChanged();
}

/** Runs a case on every engine; `go` answers what is to be the same. @returns The reference engine's answer. */
function same<T>(one: Case, go: (rig: Rig) => T): T {
  const [want, ...others] = [reference, interpreter, jit({ threshold: 2 })].map((engine) => {
    const rig = new Rig(engine);
    prepare(rig, one);
    return { answer: go(rig), end: [rig.cpu.save().fields, rig.outcome("")] };
  });
  others.forEach((other) => assertEquals(other, want));
  return want.answer;
}

const MOVES: Case = {
  user: true,
  code: asm`
      mov esi, ${DATA}
      mov edi, ${ABSENT}
    again:
      movsd
      mov esi, ${DATA}
      mov edi, ${ABSENT}
      inc eax
      jmp again`.bytes,
  handler: asm`
      inc ebx
      add esp, 4
      inc dword ptr [esp]
      iretd`.bytes,
};

Deno.test("a data breakpoint that an instruction met before its fault is forgotten", () => {
  const dr6 = same(MOVES, (rig) => {
    rig.cpu.run(100);
    rig.cpu.set("dr0", DATA);
    rig.cpu.set("dr7", 0x000f0001);
    rig.cpu.run(100);
    return rig.cpu.state.get(Layout.dr + 16) & 0xf;
  });
  assertEquals(dr6, 0);
});

Deno.test("a fault that a script puts before a halted CPU wakes it", () => {
  const one: Case = {
    user: false,
    code: asm`
      mov eax, dword ptr [${ABSENT}]
      hlt
      inc ecx
      hlt`.bytes,
    handler: asm`
      add esp, 4
      mov dword ptr [esp], ${CODE + 5}
      inc ebx
      iretd`.bytes,
  };
  const gp: CpuEvent = { kind: "fault", vector: 13, errorCode: 0xfffffffe };
  const seen = same(one, (rig) => {
    const exits = [rig.cpu.run(100)];
    for (let n = 0; n < 2; n++) {
      rig.cpu.deliver(gp);
      exits.push(rig.cpu.run(100));
    }
    return [...exits, rig.cpu.state.reg32(3), rig.cpu.mem.sysRead32(rig.cpu.state.reg32(4) - 16)];
  });
  assertEquals(seen, ["halted", "halted", "halted", 3, -2]);
});

Deno.test("a hook on memory sees RF in the instruction that a handler of a fault returns to", () => {
  const one: Case = {
    user: true,
    code: asm`
    again:
      mov eax, dword ptr [${ABSENT}]
      mov ecx, dword ptr [${DATA}]
      jmp again`.bytes,
    handler: asm`
      add esp, 4
      add dword ptr [esp], 5
      iretd`.bytes,
  };
  const seen = same(one, (rig) => {
    const flags: number[] = [];
    rig.cpu.run(40);
    rig.cpu.board.hooks.onMemory({ at: DATA, size: 4 }, () => void flags.push(readEflags(rig.cpu.state)));
    rig.cpu.run(40);
    return flags;
  });
  assertEquals(seen.slice(0, 3), [0x10002, 0x10002, 0x10002]);
});
