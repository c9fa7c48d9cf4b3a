/**
 * The evaluator's operators against BigInt definitions, and its effects one by one.
 */
import { Prng } from "../../../../lib/base/prng.ts";
import { type Builder, buildTree } from "../../../../lib/cpu/i386/builder.ts";
import { Decoded } from "../../../../lib/cpu/i386/decode.ts";
import { evaluate } from "../../../../lib/cpu/i386/evaluate.ts";
import { arithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { Operation } from "../../../../lib/cpu/i386/operation.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import type { BinaryOp, Expr, UnaryOp } from "../../../../lib/cpu/i386/tree.ts";
import { OPS } from "../../../../lib/spec/i386_ops.ts";
import { Vector } from "../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FakeContext } from "./fake_context.ts";

/** Runs a tree written here on a bare operation. */
function run(c: FakeContext, semantic: (b: Builder) => void, imm = 0): void {
  const d = new Decoded();
  d.imm = imm;
  const shape = { row: OPS[0], isMem: false, opSize: 32, addrSize: 32, rep: 0, stackSize: 32 } as const;
  c.nextEip = c.state.get(Layout.eip) + 5;
  evaluate(c, Operation.copy(c, d, 5), buildTree(shape, semantic));
}

/** Value of a binary operator as the language defines it, or undefined where it would trap. */
function binaryExpected(op: BinaryOp, a: bigint, b: bigint, w: number): bigint | undefined {
  const u = (v: bigint): bigint => BigInt.asUintN(w, v), s = (v: bigint): bigint => BigInt.asIntN(w, v);
  const size = BigInt(w), n = u(b) % size;
  const bool = (v: boolean): bigint => v ? 1n : 0n;
  if (/^(div|rem)/.test(op) && b === 0n) return undefined;
  if (op === "divS" && b === -1n && a === s(1n << (size - 1n))) return undefined;
  const table: Record<BinaryOp, () => bigint> = {
    add: () => a + b,
    sub: () => a - b,
    mul: () => a * b,
    divS: () => a / b,
    divU: () => u(a) / u(b),
    remS: () => a % b,
    remU: () => u(a) % u(b),
    and: () => a & b,
    or: () => a | b,
    xor: () => a ^ b,
    shl: () => a << n,
    shrS: () => a >> n,
    shrU: () => u(a) >> n,
    rotl: () => (u(a) << n) | (u(a) >> (size - n)),
    rotr: () => (u(a) >> n) | (u(a) << (size - n)),
    eq: () => bool(a === b),
    ne: () => bool(a !== b),
    ltS: () => bool(a < b),
    ltU: () => bool(u(a) < u(b)),
    gtS: () => bool(a > b),
    gtU: () => bool(u(a) > u(b)),
    leS: () => bool(a <= b),
    leU: () => bool(u(a) <= u(b)),
    geS: () => bool(a >= b),
    geU: () => bool(u(a) >= u(b)),
  };
  return s(table[op]());
}

const BINARY: readonly BinaryOp[] = (
  "add sub mul divS divU remS remU and or xor shl shrS shrU rotl rotr eq ne ltS ltU gtS gtU leS leU geS geU"
).split(" ") as BinaryOp[];

/** i64 value of two registers. */
function pair(b: Builder, low: number, high: number): Expr {
  return b.or(b.shl(b.unary("extend64U", b.reg(high)), 32), b.unary("extend64U", b.reg(low)));
}

function words(r: Prng): number[] {
  const edges = [0, 1, -1, 2, 31, 32, 33, 63, 0x7fffffff, 0x80000000 | 0];
  return [0, 1, 2, 3].map(() => r.below(2) === 0 ? r.pick(edges) : r.u32() | 0);
}

Deno.test("operators give what WebAssembly gives, in both types", () => {
  const c = new FakeContext(), s = c.state, r = new Prng(21);
  for (const op of BINARY) {
    for (let i = 0; i < 120; i++) {
      const v = words(r);
      v.forEach((x, n) => s.setReg32(n, x));
      const narrow = binaryExpected(op, BigInt(v[0]), BigInt(v[1]), 32);
      if (narrow !== undefined) {
        run(c, (b) => b.setReg(6, 32, b.binary(op, b.reg(0), b.reg(1))));
        assertEquals(BigInt(s.reg32(6)), narrow, `${op} ${v}`);
      }
      const join = (low: number, high: number): bigint => BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low >>> 0));
      const wide = binaryExpected(op, join(v[0], v[1]), join(v[2], v[3]), 64);
      if (wide === undefined) continue;
      run(c, (b) => {
        const e = b.binary(op, pair(b, 0, 1), pair(b, 2, 3));
        if (/^(eq|ne|[lg][te].)$/.test(op)) b.setReg(6, 32, e);
        else {
          const x = b.let(e);
          b.setReg(6, 32, b.unary("wrap", x));
          b.setReg(7, 32, b.unary("wrap", b.shr(x, 32)));
        }
      });
      const got = /^(eq|ne|[lg][te].)$/.test(op) ? BigInt(s.reg32(6)) : join(s.reg32(6), s.reg32(7));
      assertEquals(got, wide, `${op} i64 ${v}`);
    }
  }
});

Deno.test("operators on one value", () => {
  const c = new FakeContext();
  const cases: [UnaryOp, number, number][] = [
    ["eqz", 0, 1],
    ["eqz", -1, 0],
    ["clz", 0, 32],
    ["clz", 1, 31],
    ["ctz", 0, 32],
    ["ctz", 0x80000000 | 0, 31],
    ["ctz", 40, 3],
    ["popcnt", -1, 32],
    ["popcnt", 0xa5, 4],
    ["extend8", 0x1ff, -1],
    ["extend16", 0x18000, -32768],
  ];
  for (const [op, x, want] of cases) {
    c.state.setReg32(0, x);
    run(c, (b) => b.setReg(1, 32, b.unary(op, b.reg(0))));
    assertEquals(c.state.reg32(1), want, `${op} ${x}`);
  }
  c.state.setReg32(0, -2);
  run(c, (b) => b.setReg(1, 32, b.unary("wrap", b.shr(b.unary("extend64S", b.reg(0)), 32))));
  assertEquals(c.state.reg32(1), -1);
  run(c, (b) => b.setReg(1, 32, b.unary("wrap", b.shr(b.unary("extend64U", b.reg(0)), 32))));
  assertEquals(c.state.reg32(1), 0);
});

Deno.test("a jump ends the tree, again stays at the instruction, checkTarget faults beyond CS", () => {
  const c = new FakeContext(), s = c.state;
  s.set(Layout.eip, 0x100);
  run(c, (b) => {
    b.jump(b.const(0x40));
    b.setReg(0, 32, b.const(9));
  });
  assertEquals([c.nextEip, s.reg32(0)], [0x40, 0]);
  run(c, (b) => b.jumpRelative(), -0x10);
  assertEquals(c.nextEip, 0xf5);
  run(c, (b) => b.again());
  assertEquals(c.nextEip, 0x100);
  c.segment(1, 8, 0, 0xfff, true);
  assertEquals(c.faultOf(() => run(c, (b) => b.checkTarget(b.const(0x1000)))), Vector.gp);
  assertEquals(c.faultOf(() => run(c, (b) => b.checkTarget(b.const(0xfff)))), -1);
  assertEquals(c.faultOf(() => run(c, (b) => b.raise(Vector.de))), Vector.de);
  assertEquals(s.get(Layout.faultHasCode), 0);
});

Deno.test("loadForWrite proves the place writable before it reads, storeBack writes it", () => {
  const c = new FakeContext();
  c.mem.write32(0x2000, 41);
  const increment = (b: Builder): void => b.storeBack(32, b.add(b.loadForWrite(32, b.const(0x2000)), b.const(1)));
  run(c, increment);
  assertEquals(c.mem.read32(0x2000), 42);
  c.mem.readOnly.add(2);
  assertEquals(c.faultOf(() => run(c, increment)), Vector.pf);
  assertEquals(c.state.get(Layout.faultCode), 3);
});

Deno.test("flags statements record at each width; INC keeps CF", () => {
  const c = new FakeContext();
  run(c, (b) => b.flagsAdd(8, b.const(0xff), b.const(1)));
  assertEquals(arithmetic(c.state), 0x55);
  run(c, (b) => b.flagsInc(16, b.const(0x8000)));
  assertEquals(arithmetic(c.state), 0x895);
  run(c, (b) => b.flagsSub(32, b.const(0), b.const(0), b.const(1)));
  assertEquals(arithmetic(c.state), 0x95);
  run(c, (b) => b.flagsResult(16, b.const(0x18000), b.const(0), b.const(1)));
  assertEquals(arithmetic(c.state), 0x884);
});
