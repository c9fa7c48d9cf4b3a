/**
 * ChaCha20-Poly1305 as RFC 8439 has it, synchronous and without any permission. Written for clearness: it keeps honest
 * peers apart from strangers on a wire, it claims nothing about timing side channels. Warm.
 */

function quarter(s: Int32Array, a: number, b: number, c: number, d: number): void {
  let x = s[d] ^ (s[a] = (s[a] + s[b]) | 0);
  s[d] = (x << 16) | (x >>> 16);
  x = s[b] ^ (s[c] = (s[c] + s[d]) | 0);
  s[b] = (x << 12) | (x >>> 20);
  x = s[d] ^ (s[a] = (s[a] + s[b]) | 0);
  s[d] = (x << 8) | (x >>> 24);
  x = s[b] ^ (s[c] = (s[c] + s[d]) | 0);
  s[b] = (x << 7) | (x >>> 25);
}

/** Initial state: constants, key, counter, nonce. */
function makeState(key: Uint8Array, counter: number, nonce: Uint8Array): Int32Array {
  const s = new Int32Array(16);
  s.set([0x61707865, 0x3320646e, 0x79622d32, 0x6b206574]);
  const k = new DataView(key.buffer, key.byteOffset, 32);
  const n = new DataView(nonce.buffer, nonce.byteOffset, 12);
  for (let i = 0; i < 8; i++) s[4 + i] = k.getInt32(4 * i, true);
  s[12] = counter;
  for (let i = 0; i < 3; i++) s[13 + i] = n.getInt32(4 * i, true);
  return s;
}

/** One block of key stream into `out`; `work` is scratch. */
function block(state: Int32Array, work: Int32Array, out: DataView): void {
  work.set(state);
  for (let i = 0; i < 10; i++) {
    quarter(work, 0, 4, 8, 12);
    quarter(work, 1, 5, 9, 13);
    quarter(work, 2, 6, 10, 14);
    quarter(work, 3, 7, 11, 15);
    quarter(work, 0, 5, 10, 15);
    quarter(work, 1, 6, 11, 12);
    quarter(work, 2, 7, 8, 13);
    quarter(work, 3, 4, 9, 14);
  }
  for (let i = 0; i < 16; i++) out.setInt32(4 * i, (work[i] + state[i]) | 0, true);
}

/** ChaCha20: `bytes` combined with the key stream from block `counter` on. */
export function chacha20(
  key: Uint8Array,
  counter: number,
  nonce: Uint8Array,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const state = makeState(key, counter, nonce);
  const work = new Int32Array(16);
  const stream = new Uint8Array(64);
  const view = new DataView(stream.buffer);
  const out = new Uint8Array(bytes.length);
  for (let at = 0; at < bytes.length; at += 64) {
    block(state, work, view);
    state[12]++;
    const n = Math.min(64, bytes.length - at);
    for (let i = 0; i < n; i++) out[at + i] = bytes[at + i] ^ stream[i];
  }
  return out;
}

/** 13-bit limbs of little-endian bytes; `high` is bit 128 or 0. */
function limbs(bytes: Uint8Array, at: number, high: number, into: Int32Array): void {
  const w = (i: number): number => bytes[at + i] | (bytes[at + i + 1] << 8);
  const [t0, t1, t2, t3, t4, t5, t6, t7] = [w(0), w(2), w(4), w(6), w(8), w(10), w(12), w(14)];
  into[0] = t0 & 0x1fff;
  into[1] = ((t0 >>> 13) | (t1 << 3)) & 0x1fff;
  into[2] = ((t1 >>> 10) | (t2 << 6)) & 0x1fff;
  into[3] = ((t2 >>> 7) | (t3 << 9)) & 0x1fff;
  into[4] = ((t3 >>> 4) | (t4 << 12)) & 0x1fff;
  into[5] = (t4 >>> 1) & 0x1fff;
  into[6] = ((t4 >>> 14) | (t5 << 2)) & 0x1fff;
  into[7] = ((t5 >>> 11) | (t6 << 5)) & 0x1fff;
  into[8] = ((t6 >>> 8) | (t7 << 8)) & 0x1fff;
  into[9] = (t7 >>> 5) | (high << 11);
}

const P5 = 5;

/** h := h * r modulo 2^130 - 5, limbs kept near 13 bits. */
function multiply(h: Int32Array, r: Int32Array, sums: Float64Array): void {
  for (let i = 0; i < 10; i++) {
    let sum = 0;
    for (let j = 0; j < 10; j++) sum += j <= i ? h[j] * r[i - j] : h[j] * P5 * r[i + 10 - j];
    sums[i] = sum;
  }
  carry(h, sums);
}

function carry(h: Int32Array, sums: Float64Array): void {
  let over = 0;
  for (let i = 0; i < 10; i++) {
    const v = sums[i] + over;
    over = Math.floor(v / 8192);
    h[i] = v - over * 8192;
  }
  over = h[0] + over * P5;
  h[0] = over & 0x1fff;
  h[1] += over >>> 13;
}

/** Poly1305 of `bytes` under a 32-byte one-time key; 16 bytes. */
export function poly1305(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const clamped = key.slice(0, 16);
  for (const i of [3, 7, 11, 15]) clamped[i] &= 15;
  for (const i of [4, 8, 12]) clamped[i] &= 252;
  const [r, h, m] = [new Int32Array(10), new Int32Array(10), new Int32Array(10)];
  const sums = new Float64Array(10);
  limbs(clamped, 0, 0, r);
  const last = new Uint8Array(16);
  for (let at = 0; at < bytes.length; at += 16) {
    const n = Math.min(16, bytes.length - at);
    if (n === 16) limbs(bytes, at, 1, m);
    else {
      last.set(bytes.subarray(at));
      last[n] = 1;
      limbs(last, 0, 0, m);
    }
    for (let i = 0; i < 10; i++) h[i] += m[i];
    multiply(h, r, sums);
  }
  return finish(h, key);
}

/** h modulo p, plus the second half of the key, modulo 2^128. */
function finish(h: Int32Array, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const P = (1n << 130n) - 5n;
  let sum = 0n;
  for (let i = 9; i >= 0; i--) sum = (sum << 13n) + BigInt(h[i]);
  sum %= P;
  const k = new DataView(key.buffer, key.byteOffset, 32);
  sum += k.getBigUint64(16, true) + (k.getBigUint64(24, true) << 64n);
  const out = new Uint8Array(16);
  const view = new DataView(out.buffer);
  view.setBigUint64(0, BigInt.asUintN(64, sum), true);
  view.setBigUint64(8, BigInt.asUintN(64, sum >> 64n), true);
  return out;
}

function tagOf(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, cipher: Uint8Array): Uint8Array {
  const padded = (n: number): number => (n + 15) & ~15;
  const data = new Uint8Array(padded(aad.length) + padded(cipher.length) + 16);
  data.set(aad);
  data.set(cipher, padded(aad.length));
  const view = new DataView(data.buffer);
  view.setUint32(data.length - 16, aad.length, true);
  view.setUint32(data.length - 8, cipher.length, true);
  return poly1305(chacha20(key, 0, nonce, new Uint8Array(32)), data);
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
