/**
 * SHA-256 and HMAC (FIPS 180-4, RFC 2104), synchronous and without any permission, for keys and proofs of this
 * interface. Cold.
 */

interface Constants {
  readonly k: Int32Array;
  readonly h: Int32Array;
}

let constants: Constants | undefined;

/** First 32 bits of the fractional parts of the cube (and square) roots of the first primes. */
function makeConstants(): Constants {
  const k = new Int32Array(64);
  const h = new Int32Array(8);
  let n = 0;
  for (let p = 2; n < 64; p++) {
    let prime = true;
    for (let d = 2; d * d <= p; d++) if (p % d === 0) prime = false;
    if (!prime) continue;
    k[n] = fraction(p, 3);
    if (n < 8) h[n] = fraction(p, 2);
    n++;
  }
  return { k, h };
}

/** 32 bits after the point of the `root`th root of `p`, by integer search. */
function fraction(p: number, root: number): number {
  const target = BigInt(p) << BigInt(32 * root);
  let low = 0n;
  let high = BigInt(p) << 32n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** BigInt(root) <= target) low = middle;
    else high = middle - 1n;
  }
  return Number(BigInt.asIntN(32, low));
}

function rotate(x: number, n: number): number {
  return (x >>> n) | (x << (32 - n));
}

/** Digest of `bytes`; 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const size = (bytes.length + 9 + 63) & ~63;
  const padded = new Uint8Array(size);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(size - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(size - 4, (bytes.length << 3) >>> 0);
  const { k, h: first } = constants ??= makeConstants();
  const h = first.slice();
  const w = new Int32Array(64);
  for (let at = 0; at < size; at += 64) block(k, h, w, view, at);
  const out = new Uint8Array(32);
  const result = new DataView(out.buffer);
  h.forEach((word, i) => result.setInt32(4 * i, word));
  return out;
}

function block(k: Int32Array, h: Int32Array, w: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
  for (let i = 16; i < 64; i++) {
    const [a, b] = [w[i - 15], w[i - 2]];
    const s0 = rotate(a, 7) ^ rotate(a, 18) ^ (a >>> 3);
    const s1 = rotate(b, 17) ^ rotate(b, 19) ^ (b >>> 10);
    w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
  }
  const s = h.slice();
  for (let i = 0; i < 64; i++) {
    const [a, b, c, , e, f, g] = s;
    const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (s[7] + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
    const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    s.copyWithin(1, 0, 7);
    s[4] = (s[4] + t1) | 0;
    s[0] = (t1 + t2) | 0;
  }
  for (let i = 0; i < 8; i++) h[i] = (h[i] + s[i]) | 0;
}

/** HMAC-SHA-256; 32 bytes. */
export function hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const k = new Uint8Array(64);
  k.set(key.length > 64 ? sha256(key) : key);
  const inner = new Uint8Array(64 + bytes.length);
  inner.set(k.map((b) => b ^ 0x36));
  inner.set(bytes, 64);
  const outer = new Uint8Array(96);
  outer.set(k.map((b) => b ^ 0x5c));
  outer.set(sha256(inner), 64);
  return sha256(outer);
}

/** A key for one purpose, made from a job key. */
export function deriveKey(key: string, purpose: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder();
  return hmacSha256(text.encode(key), text.encode(purpose));
}
