/**
 * ChaCha20-Poly1305 as RFC 8439 has it, synchronous and without any permission. It keeps honest peers apart from
 * strangers on a wire, it claims nothing about timing side channels.
 *
 * ChaCha20 keeps its state in locals and works on words. Poly1305 counts in six limbs of 22 bits held in doubles: a sum
 * of six products stays below 2^52, so all of it is exact. Warm.
 */

const BLOCK = 64;

/** Words of a byte array as they lie in memory: little-endian, as all hosts are that run this. */
function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}

/** Initial state: constants, key, counter, nonce. */
function makeState(key: Uint8Array, counter: number, nonce: Uint8Array): Int32Array {
  const s = new Int32Array(16);
  s.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  for (let i = 0; i < 8; i++) s[4 + i] = word(key, 4 * i);
  s[12] = counter;
  for (let i = 0; i < 3; i++) s[13 + i] = word(nonce, 4 * i);
  return s;
}

function word(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

/** Combines a block of key stream with 16 words of `out` from `at` on. */
function block(s: Int32Array, out: Int32Array, at: number): void {
  let [a0, a1, a2, a3] = [s[0], s[1], s[2], s[3]];
  let [b0, b1, b2, b3] = [s[4], s[5], s[6], s[7]];
  let [c0, c1, c2, c3] = [s[8], s[9], s[10], s[11]];
  let [d0, d1, d2, d3] = [s[12], s[13], s[14], s[15]];
  for (let i = 0; i < 10; i++) {
    // columns
    a0 = (a0 + b0) | 0, d0 ^= a0, d0 = (d0 << 16) | (d0 >>> 16);
    a1 = (a1 + b1) | 0, d1 ^= a1, d1 = (d1 << 16) | (d1 >>> 16);
    a2 = (a2 + b2) | 0, d2 ^= a2, d2 = (d2 << 16) | (d2 >>> 16);
    a3 = (a3 + b3) | 0, d3 ^= a3, d3 = (d3 << 16) | (d3 >>> 16);
    c0 = (c0 + d0) | 0, b0 ^= c0, b0 = (b0 << 12) | (b0 >>> 20);
    c1 = (c1 + d1) | 0, b1 ^= c1, b1 = (b1 << 12) | (b1 >>> 20);
    c2 = (c2 + d2) | 0, b2 ^= c2, b2 = (b2 << 12) | (b2 >>> 20);
    c3 = (c3 + d3) | 0, b3 ^= c3, b3 = (b3 << 12) | (b3 >>> 20);
    a0 = (a0 + b0) | 0, d0 ^= a0, d0 = (d0 << 8) | (d0 >>> 24);
    a1 = (a1 + b1) | 0, d1 ^= a1, d1 = (d1 << 8) | (d1 >>> 24);
    a2 = (a2 + b2) | 0, d2 ^= a2, d2 = (d2 << 8) | (d2 >>> 24);
    a3 = (a3 + b3) | 0, d3 ^= a3, d3 = (d3 << 8) | (d3 >>> 24);
    c0 = (c0 + d0) | 0, b0 ^= c0, b0 = (b0 << 7) | (b0 >>> 25);
    c1 = (c1 + d1) | 0, b1 ^= c1, b1 = (b1 << 7) | (b1 >>> 25);
    c2 = (c2 + d2) | 0, b2 ^= c2, b2 = (b2 << 7) | (b2 >>> 25);
    c3 = (c3 + d3) | 0, b3 ^= c3, b3 = (b3 << 7) | (b3 >>> 25);
    // diagonals
    a0 = (a0 + b1) | 0, d3 ^= a0, d3 = (d3 << 16) | (d3 >>> 16);
    a1 = (a1 + b2) | 0, d0 ^= a1, d0 = (d0 << 16) | (d0 >>> 16);
    a2 = (a2 + b3) | 0, d1 ^= a2, d1 = (d1 << 16) | (d1 >>> 16);
    a3 = (a3 + b0) | 0, d2 ^= a3, d2 = (d2 << 16) | (d2 >>> 16);
    c2 = (c2 + d3) | 0, b1 ^= c2, b1 = (b1 << 12) | (b1 >>> 20);
    c3 = (c3 + d0) | 0, b2 ^= c3, b2 = (b2 << 12) | (b2 >>> 20);
    c0 = (c0 + d1) | 0, b3 ^= c0, b3 = (b3 << 12) | (b3 >>> 20);
    c1 = (c1 + d2) | 0, b0 ^= c1, b0 = (b0 << 12) | (b0 >>> 20);
    a0 = (a0 + b1) | 0, d3 ^= a0, d3 = (d3 << 8) | (d3 >>> 24);
    a1 = (a1 + b2) | 0, d0 ^= a1, d0 = (d0 << 8) | (d0 >>> 24);
    a2 = (a2 + b3) | 0, d1 ^= a2, d1 = (d1 << 8) | (d1 >>> 24);
    a3 = (a3 + b0) | 0, d2 ^= a3, d2 = (d2 << 8) | (d2 >>> 24);
    c2 = (c2 + d3) | 0, b1 ^= c2, b1 = (b1 << 7) | (b1 >>> 25);
    c3 = (c3 + d0) | 0, b2 ^= c3, b2 = (b2 << 7) | (b2 >>> 25);
    c0 = (c0 + d1) | 0, b3 ^= c0, b3 = (b3 << 7) | (b3 >>> 25);
    c1 = (c1 + d2) | 0, b0 ^= c1, b0 = (b0 << 7) | (b0 >>> 25);
  }
  out[at] ^= a0 + s[0];
  out[at + 1] ^= a1 + s[1];
  out[at + 2] ^= a2 + s[2];
  out[at + 3] ^= a3 + s[3];
  out[at + 4] ^= b0 + s[4];
  out[at + 5] ^= b1 + s[5];
  out[at + 6] ^= b2 + s[6];
  out[at + 7] ^= b3 + s[7];
  out[at + 8] ^= c0 + s[8];
  out[at + 9] ^= c1 + s[9];
  out[at + 10] ^= c2 + s[10];
  out[at + 11] ^= c3 + s[11];
  out[at + 12] ^= d0 + s[12];
  out[at + 13] ^= d1 + s[13];
  out[at + 14] ^= d2 + s[14];
  out[at + 15] ^= d3 + s[15];
}

/** ChaCha20: `bytes` combined with the key stream from block `counter` on. */
export function chacha20(
  key: Uint8Array,
  counter: number,
  nonce: Uint8Array,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array((bytes.length + BLOCK - 1) & -BLOCK);
  whole.set(bytes);
  const words = wordsOf(whole);
  const state = makeState(key, counter, nonce);
  for (let at = 0; at < words.length; at += BLOCK / 4) {
    block(state, words, at);
    state[12]++;
  }
  return whole.subarray(0, bytes.length);
}

const LIMB = 2 ** 22;
const MASK = LIMB - 1;
/** 2^132 modulo 2^130 - 5. */
const OVER = 20;

/** A running Poly1305: h and r in limbs. */
class Poly {
  readonly #h: Float64Array = new Float64Array(6);
  readonly #r: Float64Array = new Float64Array(6);
  readonly #key: Uint8Array;

  constructor(key: Uint8Array) {
    this.#key = key;
    const r = this.#r;
    const [w0, w1] = [word(key, 0) & 0x0fffffff, word(key, 4) & 0x0ffffffc];
    const [w2, w3] = [word(key, 8) & 0x0ffffffc, word(key, 12) & 0x0ffffffc];
    r[0] = w0 & MASK;
    r[1] = ((w0 >>> 22) | (w1 << 10)) & MASK;
    r[2] = ((w1 >>> 12) | (w2 << 20)) & MASK;
    r[3] = (w2 >>> 2) & MASK;
    r[4] = ((w2 >>> 24) | (w3 << 8)) & MASK;
    r[5] = w3 >>> 14;
  }

  /** Takes bytes; a last block that is not whole is ended as the algorithm does. */
  end(bytes: Uint8Array): void {
    const whole = bytes.length & -16;
    this.blocks(bytes, whole);
    if (whole === bytes.length) return;
    const last = new Uint8Array(16);
    last.set(bytes.subarray(whole));
    last[bytes.length - whole] = 1;
    this.blocks(last, 16, 0);
  }

  /** Takes bytes, filled up with zeros to whole blocks. */
  padded(bytes: Uint8Array): void {
    const whole = bytes.length & -16;
    this.blocks(bytes, whole);
    if (whole === bytes.length) return;
    const last = new Uint8Array(16);
    last.set(bytes.subarray(whole));
    this.blocks(last, 16);
  }

  /** Takes whole blocks up to `to`. @param high Bit 128 of each. */
  blocks(m: Uint8Array, to: number, high = 1): void {
    const [h, r] = [this.#h, this.#r];
    let [h0, h1, h2, h3, h4, h5] = [h[0], h[1], h[2], h[3], h[4], h[5]];
    const [r0, r1, r2, r3, r4, r5] = [r[0], r[1], r[2], r[3], r[4], r[5]];
    const [s1, s2, s3, s4, s5] = [OVER * r1, OVER * r2, OVER * r3, OVER * r4, OVER * r5];
    for (let at = 0; at < to; at += 16) {
      const [w0, w1, w2, w3] = [word(m, at), word(m, at + 4), word(m, at + 8), word(m, at + 12)];
      h0 += w0 & MASK;
      h1 += ((w0 >>> 22) | (w1 << 10)) & MASK;
      h2 += ((w1 >>> 12) | (w2 << 20)) & MASK;
      h3 += (w2 >>> 2) & MASK;
      h4 += ((w2 >>> 24) | (w3 << 8)) & MASK;
      h5 += (w3 >>> 14) | (high << 18);
      const d0 = h0 * r0 + h1 * s5 + h2 * s4 + h3 * s3 + h4 * s2 + h5 * s1;
      const d1 = h0 * r1 + h1 * r0 + h2 * s5 + h3 * s4 + h4 * s3 + h5 * s2;
      const d2 = h0 * r2 + h1 * r1 + h2 * r0 + h3 * s5 + h4 * s4 + h5 * s3;
      const d3 = h0 * r3 + h1 * r2 + h2 * r1 + h3 * r0 + h4 * s5 + h5 * s4;
      const d4 = h0 * r4 + h1 * r3 + h2 * r2 + h3 * r1 + h4 * r0 + h5 * s5;
      const d5 = h0 * r5 + h1 * r4 + h2 * r3 + h3 * r2 + h4 * r1 + h5 * r0;
      let c = Math.floor(d0 / LIMB);
      h0 = d0 - c * LIMB;
      const e1 = d1 + c;
      c = Math.floor(e1 / LIMB);
      h1 = e1 - c * LIMB;
      const e2 = d2 + c;
      c = Math.floor(e2 / LIMB);
      h2 = e2 - c * LIMB;
      const e3 = d3 + c;
      c = Math.floor(e3 / LIMB);
      h3 = e3 - c * LIMB;
      const e4 = d4 + c;
      c = Math.floor(e4 / LIMB);
      h4 = e4 - c * LIMB;
      const e5 = d5 + c;
      c = Math.floor(e5 / LIMB);
      h5 = e5 - c * LIMB;
      h0 += OVER * c;
      c = Math.floor(h0 / LIMB);
      h0 -= c * LIMB;
      h1 += c;
    }
    h.set([h0, h1, h2, h3, h4, h5]);
  }

  /** h modulo p, plus the second half of the key, modulo 2^128. */
  tag(): Uint8Array<ArrayBuffer> {
    const h = carried(carried(this.#h));
    // h + 5 - 2^130 is not negative: then it is the remainder.
    const g = carried([h[0] + 5, ...h.slice(1)], false);
    g[5] -= 2 ** 20;
    const [a, b, c, d, e, f] = g[5] >= 0 ? g : h;
    const words = [a | (b << 22), (b >>> 10) | (c << 12), (c >>> 20) | (d << 2) | (e << 24), (e >>> 8) | (f << 14)];
    const out = new Uint8Array(16);
    let over = 0;
    for (let i = 0; i < 4; i++) {
      const sum = (words[i] >>> 0) + (word(this.#key, 16 + 4 * i) >>> 0) + over;
      over = sum >= 2 ** 32 ? 1 : 0;
      for (let k = 0; k < 4; k++) out[4 * i + k] = sum / 2 ** (8 * k);
    }
    return out;
  }
}

/** Limbs below 2^22 each but for the last; `around`: what is above 2^130 comes in again as a multiple of 5. */
function carried(limbs: ArrayLike<number>, around = true): number[] {
  const out = Array.from(limbs);
  for (let i = 0; i < 5; i++) {
    const c = Math.floor(out[i] / LIMB);
    out[i] -= c * LIMB;
    out[i + 1] += c;
  }
  if (!around) return out;
  const top = Math.floor(out[5] / 2 ** 20);
  out[5] -= top * 2 ** 20;
  out[0] += 5 * top;
  return out;
}

/** Poly1305 of `bytes` under a 32-byte one-time key; 16 bytes. */
export function poly1305(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const poly = new Poly(key);
  poly.end(bytes);
  return poly.tag();
}

function tagOf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, cipher: Uint8Array): Uint8Array {
  const poly = new Poly(chacha20(key, 0, nonce, new Uint8Array(32)));
  poly.padded(aad);
  poly.padded(cipher);
  const lengths = new Uint8Array(16);
  for (let k = 0; k < 4; k++) {
    lengths[k] = aad.length >> (8 * k);
    lengths[8 + k] = cipher.length >> (8 * k);
  }
  poly.blocks(lengths, 16);
  return poly.tag();
}

/** Encrypts and authenticates: ciphertext, then 16 bytes of tag. Key of 32 bytes, nonce of 12. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const cipher = chacha20(key, 1, nonce, plain);
  const out = new Uint8Array(cipher.length + 16);
  out.set(cipher);
  out.set(tagOf(key, nonce, aad, cipher), cipher.length);
  return out;
}

/** Verifies and decrypts; undefined: not sealed under this key, nonce and associated data. */
export function open(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> | undefined {
  if (sealed.length < 16) return undefined;
  const cipher = sealed.subarray(0, sealed.length - 16);
  const tag = tagOf(key, nonce, aad, cipher);
  let difference = 0;
  for (let i = 0; i < 16; i++) difference |= tag[i] ^ sealed[cipher.length + i];
  return difference === 0 ? chacha20(key, 1, nonce, cipher) : undefined;
}
