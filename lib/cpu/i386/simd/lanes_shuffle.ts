/**
 * Packs, unpacks and shuffles of MMX, SSE and SSE2.
 *
 * Kernels as in {@linkcode LaneKernel}; since destination and source may be the same register, all words are read
 * before the first is written. Unpacking works on the n/2 low (or high) words of each operand, at `h`.
 * Sources: SDM-2B PACKSSWB PACKUSWB PUNPCKLBW PUNPCKHBW PSHUFD PSHUFW SHUFPS. Hot.
 */

/** PACKSSWB: signed words to signed bytes. */
export function packsswb(w: Int32Array, d: number, s: number, n: number): void {
  packWords(w, d, s, n, -128, 127);
}

/** PACKUSWB: signed words to unsigned bytes. */
export function packuswb(w: Int32Array, d: number, s: number, n: number): void {
  packWords(w, d, s, n, 0, 255);
}

function packWords(w: Int32Array, d: number, s: number, n: number, low: number, high: number): void {
  const half = n >>> 1;
  // The source's part is made first: packing the destination in place would destroy it when both are one register.
  let s0 = 0, s1 = 0;
  if (n === 2) s0 = pack4(w[s], w[s + 1], low, high);
  else {
    s0 = pack4(w[s], w[s + 1], low, high);
    s1 = pack4(w[s + 2], w[s + 3], low, high);
  }
  for (let i = 0; i < half; i++) w[d + i] = pack4(w[d + 2 * i], w[d + 2 * i + 1], low, high);
  w[d + half] = s0;
  if (n === 4) w[d + 3] = s1;
}

function pack4(a: number, b: number, low: number, high: number): number {
  return clampByte(a << 16 >> 16, low, high) | (clampByte(a >> 16, low, high) << 8) |
    (clampByte(b << 16 >> 16, low, high) << 16) | (clampByte(b >> 16, low, high) << 24);
}

function clampByte(v: number, low: number, high: number): number {
  return (v < low ? low : v > high ? high : v) & 0xff;
}

/** PACKSSDW: signed dwords to signed words. */
export function packssdw(w: Int32Array, d: number, s: number, n: number): void {
  const s0 = pack2(w[s], w[s + 1]), s1 = n === 4 ? pack2(w[s + 2], w[s + 3]) : 0;
  w[d] = pack2(w[d], w[d + 1]);
  if (n === 4) {
    w[d + 1] = pack2(w[d + 2], w[d + 3]);
    w[d + 2] = s0;
    w[d + 3] = s1;
  } else {
    w[d + 1] = s0;
  }
}

function pack2(a: number, b: number): number {
  return (clampWord(a) & 0xffff) | (clampWord(b) << 16);
}

function clampWord(v: number): number {
  return v < -32768 ? -32768 : v > 32767 ? 32767 : v;
}

/** PUNPCKLBW. */
export function punpcklbw(w: Int32Array, d: number, s: number, n: number): void {
  unpackBytes(w, d, s, n, 0);
}

/** PUNPCKHBW. */
export function punpckhbw(w: Int32Array, d: number, s: number, n: number): void {
  unpackBytes(w, d, s, n, n >>> 1);
}

function unpackBytes(w: Int32Array, d: number, s: number, n: number, h: number): void {
  const a0 = w[d + h], b0 = w[s + h];
  if (n === 4) {
    const a1 = w[d + h + 1], b1 = w[s + h + 1];
    w[d + 2] = spread(a1) | (spread(b1) << 8);
    w[d + 3] = spread(a1 >>> 16) | (spread(b1 >>> 16) << 8);
  }
  w[d] = spread(a0) | (spread(b0) << 8);
  w[d + 1] = spread(a0 >>> 16) | (spread(b0 >>> 16) << 8);
}

/** Two low bytes to the low halves of two words. */
function spread(a: number): number {
  return (a & 0xff) | ((a & 0xff00) << 8);
}

/** PUNPCKLWD. */
export function punpcklwd(w: Int32Array, d: number, s: number, n: number): void {
  unpackWords(w, d, s, n, 0);
}

/** PUNPCKHWD. */
export function punpckhwd(w: Int32Array, d: number, s: number, n: number): void {
  unpackWords(w, d, s, n, n >>> 1);
}

function unpackWords(w: Int32Array, d: number, s: number, n: number, h: number): void {
  const a0 = w[d + h], b0 = w[s + h];
  if (n === 4) {
    const a1 = w[d + h + 1], b1 = w[s + h + 1];
    w[d + 2] = (a1 & 0xffff) | (b1 << 16);
    w[d + 3] = (a1 >>> 16) | (b1 & 0xffff0000);
  }
  w[d] = (a0 & 0xffff) | (b0 << 16);
  w[d + 1] = (a0 >>> 16) | (b0 & 0xffff0000);
}

/** PUNPCKLDQ, UNPCKLPS. */
export function punpckldq(w: Int32Array, d: number, s: number, n: number): void {
  unpackDwords(w, d, s, n, 0);
}

/** PUNPCKHDQ, UNPCKHPS. */
export function punpckhdq(w: Int32Array, d: number, s: number, n: number): void {
  unpackDwords(w, d, s, n, n >>> 1);
}

function unpackDwords(w: Int32Array, d: number, s: number, n: number, h: number): void {
  const a0 = w[d + h], b0 = w[s + h];
  if (n === 4) {
    const a1 = w[d + h + 1], b1 = w[s + h + 1];
    w[d + 2] = a1;
    w[d + 3] = b1;
  }
  w[d] = a0;
  w[d + 1] = b0;
}

/** PUNPCKLQDQ, UNPCKLPD, MOVLHPS: low quadword of the source to the high one of the destination. */
export function punpcklqdq(w: Int32Array, d: number, s: number, _n: number): void {
  w[d + 2] = w[s];
  w[d + 3] = w[s + 1];
}

/** PUNPCKHQDQ, UNPCKHPD: high quadwords of destination and source. */
export function punpckhqdq(w: Int32Array, d: number, s: number, _n: number): void {
  w[d] = w[d + 2];
  w[d + 1] = w[d + 3];
  w[d + 2] = w[s + 2];
  w[d + 3] = w[s + 3];
}

/** Shuffles by an immediate: array, index of destination, index of source, immediate. */
export type ShuffleKernel = (w: Int32Array, d: number, s: number, imm: number) => void;

/** PSHUFD. */
export function pshufd(w: Int32Array, d: number, s: number, imm: number): void {
  const a = w[s + (imm & 3)], b = w[s + (imm >> 2 & 3)], c = w[s + (imm >> 4 & 3)], e = w[s + (imm >> 6 & 3)];
  w[d] = a;
  w[d + 1] = b;
  w[d + 2] = c;
  w[d + 3] = e;
}

/** PSHUFW: four words of an MMX register. */
export function pshufw(w: Int32Array, d: number, s: number, imm: number): void {
  const low = w[s], high = w[s + 1];
  w[d] = wordOf(low, high, imm) | (wordOf(low, high, imm >> 2) << 16);
  w[d + 1] = wordOf(low, high, imm >> 4) | (wordOf(low, high, imm >> 6) << 16);
}

function wordOf(low: number, high: number, n: number): number {
  return (((n & 2) !== 0 ? high : low) >>> ((n & 1) << 4)) & 0xffff;
}

/** PSHUFLW: shuffles the low four words, copies the high quadword. */
export function pshuflw(w: Int32Array, d: number, s: number, imm: number): void {
  pshufw(w, d, s, imm);
  w[d + 2] = w[s + 2];
  w[d + 3] = w[s + 3];
}

/** PSHUFHW: shuffles the high four words, copies the low quadword. */
export function pshufhw(w: Int32Array, d: number, s: number, imm: number): void {
  pshufw(w, d + 2, s + 2, imm);
  w[d] = w[s];
  w[d + 1] = w[s + 1];
}

/** SHUFPS: two dwords of the destination, then two of the source. */
export function shufps(w: Int32Array, d: number, s: number, imm: number): void {
  const a = w[d + (imm & 3)], b = w[d + (imm >> 2 & 3)], c = w[s + (imm >> 4 & 3)], e = w[s + (imm >> 6 & 3)];
  w[d] = a;
  w[d + 1] = b;
  w[d + 2] = c;
  w[d + 3] = e;
}

/** SHUFPD: one quadword of the destination, then one of the source. */
export function shufpd(w: Int32Array, d: number, s: number, imm: number): void {
  const from = (imm & 1) << 1, other = imm & 2;
  const a = w[d + from], b = w[d + from + 1], c = w[s + other], e = w[s + other + 1];
  w[d] = a;
  w[d + 1] = b;
  w[d + 2] = c;
  w[d + 3] = e;
}
