/**
 * Fractions of 128 bits: products and reciprocals stay within the errors that the transcendental kernels count on. The
 * kernels' results cannot show that: a larger error would decide one rounding in many billions.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { Code } from "../../../../../lib/cpu/i386/kernels/code.ts";
import { digitsOf, halfReciprocal, Multiplier, type Wide } from "../../../../../lib/cpu/i386/kernels/wide.ts";
import { FunctionBody } from "../../../../../lib/wasm/body.ts";
import { ModuleBuilder } from "../../../../../lib/wasm/module.ts";
import { assert } from "../../../../../scripts/deps/std.ts";

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const words = new BigUint64Array(memory.buffer);

/** A function of the fractions at 0 and 16 whose result goes to 32. */
function build(body: (k: Code, a: Wide, b: Wide) => Wide): () => void {
  const m = new ModuleBuilder(), f = new FunctionBody(0);
  m.importMemory("env", "memory", 1);
  const nothing = (): void => f.i32(0);
  const slow = f.block();
  const k = new Code(f, 0, { reg: nothing, src: nothing, imm: nothing, slow });
  const load = (at: number): Wide => ({
    lo: k.let("i64", k.load("i64.load", k.c(0), at)),
    hi: k.let("i64", k.load("i64.load", k.c(0), at + 8)),
  });
  const result = body(k, load(0), load(16));
  k.store("i64.store", k.c(0), result.lo, 32);
  k.store("i64.store", k.c(0), result.hi, 40);
  f.end();
  m.addFunction({ params: [], results: [] }, f, "run");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.bytes()), { env: { memory } });
  return exports.run as () => void;
}

function fraction(r: Prng): bigint {
  let value = 0n;
  for (let n = 0; n < 4; n++) value = (value << 32n) | BigInt(r.pick([r.u32(), r.u32(), 0xffffffff, 0]));
  return value >> BigInt(r.below(4) === 0 ? r.below(100) : 0);
}

function put(at: number, value: bigint): void {
  words[at] = value & 0xffffffffffffffffn;
  words[at + 1] = value >> 64n;
}

const result = (): bigint => (words[5] << 64n) | words[4];

Deno.test("Multiplier.scale() misses the exact product by less than four units", () => {
  const run = build((k, a, b) => {
    new Multiplier(k).scale(a, digitsOf(k, b));
    return a;
  });
  const r = new Prng(1);
  for (let n = 0; n < 5000; n++) {
    const a = fraction(r), b = fraction(r);
    put(0, a);
    put(2, b);
    run();
    const error = ((a * b) >> 128n) - result();
    assert(error >= 0n && error < 4n, `${a.toString(16)} * ${b.toString(16)} misses by ${error}`);
  }
});

Deno.test("halfReciprocal() misses 1 / 2d by less than 32 units", () => {
  const run = build((k, a) => halfReciprocal(k, new Multiplier(k), a));
  const r = new Prng(2);
  for (let n = 0; n < 5000; n++) {
    const d = (fraction(r) >> 1n) | (1n << 127n) | (1n << BigInt(64 + r.below(62)));
    put(0, d);
    run();
    const exact = (1n << 255n) / d, error = exact - result();
    assert(error > -32n && error < 32n, `1 / 2 ${d.toString(16)} misses by ${error}`);
  }
});
