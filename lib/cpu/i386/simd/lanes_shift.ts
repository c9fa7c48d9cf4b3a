/**
 * Lane shifts of MMX and SSE2. A count beyond the lane gives zeros, or copies of the sign for the arithmetic ones.
 *
 * The count is a u32: for the register forms the 64-bit count is clamped before ({@linkcode clampCount}), so that a
 * count with bits in its upper half is simply large. Sources: SDM-2B PSLLW PSRAW PSRLW PSLLDQ PSRLDQ. Hot.
 */

/** Shifts lanes in place: array, index of destination, count (u32), words. */
export type ShiftKernel = (w: Int32Array, d: number, count: number, n: number) => void;

/** A count that is larger than any lane but still a small integer. */
const HUGE_COUNT = 0xff;

/** Makes a u32-safe count of the 64-bit one given as two i32. */
export function clampCount(low: number, high: number): number {
  return high !== 0 || (low >>> 0) > HUGE_COUNT ? HUGE_COUNT : low;
}

/** PSLLW. */
export function psllw(w: Int32Array, d: number, count: number, n: number): void {
  const mask = count > 15 ? 0 : (0xffff << count) & 0xffff;
  for (let i = 0; i < n; i++) w[d + i] = (w[d + i] << count) & (mask | (mask << 16));
}

/** PSLLD. */
export function pslld(w: Int32Array, d: number, count: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = count > 31 ? 0 : w[d + i] << count;
}

/** PSLLQ. */
export function psllq(w: Int32Array, d: number, count: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const low = w[d + i], high = w[d + i + 1];
    if (count > 31) {
      w[d + i + 1] = count > 63 ? 0 : low << (count - 32);
      w[d + i] = 0;
    } else if (count !== 0) {
      w[d + i + 1] = (high << count) | (low >>> (32 - count));
      w[d + i] = low << count;
    }
  }
}

/** PSRLW. */
export function psrlw(w: Int32Array, d: number, count: number, n: number): void {
  const mask = count > 15 ? 0 : 0xffff >>> count;
  for (let i = 0; i < n; i++) w[d + i] = (w[d + i] >>> count) & (mask | (mask << 16));
}

/** PSRLD. */
export function psrld(w: Int32Array, d: number, count: number, n: number): void {
  for (let i = 0; i < n; i++) w[d + i] = count > 31 ? 0 : w[d + i] >>> count;
}

/** PSRLQ. */
export function psrlq(w: Int32Array, d: number, count: number, n: number): void {
  for (let i = 0; i < n; i += 2) {
    const low = w[d + i], high = w[d + i + 1];
    if (count > 31) {
      w[d + i] = count > 63 ? 0 : high >>> (count - 32);
      w[d + i + 1] = 0;
    } else if (count !== 0) {
      w[d + i] = (low >>> count) | (high << (32 - count));
      w[d + i + 1] = high >>> count;
    }
  }
}

/** PSRAW. */
export function psraw(w: Int32Array, d: number, count: number, n: number): void {
  const by = count > 15 ? 15 : count;
  for (let i = 0; i < n; i++) {
    const a = w[d + i];
    w[d + i] = ((a << 16 >> 16 >> by) & 0xffff) | ((a >> 16 >> by) << 16);
  }
}

/** PSRAD. */
export function psrad(w: Int32Array, d: number, count: number, n: number): void {
  const by = count > 31 ? 31 : count;
  for (let i = 0; i < n; i++) w[d + i] >>= by;
}

/** PSLLDQ: whole register, by bytes; `n` is 4. */
export function pslldq(w: Int32Array, d: number, count: number, _n: number): void {
  const words = count > 15 ? 4 : count >>> 2, bits = (count & 3) << 3;
  for (let i = 3; i >= 0; i--) {
    const here = i - words >= 0 ? w[d + i - words] : 0;
    const below = i - words >= 1 ? w[d + i - words - 1] : 0;
    w[d + i] = bits === 0 ? here : (here << bits) | (below >>> (32 - bits));
  }
}

/** PSRLDQ: whole register, by bytes; `n` is 4. */
export function psrldq(w: Int32Array, d: number, count: number, _n: number): void {
  const words = count > 15 ? 4 : count >>> 2, bits = (count & 3) << 3;
  for (let i = 0; i < 4; i++) {
    const here = i + words <= 3 ? w[d + i + words] : 0;
    const above = i + words <= 2 ? w[d + i + words + 1] : 0;
    w[d + i] = bits === 0 ? here : (here >>> bits) | (above << (32 - bits));
  }
}
