/**
 * ChaCha20 and Poly1305 (RFC 8439) as WebAssembly, made when they are first needed. ChaCha20 works on four blocks at once:
 * lane n of vector i is word i of block n; the key stream is turned into rows of bytes at the end. Poly1305 counts in five
 * limbs of 26 bits in 64-bit integers: sums of five products stay below 2^63.
 *
 * One instance serves all: whoever uses it has ended before anybody else begins. Cold code that makes hot code.
 */
import { FunctionBody } from "../../wasm/body.ts";
import { ModuleBuilder } from "../../wasm/module.ts";

/** Where things lie in the kernel's memory, bytes. */
export const SealLayout = {
  /** The 16 words of ChaCha20's state; the counter goes on. */
  state: 0,
  /** Five limbs of Poly1305's sum, 64 bits each. */
  sum: 64,
  /** Five limbs of r. */
  r: 104,
  /** Room for small blocks that are authenticated. */
  small: 192,
  /** Bytes that are combined with the key stream. */
  data: 1024,
  /** How many may be there: a multiple of 256. */
  room: 65536,
} as const;

/** Bytes of four blocks. */
export const GROUP = 256;

/** The functions. */
export interface SealKernel {
  /** The kernel's memory. */
  readonly memory: WebAssembly.Memory;
  /** Combines `groups` of 256 bytes from `at` on with the key stream. */
  combine(at: number, groups: number): void;
  /** Adds `blocks` of 16 bytes from `at` on to the sum. @param high 2^24 for whole blocks: bit 128 of each. */
  authenticate(at: number, blocks: number, high: number): void;
}

const LIMB_MASK = 0x3ffffffn;

/** Rotates the lanes of a vector on the stack to the left; by whole bytes it is a shuffle. */
function rotate(f: FunctionBody, local: number, bits: number): void {
  if (bits % 8 === 0) {
    const bytes = bits / 8;
    f.get(local);
    f.get(local);
    f.shuffle(Array.from({ length: 16 }, (_, i) => (i & 12) | ((i - bytes) & 3)));
  } else {
    f.get(local);
    f.i32(bits);
    f.simd("i32x4.shl");
    f.get(local);
    f.i32(32 - bits);
    f.simd("i32x4.shr_u");
    f.simd("v128.or");
  }
  f.set(local);
}

/** A quarter round: two steps of the same kind with two rotations each. */
function quarter(f: FunctionBody, a: number, b: number, c: number, d: number): void {
  const step = (sum: number, add: number, mixed: number, bits: number): void => {
    f.get(sum);
    f.get(add);
    f.simd("i32x4.add");
    f.tee(sum);
    f.get(mixed);
    f.simd("v128.xor");
    f.set(mixed);
    rotate(f, mixed, bits);
  };
  step(a, b, d, 16);
  step(c, d, b, 12);
  step(a, b, d, 8);
  step(c, d, b, 7);
}

/** Words 4q to 4q+3 of the four blocks become rows and are combined with the bytes at local 0. */
function combineRows(f: FunctionBody, x: readonly number[], q: number): void {
  const words = (low: readonly number[]): number[] => low.flatMap((w) => [4 * w, 4 * w + 1, 4 * w + 2, 4 * w + 3]);
  const pairs = [0, 1, 2, 3].map(() => f.temp("v128"));
  for (
    const [to, a, b, lanes] of [[0, 0, 1, [0, 4, 1, 5]], [1, 2, 3, [0, 4, 1, 5]], [2, 0, 1, [2, 6, 3, 7]], [3, 2, 3, [
      ...[2, 6, 3, 7],
    ]]] as const
  ) {
    f.get(x[4 * q + a]);
    f.get(x[4 * q + b]);
    f.shuffle(words(lanes));
    f.set(pairs[to]);
  }
  for (let block = 0; block < 4; block++) {
    const half = block < 2 ? 0 : 2;
    const offset = 64 * block + 16 * q;
    f.get(0);
    f.get(pairs[half]);
    f.get(pairs[half + 1]);
    f.shuffle(words(block % 2 === 0 ? [0, 1, 4, 5] : [2, 3, 6, 7]));
    f.get(0);
    f.simdMem("v128.load", offset);
    f.simd("v128.xor");
    f.simdMem("v128.store", offset);
  }
  for (const p of pairs) f.release("v128", p);
}

function chacha(): FunctionBody {
  const f = new FunctionBody(2);
  const rounds = f.local("i32");
  const s = Array.from({ length: 16 }, () => f.local("v128"));
  const x = Array.from({ length: 16 }, () => f.local("v128"));
  for (const [i, local] of s.entries()) {
    f.i32(SealLayout.state + 4 * i);
    f.simdMem("v128.load32_splat", 0);
    f.set(local);
  }
  const count = (lanes: readonly number[]): void => {
    f.get(s[12]);
    f.v128(new Uint8Array(Int32Array.from(lanes).buffer));
    f.simd("i32x4.add");
    f.set(s[12]);
  };
  count([0, 1, 2, 3]);
  const groups = f.loop();
  for (let i = 0; i < 16; i++) {
    f.get(s[i]);
    f.set(x[i]);
  }
  f.i32(10);
  f.set(rounds);
  const again = f.loop();
  for (let i = 0; i < 4; i++) quarter(f, x[i], x[4 + i], x[8 + i], x[12 + i]);
  for (let i = 0; i < 4; i++) quarter(f, x[i], x[4 + ((i + 1) & 3)], x[8 + ((i + 2) & 3)], x[12 + ((i + 3) & 3)]);
  f.get(rounds);
  f.i32(1);
  f.num("i32.sub");
  f.tee(rounds);
  f.brIf(again);
  f.end();
  for (let i = 0; i < 16; i++) {
    f.get(x[i]);
    f.get(s[i]);
    f.simd("i32x4.add");
    f.set(x[i]);
  }
  for (let q = 0; q < 4; q++) combineRows(f, x, q);
  count([4, 4, 4, 4]);
  f.get(0);
  f.i32(GROUP);
  f.num("i32.add");
  f.set(0);
  f.get(1);
  f.i32(1);
  f.num("i32.sub");
  f.tee(1);
  f.brIf(groups);
  f.end();
  f.i32(SealLayout.state + 48);
  f.get(s[12]);
  f.simdLane("i32x4.extract_lane", 0);
  f.mem("i32.store", 0);
  return f;
}

/** The five limbs of 16 bytes are added to h; the highest has the bit above in local 2. */
function addBlock(f: FunctionBody, h: readonly number[]): void {
  for (const [i, limb] of h.entries()) {
    f.get(limb);
    f.get(0);
    f.mem("i64.load32_u", i < 4 ? 3 * i : 12);
    f.i64(BigInt(2 * i));
    f.num("i64.shr_u");
    if (i < 4) {
      f.i64(LIMB_MASK);
      f.num("i64.and");
    } else {
      f.get(2);
      f.num("i64.extend_i32_u");
      f.num("i64.or");
    }
    f.num("i64.add");
    f.set(limb);
  }
}

function poly(): FunctionBody {
  const f = new FunctionBody(3);
  const five = (): number[] => Array.from({ length: 5 }, () => f.local("i64"));
  const [h, r, over, d] = [five(), five(), five(), five()];
  for (let i = 0; i < 5; i++) {
    f.i32(0);
    f.mem("i64.load", SealLayout.sum + 8 * i);
    f.set(h[i]);
    f.i32(0);
    f.mem("i64.load", SealLayout.r + 8 * i);
    f.tee(r[i]);
    f.i64(5n);
    f.num("i64.mul");
    f.set(over[i]);
  }
  const blocks = f.loop();
  addBlock(f, h);
  // What a product has above 2^130 comes in again five times.
  for (let k = 0; k < 5; k++) {
    for (let i = 0; i < 5; i++) {
      f.get(h[i]);
      f.get(i <= k ? r[k - i] : over[5 + k - i]);
      f.num("i64.mul");
      if (i > 0) f.num("i64.add");
    }
    f.set(d[k]);
  }
  const carry = (from: number, to: number, times: bigint): void => {
    f.get(to);
    f.get(from);
    f.i64(26n);
    f.num("i64.shr_u");
    f.i64(times);
    f.num("i64.mul");
    f.num("i64.add");
    f.set(to);
    f.get(from);
    f.i64(LIMB_MASK);
    f.num("i64.and");
    f.set(from);
  };
  for (let k = 0; k < 4; k++) carry(d[k], d[k + 1], 1n);
  carry(d[4], d[0], 5n);
  carry(d[0], d[1], 1n);
  for (let k = 0; k < 5; k++) {
    f.get(d[k]);
    f.set(h[k]);
  }
  f.get(0);
  f.i32(16);
  f.num("i32.add");
  f.set(0);
  f.get(1);
  f.i32(1);
  f.num("i32.sub");
  f.tee(1);
  f.brIf(blocks);
  f.end();
  for (let i = 0; i < 5; i++) {
    f.i32(0);
    f.get(h[i]);
    f.mem("i64.store", SealLayout.sum + 8 * i);
  }
  return f;
}

let kernel: SealKernel | undefined;

/** The kernel, made at the first call. */
export function sealKernel(): SealKernel {
  if (kernel !== undefined) return kernel;
  const builder = new ModuleBuilder();
  builder.importMemory("env", "memory", 2);
  builder.addFunction({ params: ["i32", "i32"], results: [] }, chacha(), "combine");
  builder.addFunction({ params: ["i32", "i32", "i32"], results: [] }, poly(), "authenticate");
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2 });
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(builder.bytes()), { env: { memory } });
  return kernel = {
    memory,
    combine: exports["combine"] as SealKernel["combine"],
    authenticate: exports["authenticate"] as SealKernel["authenticate"],
  };
}
