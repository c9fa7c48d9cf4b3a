/**
 * Integer lane arithmetic of MMX and SSE2: add, subtract, multiply, average, minimum, maximum, sum of differences.
 *
 * A lane kernel works on `n` words (2: MMX, 4: XMM) of one array: `w[d..]` is destination and left operand, `w[s..]`
 * the right one; both may be the same register. Bytes and words that wrap are added inside one 32-bit word with the top
 * bit of each lane kept apart, so that no carry leaves its lane.
 * Sources: SDM-2B PADDB ... PSUBW. Hot.
 */

/** Combines destination and source lanes in place: array of i32, index of destination, index of source, words. */
export type LaneKernel = (w: Int32Array, d: number, s: number, n: number) => void;

/** PADDB. */
export function paddb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = ((a & 0x7f7f7f7f) + (b & 0x7f7f7f7f)) ^ ((a ^ b) & 0x80808080);
  }
}

/** PADDW. */
export function paddw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = ((a & 0x7fff7fff) + (b & 0x7fff7fff)) ^ ((a ^ b) & 0x80008000);
  }
}

/** PADDD. */
export function paddd(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = (w[d + i] + w[s + i]) | 0;
}

/** PADDQ. */
export function paddq(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const a = w[d + i], low = (a + w[s + i]) | 0;
    const high = w[d + i + 1] + w[s + i + 1] + ((low >>> 0) < (a >>> 0) ? 1 : 0);
    w[d + i] = low;
    w[d + i + 1] = high;
  }
}

/** PSUBB. */
export function psubb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = ((a | 0x80808080) - (b & 0x7f7f7f7f)) ^ ((a ^ ~b) & 0x80808080);
  }
}

/** PSUBW. */
export function psubw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = ((a | 0x80008000) - (b & 0x7fff7fff)) ^ ((a ^ ~b) & 0x80008000);
  }
}

/** PSUBD. */
export function psubd(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = (w[d + i] - w[s + i]) | 0;
}

/** PSUBQ. */
export function psubq(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const a = w[d + i], b = w[s + i];
    const high = w[d + i + 1] - w[s + i + 1] - ((a >>> 0) < (b >>> 0) ? 1 : 0);
    w[d + i] = a - b;
    w[d + i + 1] = high;
  }
}

/** PADDSB: signed saturation. */
export function paddsb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampI8((a << 24 >> 24) + (b << 24 >> 24)) | (clampI8((a << 16 >> 24) + (b << 16 >> 24)) << 8) |
      (clampI8((a << 8 >> 24) + (b << 8 >> 24)) << 16) | (clampI8((a >> 24) + (b >> 24)) << 24);
  }
}

/** PADDSW: signed saturation. */
export function paddsw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampI16((a << 16 >> 16) + (b << 16 >> 16)) | (clampI16((a >> 16) + (b >> 16)) << 16);
  }
}

/** PADDUSB: unsigned saturation. */
export function paddusb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampU8((a & 0xff) + (b & 0xff)) | (clampU8((a >>> 8 & 0xff) + (b >>> 8 & 0xff)) << 8) |
      (clampU8((a >>> 16 & 0xff) + (b >>> 16 & 0xff)) << 16) | (clampU8((a >>> 24) + (b >>> 24)) << 24);
  }
}

/** PADDUSW: unsigned saturation. */
export function paddusw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampU16((a & 0xffff) + (b & 0xffff)) | (clampU16((a >>> 16) + (b >>> 16)) << 16);
  }
}

/** PSUBSB: signed saturation. */
export function psubsb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampI8((a << 24 >> 24) - (b << 24 >> 24)) | (clampI8((a << 16 >> 24) - (b << 16 >> 24)) << 8) |
      (clampI8((a << 8 >> 24) - (b << 8 >> 24)) << 16) | (clampI8((a >> 24) - (b >> 24)) << 24);
  }
}

/** PSUBSW: signed saturation. */
export function psubsw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampI16((a << 16 >> 16) - (b << 16 >> 16)) | (clampI16((a >> 16) - (b >> 16)) << 16);
  }
}

/** PSUBUSB: unsigned saturation. */
export function psubusb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampU8((a & 0xff) - (b & 0xff)) | (clampU8((a >>> 8 & 0xff) - (b >>> 8 & 0xff)) << 8) |
      (clampU8((a >>> 16 & 0xff) - (b >>> 16 & 0xff)) << 16) | (clampU8((a >>> 24) - (b >>> 24)) << 24);
  }
}

/** PSUBUSW: unsigned saturation. */
export function psubusw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = clampU16((a & 0xffff) - (b & 0xffff)) | (clampU16((a >>> 16) - (b >>> 16)) << 16);
  }
}

/** PMULLW: low halves of signed products. */
export function pmullw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (Math.imul(a & 0xffff, b & 0xffff) & 0xffff) | (Math.imul(a >>> 16, b >>> 16) << 16);
  }
}

/** PMULHW: high halves of signed products. */
export function pmulhw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (Math.imul(a << 16 >> 16, b << 16 >> 16) >>> 16) | (Math.imul(a >> 16, b >> 16) & 0xffff0000);
  }
}

/** PMULHUW: high halves of unsigned products. */
export function pmulhuw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (Math.imul(a & 0xffff, b & 0xffff) >>> 16) | (Math.imul(a >>> 16, b >>> 16) & 0xffff0000);
  }
}

/** PMADDWD: sums of neighbouring signed products. */
export function pmaddwd(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = Math.imul(a << 16 >> 16, b << 16 >> 16) + Math.imul(a >> 16, b >> 16);
  }
}

/** PMULUDQ: 64-bit products of the even unsigned dwords. */
export function pmuludq(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const a = w[d + i], b = w[s + i];
    w[d + i + 1] = highProduct(a, b);
    w[d + i] = Math.imul(a, b);
  }
}

/** PAVGB: unsigned average, rounded up. */
export function pavgb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (a | b) - (((a ^ b) >>> 1) & 0x7f7f7f7f);
  }
}

/** PAVGW: unsigned average, rounded up. */
export function pavgw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (a | b) - (((a ^ b) >>> 1) & 0x7fff7fff);
  }
}

/** PMINUB: unsigned bytes. */
export function pminub(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = Math.min(a & 0xff, b & 0xff) | Math.min(a & 0xff00, b & 0xff00) |
      Math.min(a & 0xff0000, b & 0xff0000) | (Math.min(a >>> 24, b >>> 24) << 24);
  }
}

/** PMAXUB: unsigned bytes. */
export function pmaxub(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = Math.max(a & 0xff, b & 0xff) | Math.max(a & 0xff00, b & 0xff00) |
      Math.max(a & 0xff0000, b & 0xff0000) | (Math.max(a >>> 24, b >>> 24) << 24);
  }
}

/** PMINSW: signed words. */
export function pminsw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (Math.min(a << 16 >> 16, b << 16 >> 16) & 0xffff) | (Math.min(a >> 16, b >> 16) << 16);
  }
}

/** PMAXSW: signed words. */
export function pmaxsw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (Math.max(a << 16 >> 16, b << 16 >> 16) & 0xffff) | (Math.max(a >> 16, b >> 16) << 16);
  }
}

/** PSADBW: sum of absolute byte differences of each quadword. */
export function psadbw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const sum = differences(w[d + i], w[s + i]) + differences(w[d + i + 1], w[s + i + 1]);
    w[d + i] = sum;
    w[d + i + 1] = 0;
  }
}

function differences(a: number, b: number): number {
  return Math.abs((a & 0xff) - (b & 0xff)) + Math.abs((a >>> 8 & 0xff) - (b >>> 8 & 0xff)) +
    Math.abs((a >>> 16 & 0xff) - (b >>> 16 & 0xff)) + Math.abs((a >>> 24) - (b >>> 24));
}

/** High dword of the unsigned product. */
function highProduct(a: number, b: number): number {
  const a0 = a & 0xffff, a1 = a >>> 16, b0 = b & 0xffff, b1 = b >>> 16;
  const middle = (Math.imul(a0, b0) >>> 16) + (Math.imul(a1, b0) >>> 0);
  const rest = (middle % 0x10000) + (Math.imul(a0, b1) >>> 0);
  return (Math.imul(a1, b1) + Math.floor(middle / 0x10000) + Math.floor(rest / 0x10000)) | 0;
}

function clampI8(v: number): number {
  return (v < -128 ? -128 : v > 127 ? 127 : v) & 0xff;
}

function clampI16(v: number): number {
  return (v < -32768 ? -32768 : v > 32767 ? 32767 : v) & 0xffff;
}

function clampU8(v: number): number {
  return v < 0 ? 0 : v > 255 ? 255 : v;
}

function clampU16(v: number): number {
  return v < 0 ? 0 : v > 0xffff ? 0xffff : v;
}
