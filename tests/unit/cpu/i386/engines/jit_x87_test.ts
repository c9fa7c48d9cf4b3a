/**
 * x87 code of the JIT in lockstep with the interpreter: random functions with loops, branches on comparisons, calls with
 * values on the stack, changes of the control word, instructions that only TypeScript or a kernel does, numbers of every
 * kind. All x87 state must agree at the end of every slice, whatever its length, with the stack in locals and without.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import type { JitOptions } from "../../../../../lib/cpu/i386/engines/jit/options.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { MODES, Rig, setMode } from "../rig.ts";

const SEEDS = Number(Deno.env.get("VMIKIT_X87_SEEDS") ?? 60);
const CODE = 0x4000, NUMBERS = 0x3000, CONTROL = 0x3800;
const SINGLES = 0x3400, EXTENDED = 0x3500, INTEGERS = 0x3600, DIVISORS = 0x3900, RESULTS = 0x3a00;

const ARITH = ["fadd", "fsub", "fsubr", "fmul", "fdiv", "fdivr"];
const CONSTANTS = ["fld1", "fldz", "fldpi", "fldl2t", "fldl2e", "fldlg2", "fldln2"];
const CONDITIONS = ["ja", "jb", "je", "jne", "jp", "jae", "jbe", "jnp"];

/** Writes functions that mostly keep some registers of the stack full, and the stack as high as it was around a block. */
class Writer {
  readonly lines: string[] = [];
  readonly #r: Prng;
  readonly #wild: boolean;
  #label = 0;
  #height: number;

  constructor(r: Prng, wild: boolean, height: number) {
    this.#r = r;
    this.#wild = wild;
    this.#height = height;
  }

  #sti(): string {
    return `st${this.#r.below(this.#r.below(30) === 0 ? 8 : Math.max(1, Math.min(this.#height, 5)))}`;
  }

  #at(size: "word" | "dword" | "qword" | "tword", area: number = NUMBERS, places = 0x3f): string {
    const r = this.#r, at = area + r.below(places) * 16;
    return `${size} [${r.pick(["", "", "ebx+"])}${r.below(20) === 0 && this.#wild ? at + r.below(16) : at}]`;
  }

  /** The same, but zero only where that is wanted. */
  #divisor(): string {
    return this.#wild ? this.#at(this.#r.pick(["dword", "qword"])) : this.#at("qword", DIVISORS, 8);
  }

  #grow(by: number, line: string): void {
    this.lines.push(line);
    this.#height = Math.max(0, Math.min(8, this.#height + by));
  }

  #push(): void {
    const r = this.#r;
    this.#grow(
      1,
      r.pick([
        `fld ${this.#at("dword", SINGLES, 16)}`,
        `fld ${this.#at("qword")}`,
        `fld ${this.#at("tword", EXTENDED, 16)}`,
        `fild ${this.#at(r.pick(["word", "dword", "qword"]), INTEGERS, 0x20)}`,
        `fld ${this.#sti()}`,
        r.pick(CONSTANTS),
      ]),
    );
  }

  #pop(): void {
    const r = this.#r, p = r.pick(["fadd", "fsub", "fsubr", "fmul"]), two = this.#height > 1;
    this.#grow(
      -1,
      r.pick([
        `fstp ${this.#at(r.pick(["dword", "qword"]), RESULTS, 8)}`,
        `fistp ${this.#at(r.pick(["word", "dword", "qword"]), RESULTS, 8)}`,
        `fstp ${this.#at("tword", RESULTS, 8)}`,
        `fstp ${this.#sti()}`,
        two ? `${p}p st1, st0` : "fstp st0",
        two ? `${p}p ${this.#sti()}, st0` : "fstp st0",
        two ? r.pick(["fcomp", "fucomp", "fcomip st0,", "fucomip st0,"]) + ` ${this.#sti()}` : "fstp st0",
        `fcomp ${this.#at(r.pick(["dword", "qword"]))}`,
      ]),
    );
  }

  #keep(): void {
    const r = this.#r, a = r.pick(r.below(6) === 0 ? ARITH : ARITH.slice(0, 4));
    this.lines.push(r.pick([
      `fst ${this.#at(r.pick(["dword", "qword"]), RESULTS, 8)}`,
      `fist ${this.#at(r.pick(["word", "dword"]), RESULTS, 8)}`,
      `${r.pick(["fst", "fxch", "fxch"])} ${this.#sti()}`,
      r.pick(["fchs", "fabs", "fwait", "fnclex", "fdecstp\nfincstp", "ftst", "fxam\nfnstsw ax", "frndint"]),
      `${a} st0, ${this.#sti()}`,
      `${a} ${this.#sti()}, st0`,
      `${a} ${a[1] === "d" ? this.#divisor() : this.#at(r.pick(["dword", "qword"]))}`,
      `${r.pick(["fdiv", "fdivr"])} ${this.#divisor()}`,
      `fi${r.pick(["add", "mul", "sub", "subr"])} ${this.#at(r.pick(["word", "dword"]), INTEGERS, 0x20)}`,
      this.#wild ? "fsqrt" : "fabs\nfsqrt",
      `${r.pick(["fcom", "fucom", "fcomi st0,", "fucomi st0,"])} ${this.#sti()}\nfnstsw ax`,
      `fnstsw ${this.#at("word", RESULTS, 8)}`,
      `${r.pick(["fucomi st0, st1", "fcomi st0, st1", "cmp edx, eax"])}\nfcmov${
        r.pick(["b", "e", "be", "u", "nb", "ne", "nbe", "nu"])
      } st0, ${this.#sti()}`,
    ]));
  }

  #plain(): void {
    const r = this.#r, wild = r.below(60) === 0;
    if (r.below(2) === 0 && !wild && this.#height > 0) this.#keep();
    else if (wild ? r.below(2) === 0 : this.#height < 2 || this.#height < 7 && r.below(2) === 0) this.#push();
    else this.#pop();
  }

  /** A block behind which the stack is mostly as high as before. */
  block(depth: number, functions: readonly string[]): void {
    const before = this.#height;
    this.body(depth, functions);
    if (this.#r.below(12) === 0) {
      this.#height = before;
      return;
    }
    while (this.#height < before) this.#push();
    while (this.#height > before) this.#pop();
  }

  #odd(): string {
    const r = this.#r;
    return r.pick([
      `fldcw [${CONTROL + 2 * r.below(8)}]\nfist dword [${RESULTS}]\nfldcw [${CONTROL}]`,
      `fldcw [${CONTROL + 2 * r.below(8)}]\nfist word [${RESULTS}]\nfldcw [${CONTROL}]\nfadd st0, st0`,
      `fldcw [${CONTROL + 2 * r.below(8)}]\nfadd st0, st1\nfmul ${this.#at("qword")}\nfldcw [${CONTROL}]`,
      r.below(4) === 0 ? `fldcw [${CONTROL + 2 * r.below(8)}]` : "nop",
      `fnstcw [${RESULTS + 0x40}]`,
      `fldcw [${CONTROL + 4}]\nfnstenv [${RESULTS + 0x40}]\nfldcw [${CONTROL}]`,
      "fsin",
      "fld1\nfpatan",
      "fcmovb st0, st1",
      `fld st0\nfbstp tword [${RESULTS + 0x60}]`,
      "call odd",
      ...(this.#wild ? ["paddd mm1, mm2\nemms", "fninit", `ffree ${this.#sti()}`, "fincstp"] : []),
    ]);
  }

  body(depth: number, functions: readonly string[]): void {
    const r = this.#r;
    for (let n = 2 + r.below(5); n > 0; n--) {
      const kind = r.below(depth > 0 ? 14 : 11), label = `l${this.#label++}`;
      if (kind < 9) { for (let m = r.below(4); m >= 0; m--) this.#plain(); }
      else if (kind === 9) this.lines.push(r.below(3) > 0 ? this.#odd() : "add edx, eax");
      else if (kind === 10 && functions.length > 0) this.lines.push(`call ${r.pick(functions)}`);
      else if (kind === 11) {
        this.lines.push("push ecx", `mov ecx, ${2 + r.below(6)}`, `${label}:`);
        this.block(depth - 1, functions);
        this.lines.push("dec ecx", `jnz ${label}`, "pop ecx");
      } else if (kind > 11) {
        this.lines.push(r.pick(["fcom st1\nfnstsw ax\nsahf", "fcomi st0, st1", "fcom st1\nfnstsw ax\ntest ah, 0x41"]));
        this.lines.push(`${r.pick(CONDITIONS)} ${label}`);
        this.block(depth - 1, functions);
        if (r.below(2) === 0) {
          this.lines.push(`jmp ${label}e`, `${label}:`);
          this.block(depth - 1, functions);
          this.lines.push(`${label}e:`);
        } else this.lines.push(`${label}:`);
      }
    }
  }
}

function program(r: Prng, seed: number): string {
  const w = new Writer(r, seed % 3 === 0, 3), names = ["f0", "f1", "f2"];
  w.lines.push("again:");
  w.block(2, names);
  w.lines.push("inc esi", "jmp again");
  names.forEach((name, n) => {
    w.lines.push(`${name}:`);
    if (r.below(4) === 0) w.body(2, names.slice(n + 1));
    else w.block(2, names.slice(n + 1));
    w.lines.push("ret");
  });
  // Returns by a jump: the return addresses of all callers around it stay on the stack.
  w.lines.push("odd: fadd st0, st0", "pop eax", "jmp eax");
  return w.lines.join("\n");
}

/** Numbers by area; wild ones are of every kind. */
function numbers(r: Prng, wild: boolean): Uint8Array {
  const view = new DataView(new ArrayBuffer(0xa00));
  const value = (): number =>
    r.pick([1, 2, 0.5, -1, 3]) * r.pick([1, 1, (r.below(2001) - 1000.5) / 997, 1 + r.below(9)]);
  for (let at = 0; at < 0xa00; at += 16) {
    const area = NUMBERS + at;
    if (area < SINGLES) view.setFloat64(at, r.below(12) === 0 ? r.pick([0, -0]) : value(), true);
    else if (area < EXTENDED) view.setFloat32(at, value(), true);
    else if (area < INTEGERS) {
      for (let n = 0; n < 8; n++) view.setUint8(at + n, r.u32() | 0x80);
      view.setUint16(at + 8, 0x3ff0 + r.below(30) | r.below(2) << 15, true);
    } else if (area < CONTROL) {
      for (let n = 0; n < 8; n++) view.setUint8(at + n, r.u32() | 0x80);
      view.setInt32(at, r.below(3) === 0 ? r.u32() : r.below(3) - 1, true);
    } else if (area >= DIVISORS) view.setFloat64(at, value(), true);
    if (!wild || area >= CONTROL) continue;
    if (r.below(9) === 0) { for (let n = 0; n < 16; n++) view.setUint8(at + n, r.u32() & 0xff); }
    if (r.below(9) === 0) view.setFloat64(at, r.pick([Infinity, NaN, 1e-310, 1e308, -Infinity, 0]), true);
  }
  return new Uint8Array(view.buffer);
}

function prepare(rig: Rig, seed: number, bytes: Uint8Array): void {
  const r = new Prng(seed * 7 + 1), { cpu, space } = rig, s = cpu.state;
  cpu.reset();
  space.writePhysical(0, new Uint8Array(0x10000));
  space.writePhysical(NUMBERS, numbers(r, seed % 3 === 0));
  const words = [0x37f, 0x37f, 0xf7f, 0xb7f, 0x77f, 0x27f, 0x7f, r.below(20) === 0 ? 0x340 + r.below(64) : 0x37f];
  space.writePhysical(CONTROL, new Uint8Array(Uint16Array.from(words).buffer));
  space.writePhysical(CODE, bytes);
  setMode(cpu, MODES[0]);
  for (let n = 0; n < 8; n++) s.setReg32(n, r.u32() | 0);
  s.setReg32(3, 0);
  s.setReg32(4, 0xf000);
  s.set(Layout.fcw, r.below(8) === 0 ? 0x27f : 0x37f);
  s.set(Layout.fsw, 0);
  s.set(Layout.ftop, r.below(8));
  // Three registers are full.
  const tags = 0xf8f8 << s.get(Layout.ftop) >> 8 & 0xff;
  s.set(Layout.fempty, seed % 3 === 0 && r.below(4) === 0 ? r.below(256) : tags);
  for (let n = 0; n < 8; n++) {
    s.set(Layout.fpr + 16 * n, r.u32() | 0);
    s.set(Layout.fpr + 16 * n + 4, (r.u32() | 0x80000000) | 0);
    s.set(Layout.fpr + 16 * n + 8, (r.below(2) << 15) | (16370 + r.below(30)));
  }
  cpu.set("eip", CODE);
}

function outcome(rig: Rig, limit: number): unknown {
  const exit = rig.cpu.run(limit), s = rig.cpu.state;
  return { ...(rig.outcome(exit) as object), x87: [...s.i32.subarray(Layout.fpr >>> 2, Layout.mxcsr >>> 2)] };
}

const VARIANTS: readonly (readonly [string, JitOptions])[] = [
  ["all on", {}],
  ["x87 off", { x87: false }],
  ["no loops", { loops: false }],
  ["calls and links off", { calls: false, links: false }],
  ["small regions", { regionInstructions: 9 }],
  ["registers in memory, flags not fused", { registersInLocals: false, fuse: false, deadFlags: false }],
];

for (const [name, options] of VARIANTS) {
  Deno.test(`jit() agrees with the interpreter on x87 functions: ${name}`, () => {
    const a = new Rig(interpreter), b = new Rig(jit({ threshold: 2, ...options }));
    for (let seed = 1; seed <= (name === "all on" ? SEEDS * 3 : SEEDS); seed++) {
      const source = program(new Prng(seed), seed);
      const { bytes } = assemble(source, { origin: CODE });
      for (const rig of [a, b]) prepare(rig, seed, bytes);
      const r = new Prng(seed);
      for (let slice = 0; slice < 14; slice++) {
        const limit = 1 + r.below(r.pick([4, 40, 400, 3000]));
        const [x, y] = [a, b].map((rig) => outcome(rig, limit));
        assertEquals(y, x, `${name}: seed ${seed}, slice ${slice} of ${limit} instructions`);
      }
    }
  });
}

Deno.test("jit() does not mistake an address in EAX for the one before FNSTSW AX", () => {
  const { bytes } = assemble(
    `
    again: mov eax, ${NUMBERS}
           mov edx, [eax]
           add ebx, [eax+4]
           fcom st1
           fnstsw ax
           add ebx, [eax]
           add edx, [eax+4]
           add esi, edx
           fxch st1
           jmp again`,
    { origin: CODE },
  );
  const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 }))];
  for (const rig of rigs) {
    prepare(rig, 1, bytes);
    rig.space.writePhysical(0x8000, new Prng(3).bytes(0x6000));
    rig.space.writePhysical(0x100, new Prng(4).bytes(0x3e00));
  }
  for (let slice = 0; slice < 20; slice++) {
    const [x, y] = rigs.map((rig) => outcome(rig, 97));
    assertEquals(y, x, `slice ${slice}`);
  }
});
