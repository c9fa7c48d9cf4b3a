/**
 * Engines side by side on random system code: the interpreter and the JIT run system kernels, the reference engine the
 * TypeScript functions. Segments, privilege, flags, stacks, faults and counts must agree, with tables as operating systems
 * make them and with everything wrong in them now and then.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import type { I386Cpu } from "../../../../../lib/cpu/i386/cpu.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { writeEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { KernelTable } from "../../../../../lib/cpu/i386/kernels/module.ts";
import { SYSTEM_KERNELS } from "../../../../../lib/cpu/i386/kernels/system/index.ts";
import { GO_ON, LOOK_UP } from "../../../../../lib/cpu/i386/kernels/system/kernel.ts";
import { setCache, setNull } from "../../../../../lib/cpu/i386/segment.ts";
import { Layout, SEG_BYTES } from "../../../../../lib/cpu/i386/state.ts";
import { asm } from "../../../../../mod.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";
import { Rig } from "../rig.ts";

const GDT = 0x1000, IDT = 0x2000, TSS = 0x3000, CODE = 0x4000, HANDLERS = 0x6000, STACK = 0x8000;
/** High dwords of flat segments of ring 0; the low dword is 0xffff. */
const FLAT_CODE = 0x00cf9b00, FLAT_DATA = 0x00cf9300;
const CODE0 = 0x08, DATA0 = 0x10, CODE3 = 0x1b, DATA3 = 0x23, TLS = 0x2b, ODD = 0x30, TASK = 0x38;

/** Descriptors that are not as usual: not present, not accessed, expand-down, read-only, conforming, with base or limit. */
const STRANGE: readonly (readonly [number, number])[] = [
  ...[[0xffff, 0x00cf1300], [0xffff, 0x00cf9200], [0xffff, 0x00cf9700], [0xffff, 0x00cf9100]] as const,
  ...[[0xffff, 0x00cf9f00], [0x1000ffff, 0x00cf9300], [0x0fff, 0x00409300], [0xffff, 0x000f9300]] as const,
  ...[[0xffff, 0x008f9300], [0xffff, 0x00cfb300], [0xffff, 0x00cf9b00], [0, 0], [0xffff, 0x0000e200]] as const,
];

function word(rig: Rig, at: number, ...values: number[]): void {
  rig.space.writePhysical(at, new Uint8Array(new Int32Array(values).buffer));
}

/** Tables, a stack and selectors in the state; what is odd in them is the seed's. */
function prepare(rig: Rig, r: Prng, odd: boolean): void {
  const { cpu } = rig, s = cpu.state;
  rig.space.writePhysical(0, new Uint8Array(0x10000));
  const strange = (): readonly [number, number] => r.pick(STRANGE);
  const usual = [
    [0, 0],
    ...[[0xffff, FLAT_CODE], [0xffff, FLAT_DATA], [0xffff, FLAT_CODE | 0x6000], [0xffff, FLAT_DATA | 0x6000]],
    [0x80000fff, 0x0040f300],
    [0xffff, FLAT_DATA | 0x2000],
  ] as const;
  usual.forEach((one, n) => word(rig, GDT + n * 8, ...(odd && n > 0 && r.below(10) === 0 ? strange() : one)));
  word(rig, GDT + ODD, ...strange());
  for (let v = 0; v < 64; v++) {
    const at = HANDLERS + v * 16, kind = r.pick([0x8e00, 0xee00, 0xef00, 0x8f00]);
    const type = odd && r.below(12) === 0 ? r.pick([0x0e00, 0x8500, 0x8600, 0x8c00, 0xc600]) : kind;
    const selector = odd && r.below(12) === 0 ? r.pick([0, ODD, DATA0, CODE3, 0xfff8, 0x0c]) : CODE0;
    word(rig, IDT + v * 8, selector << 16 | at, type);
    // Handlers of faults drop the error code, some faults have none.
    rig.space.writePhysical(at, handler(r, v === 13 || v === 11 || v === 12 || v === 10));
  }
  word(
    rig,
    TSS + 4,
    STACK + r.pick([0, 0, 0, 16, 2, 0xff0]),
    odd && r.below(8) === 0 ? r.pick([ODD, 0, DATA3]) : DATA0,
  );
  const user = r.below(2) === 0, dpl = user ? 0x6000 : 0;
  s.set(Layout.cr0, 0x11);
  s.set(Layout.cpl, user ? 3 : 0);
  [s.set(Layout.gdtBase, GDT), s.set(Layout.gdtLimit, odd && r.below(12) === 0 ? 0x1f : 0x3f)];
  [s.set(Layout.idtBase, IDT), s.set(Layout.idtLimit, odd && r.below(12) === 0 ? 0x6f : 0x1ff)];
  setCache(s, 1, user ? CODE3 : CODE0, 0xffff, FLAT_CODE | dpl);
  setCache(s, 2, user ? DATA3 : DATA0, 0xffff, FLAT_DATA | dpl);
  for (const n of [0, 3]) setCache(s, n, DATA3, 0xffff, FLAT_DATA | 0x6000);
  for (const n of [4, 5]) setNull(s, n, 0);
  setCache(s, 7, TASK, odd && r.below(12) === 0 ? 8 : 0x67, TSS << 16 | 0x8b00);
  s.setSeg(7, 4, TSS);
  [
    s.set(Layout.sysenterCs, r.pick([CODE0, CODE0, 0])),
    s.set(Layout.sysenterEsp, STACK),
    s.set(Layout.sysenterEip, CODE),
  ];
  for (let n = 0; n < 8; n++) s.setReg32(n, r.pick([DATA3, TLS, 0, ODD, r.u32() | 0, DATA0, CODE + r.below(64)]));
  s.setReg32(4, 0xa000 + r.pick([0, 0, 0, 4, 8, 2, 0xffc]));
  const iopl = odd ? r.pick([0, 0, 0x3000]) : 0;
  writeEflags(
    s,
    2 | iopl | r.pick([0, 0x200, 0x8d5]) | (odd && r.below(20) === 0 ? r.pick([0x100, 0x10000, 0x4000]) : 0),
  );
  s.set(Layout.eip, CODE);
  cpu.modeChanged();
}

/** A handler that returns, or goes on with something. */
function handler(r: Prng, hasCode: boolean): Uint8Array {
  const drop = hasCode ? [0x83, 0xc4, 4] : [];
  return new Uint8Array([...drop, ...r.pick([[], [0xfb], [0xfa], [0x1e, 0x1f], [0x0f, 0x20, 0xd0]]), 0xcf]);
}

/** Instructions the kernels serve, and others around them. */
function program(r: Prng): Uint8Array {
  const bytes: number[] = [];
  while (bytes.length < 60) {
    bytes.push(...r.pick<readonly number[]>([
      [0x1e],
      [0x06],
      [0x0f, 0xa0],
      [0x0f, 0xa8],
      [0x16],
      [0x0e], // push
      [0x1e, 0x1f],
      [0x06, 0x07],
      [0x0f, 0xa0, 0x0f, 0xa1],
      [0x0f, 0xa8, 0x0f, 0xa9],
      [0x6a, TLS, 0x0f, 0xa1],
      [0x6a, r.pick([DATA3, TLS, 0, ODD, DATA0, 3]), r.pick([0x1f, 0x07, 0x17])], // pop ds, es, ss
      [0x8e, 0xc0 | r.below(64)],
      [0x8c, 0xc0 | r.below(64)],
      [0x8c, 0x1d, 0x40, 0x70, 0, 0],
      [0xb8, DATA3, 0, 0, 0, 0x8e, 0xd8],
      [0xb8, TLS, 0, 0, 0, 0x8e, 0xe8],
      [0xb8, DATA3, 0, 0, 0, 0x0f, 0, 0xe8],
      [0x0f, 0x00, 0xe8 | r.below(8)],
      [0xfb],
      [0x0f, 0x31],
      [0x0f, 0x31, 0x01, 0xc6],
      [0xfa],
      [0x9c, 0x9d],
      [0x9d],
      [0x9c, 0x58, 0x35, 0, 2, 0, 0, 0x50, 0x9d],
      [0xcd, 0x20 + r.below(32)],
      [0xcd, 0x20 + r.below(32)],
      [0xcd, r.below(256)],
      [0xcc],
      [0xcf],
      [0x9c, 0x0e, 0xe8, 0, 0, 0, 0, 0x83, 0x04, 0x24, 5, 0xcf], // iret to behind it
      [0x6a, DATA3, 0x68, 0, 0xb0, 0, 0, 0x9c, 0x6a, CODE3, 0x68, 0, 0x40, 0, 0, 0xcf], // iret to ring 3
      [0x0f, 0x34],
      [0xb9, 0, 0xa0, 0, 0, 0xba, 0, 0x40, 0, 0, 0x0f, 0x35],
      [0x0f, 0x20, 0xc0 | r.below(64)],
      [0x0f, 0x06],
      [0x01, 0xd8],
      [0x39, 0xc1],
      [0x40],
      [0x83, 0xe4, 0xfc],
      [0x31, 0xc0],
      [0x66, 0x1e],
      [0x66, 0x07],
      [0x66, 0xcf],
    ])); // deno-fmt-ignore
  }
  return new Uint8Array([...bytes, 0xe9, ...new Uint8Array(new Int32Array([-5 - bytes.length]).buffer)]);
}

for (const odd of [false, true]) {
  Deno.test(`engines agree on random system code, tables ${odd ? "partly wrong" : "as usual"}`, () => {
    const rigs = [reference, interpreter, jit({ threshold: 2 }), jit({ threshold: 2, system: false })].map((e) =>
      new Rig(e)
    );
    for (const { bus, cpu } of rigs) {
      Object.defineProperty(bus, "steady", { value: true });
      Object.defineProperty(bus, "now", { value: () => 0x1_ffff_ffc0 + cpu.instructions });
    }
    const met = new Set<string>();
    for (let seed = 1; seed <= 120; seed++) {
      const code = program(new Prng(seed));
      for (const rig of rigs) {
        rig.cpu.reset();
        prepare(rig, new Prng(seed * 7), odd);
        rig.space.writePhysical(CODE, code);
      }
      const r = new Prng(seed * 13);
      for (let slice = 0; slice < 10; slice++) {
        const limit = 1 + r.below(r.pick([3, 30, 300]));
        const [want, ...others] = rigs.map((rig) => [rig.cpu.run(limit), rig.cpu.save().fields]);
        others.forEach((one, n) =>
          assertEquals(one, want, `seed ${seed}, slice ${slice} of ${limit}, engine ${n + 1}`)
        );
        const s = rigs[0].cpu.state;
        met.add(`ring ${s.get(Layout.cpl)}`).add(s.get(Layout.eip) >= HANDLERS ? "handler" : "program");
      }
      const [want, ...others] = rigs.map((rig) => rig.outcome(""));
      others.forEach((one, n) => assertEquals(one, want, `seed ${seed}, memory, engine ${n + 1}`));
    }
    for (const what of ["ring 0", "ring 3", "handler", "program"]) assert(met.has(what), `never seen: ${what}`);
  });
}

/** Runs the kernel of `sem` on a CPU that is as usual. */
function kernel(rig: Rig, sem: string, a = 0, b = 0, linear = 0): number {
  const { memory, stateAt } = rig.cpu.board;
  const n = SYSTEM_KERNELS.findIndex((k) => k.sem === sem && k.isMem === (linear !== 0));
  return new KernelTable(memory, stateAt).system(n)(a, b, linear);
}

function usualRig(user: boolean): Rig {
  const rig = new Rig(interpreter);
  for (let seed = 0;; seed++) {
    prepare(rig, new Prng(seed), false);
    const s = rig.cpu.state;
    if ((s.get(Layout.cpl) === 3) === user) break;
  }
  word(rig, TSS + 4, STACK, DATA0);
  word(rig, CODE, ...asm`hlt`.bytes);
  rig.cpu.state.setReg32(4, 0xa000);
  touchAll(rig.cpu);
  return rig;
}

/** All pages are in the tables, and written to. */
function touchAll(cpu: I386Cpu): void {
  for (let at = 0; at < 0x10000; at += 0x1000) {
    cpu.mem.sysWrite32(at + 0xf80, 1);
    cpu.mem.sysWrite32(at + 0xf80, 0);
  }
}

Deno.test("system kernels take the usual course themselves, into ring 0 and back", () => {
  const rig = usualRig(true), s = rig.cpu.state;
  writeEflags(s, 0x202);
  const vector = [...Array(32).keys()].map((n) => n + 0x20).find((v) => {
    const bytes = new Uint8Array(8);
    rig.space.readPhysical(IDT + v * 8, bytes);
    return (bytes[5] & 0x60) === 0x60;
  }) ?? 0;
  assertEquals(kernel(rig, "int", vector, 2), LOOK_UP);
  assertEquals([s.get(Layout.cpl), s.reg32(4), s.get(Layout.eip)], [0, STACK - 20, HANDLERS + vector * 16]);
  assertEquals(rig.cpu.mem.sysRead32(STACK - 20), CODE + 2);
  assertEquals(kernel(rig, "pushSreg", s.base + Layout.segs + 3 * SEG_BYTES), GO_ON);
  assertEquals(kernel(rig, "popSreg", s.base + Layout.segs + 3 * SEG_BYTES), GO_ON);
  s.setReg32(0, DATA3);
  assertEquals(kernel(rig, "verw", 0, s.base), GO_ON);
  assertEquals(kernel(rig, "movToSreg", s.base + Layout.segs + 4 * SEG_BYTES, s.base), GO_ON);
  assertEquals(kernel(rig, "movFromCr", s.base + Layout.cr0, s.base), GO_ON);
  [s.set(Layout.due, 0), s.set(Layout.count, 1), s.set(Layout.sysenterCs, CODE0)];
  assertEquals([kernel(rig, "sti"), kernel(rig, "clts"), s.get(Layout.eflags) & 0x200], [GO_ON, GO_ON, 0x200]);
  assertEquals(kernel(rig, "iret"), LOOK_UP);
  assertEquals([s.get(Layout.cpl), s.reg32(4), s.get(Layout.eip)], [3, 0xa000, CODE + 2]);
  assertEquals([kernel(rig, "sysenter"), s.get(Layout.cpl), s.reg32(4)], [LOOK_UP, 0, STACK]);
  assertEquals([kernel(rig, "sysexit"), s.get(Layout.cpl)], [LOOK_UP, 3]);
  assertEquals(kernel(rig, "rdtsc"), -1); // how time goes by is not known
  for (
    const [at, value] of [["timeKnown", 1], ["timeLow", 7], ["timeHigh", 5], ["count", 9], ["tscLow", 3], [
      "tscHigh",
      1,
    ]]
  ) {
    s.set(Layout[at as keyof typeof Layout], value as number);
  }
  assertEquals([kernel(rig, "rdtsc"), s.reg32(0), s.reg32(2)], [GO_ON, 1, 6]);
});

Deno.test("system kernels refuse where somebody watches or something waits", () => {
  const rig = usualRig(false), s = rig.cpu.state;
  const push = (): number => kernel(rig, "pushSreg", s.base + Layout.segs + 3 * SEG_BYTES);
  assertEquals(push(), GO_ON);
  rig.cpu.interceptor = {} as I386Cpu["interceptor"];
  assertEquals(push(), -1);
  rig.cpu.interceptor = undefined;
  assertEquals(push(), GO_ON);
  writeEflags(s, 2);
  s.set(Layout.count, 5);
  s.set(Layout.due, 1);
  assertEquals(kernel(rig, "sti"), -1);
  s.set(Layout.due, 0);
  assertEquals(kernel(rig, "sti"), GO_ON);
  writeEflags(s, 2);
  s.set(Layout.count, 0);
  assertEquals(kernel(rig, "sti"), -1);
});
