/**
 * Values that tend to find errors: integers at the ends of their ranges, floating-point numbers of every class.
 */
import type { Prng } from "../../lib/base/prng.ts";
import { WINDOW_AT, WINDOW_BYTES } from "./case.ts";

const EDGES: readonly number[] = [
  0,
  1,
  2,
  0x7f,
  0x80,
  0xff,
  0x100,
  0x7fff,
  0x8000,
  0xffff,
  0x10000,
  0x7fffffff,
  0x80000000,
  0x80000001,
  0xfffffffe,
  0xffffffff,
];

const SINGLES: readonly number[] = [
  0x00000000,
  0x80000000,
  0x3f800000,
  0xbf800000,
  0x40000000,
  0x3f000000,
  0x3fc00000,
  0x40490fdb,
  0x7f800000,
  0xff800000,
  0x7fc00000,
  0xffc00000,
  0x7fc12345,
  0x7f800001,
  0xff812345,
  0x00000001,
  0x807fffff,
  0x00400000,
  0x00800000,
  0x80800000,
  0x00800001,
  0x7f7fffff,
  0xff7fffff,
  0x4f000000,
  0xcf000000,
  0xcf000001,
  0x4effffff,
  0x3f7fffff,
  0x3f800001,
  0x33800000,
];

const DOUBLES: readonly bigint[] = [
  0x0000000000000000n,
  0x8000000000000000n,
  0x3ff0000000000000n,
  0xbff0000000000000n,
  0x4000000000000000n,
  0x3fe0000000000000n,
  0x3ff8000000000000n,
  0x7ff0000000000000n,
  0xfff0000000000000n,
  0x7ff8000000000000n,
  0xfff8000000012345n,
  0x7ff0000000000001n,
  0xfff4000000000000n,
  0x0000000000000001n,
  0x800fffffffffffffn,
  0x0010000000000000n,
  0x8010000000000000n,
  0x0010000000000001n,
  0x7fefffffffffffffn,
  0xffefffffffffffffn,
  0x41e0000000000000n,
  0xc1e0000000000000n,
  0xc1e00000001fffffn,
  0xc1e0000000200000n,
  0x41dfffffffe00000n,
  0x41dfffffffc00000n,
  0x3fefffffffffffffn,
  0x3ff0000000000001n,
  0x3ca0000000000000n,
  0x36a0000000000000n,
  0x369fffffffffffffn,
  0x380fffffffffffffn,
  0x3810000000000000n,
  0x47efffffe0000000n,
  0x47effffff0000000n,
];

/** A u32: an edge, small, a pointer into the window, or anything. */
export function integer(r: Prng): number {
  switch (r.below(8)) {
    case 0:
    case 1:
      return r.pick(EDGES);
    case 2:
      return r.below(40);
    case 3:
      return (-r.below(40)) >>> 0;
    case 4:
      return WINDOW_AT + r.below(WINDOW_BYTES - 16);
    default:
      return r.u32();
  }
}

/** Bits of a single. */
export function single(r: Prng): number {
  switch (r.below(8)) {
    case 0:
    case 1:
      return r.pick(SINGLES);
    case 2:
      return r.u32();
    case 3: // near the ends of the exponent range
      return ((r.u32() & 0x807fffff) | (r.pick([0, 1, 2, 24, 63, 64, 65, 190, 191, 253, 254]) << 23)) >>> 0;
    case 4: { // small integers and halves
      const view = new DataView(new ArrayBuffer(4));
      view.setFloat32(0, (r.below(4000) - 2000) / 2);
      return view.getUint32(0);
    }
    case 5: // few mantissa bits: exact results
      return ((r.u32() & 0x80780000) | ((120 + r.below(16)) << 23)) >>> 0;
    default:
      return ((r.u32() & 0x807fffff) | ((110 + r.below(50)) << 23)) >>> 0;
  }
}

/** Bits of a double. */
export function double(r: Prng): bigint {
  const any = (BigInt(r.u32()) << 32n) | BigInt(r.u32());
  switch (r.below(8)) {
    case 0:
    case 1:
      return r.pick(DOUBLES);
    case 2:
      return any;
    case 3:
      return (any & 0x800fffffffffffffn) |
        (BigInt(r.pick([0, 1, 2, 53, 511, 512, 1534, 1535, 2045, 2046, 870, 896, 897, 1150, 1151])) << 52n);
    case 4: {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, (r.below(1 << 20) - (1 << 19)) / 2);
      return view.getBigUint64(0);
    }
    case 5:
      return (any & 0x800f000000000000n) | (BigInt(1016 + r.below(16)) << 52n);
    default:
      return (any & 0x800fffffffffffffn) | (BigInt(1000 + r.below(60)) << 52n);
  }
}

/** Fills 16 bytes with lanes of one kind. */
export function lanes(r: Prng, view: DataView, at: number): void {
  const kind = r.below(6);
  for (let i = 0; i < 16; i += 4) {
    if (kind < 2) view.setUint32(at + i, single(r), true);
    else if (kind < 4) {
      if ((i & 4) === 0) view.setBigUint64(at + i, double(r), true);
    } else if (kind === 4) view.setUint32(at + i, r.u32(), true);
    else for (let k = 0; k < 4; k++) view.setUint8(at + i + k, r.pick([0, 1, 0x7f, 0x80, 0xff, r.below(256)]));
  }
}

/** Fills 10 bytes with an x87 register: all classes, now and then an unsupported encoding. */
export function extended(r: Prng, view: DataView, at: number): void {
  const kind = r.below(12), sign = r.below(2) << 15;
  let high = r.u32() | 0x80000000, low = r.u32(), exponent = 16383 - 40 + r.below(80);
  if (kind === 0) high = low = exponent = 0;
  else if (kind === 1) [high, low, exponent] = [0x80000000, 0, 0x7fff];
  else if (kind === 2) [high, exponent] = [high | 0x40000000, 0x7fff];
  else if (kind === 3) [high, low, exponent] = [high & 0xbfffffff, low | 1, 0x7fff];
  else if (kind === 4) [high, exponent] = [high & 0x7fffffff, 0];
  else if (kind === 5) [high, low] = [r.u32() & 0x7f000000 | 0x80000000, 0];
  else if (kind === 6) exponent = r.pick([1, 2, 15, 16383, 16384, 32765, 32766]);
  else if (kind === 7) exponent = r.below(0x7fff);
  else if (kind === 8 && r.below(4) === 0) [high, exponent] = [high & 0x7fffffff, r.below(0x8000)];
  view.setUint32(at, low >>> 0, true);
  view.setUint32(at + 4, high >>> 0, true);
  view.setUint16(at + 8, exponent | sign, true);
}
