/**
 * Lane logic and comparisons of MMX, SSE and SSE2; the bitwise forms serve ANDPS, ANDPD and PAND alike.
 *
 * Kernels as in {@linkcode LaneKernel}: destination and left operand `w[d..]`, right operand `w[s..]`, `n` words.
 * Sources: SDM-2B PAND PANDN POR PXOR PCMPEQB PCMPGTB. Hot.
 */

/** PAND, ANDPS, ANDPD. */
export function pand(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] &= w[s + i];
}

/** PANDN, ANDNPS, ANDNPD: NOT destination AND source. */
export function pandn(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = ~w[d + i] & w[s + i];
}

/** POR, ORPS, ORPD. */
export function por(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] |= w[s + i];
}

/** PXOR, XORPS, XORPD. */
export function pxor(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] ^= w[s + i];
}

/** PCMPEQB. */
export function pcmpeqb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const x = w[d + i] ^ w[s + i];
    w[d + i] = ((x & 0xff) === 0 ? 0xff : 0) | ((x & 0xff00) === 0 ? 0xff00 : 0) |
      ((x & 0xff0000) === 0 ? 0xff0000 : 0) | ((x & 0xff000000) === 0 ? 0xff000000 : 0);
  }
}

/** PCMPEQW. */
export function pcmpeqw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const x = w[d + i] ^ w[s + i];
    w[d + i] = ((x & 0xffff) === 0 ? 0xffff : 0) | ((x & 0xffff0000) === 0 ? 0xffff0000 : 0);
  }
}

/** PCMPEQD. */
export function pcmpeqd(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = w[d + i] === w[s + i] ? -1 : 0;
}

/** PCMPGTB: signed. */
export function pcmpgtb(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (a << 24 > b << 24 ? 0xff : 0) | ((a << 16 >> 24) > (b << 16 >> 24) ? 0xff00 : 0) |
      ((a << 8 >> 24) > (b << 8 >> 24) ? 0xff0000 : 0) | ((a >> 24) > (b >> 24) ? 0xff000000 : 0);
  }
}

/** PCMPGTW: signed. */
export function pcmpgtw(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) {
    const a = w[d + i], b = w[s + i];
    w[d + i] = (a << 16 > b << 16 ? 0xffff : 0) | ((a >> 16) > (b >> 16) ? 0xffff0000 : 0);
  }
}

/** PCMPGTD: signed. */
export function pcmpgtd(w: Int32Array, d: number, s: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = w[d + i] > w[s + i] ? -1 : 0;
}
