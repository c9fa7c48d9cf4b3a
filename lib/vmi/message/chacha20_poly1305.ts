/**
 * ChaCha20-Poly1305 as RFC 8439 has it, synchronous and without any permission. It keeps honest peers apart from
 * strangers on a wire, it claims nothing about timing side channels.
 *
 * The work is done by a kernel in WebAssembly. A short message goes through it once: its key stream begins with block 0,
 * which is the key of the tag, before the blocks that hide the message. Long ones go in pieces as large as the kernel's
 * memory. Warm.
 */
import { GROUP, sealKernel, SealLayout as L } from "./seal_kernel.ts";

const BLOCK = 64;
/** Bit 128 of a whole block of Poly1305, as the kernel takes it. */
const WHOLE = 1 << 24;
const LIMB = 2 ** 26;

/** The kernel's memory as bytes and words. */
interface Room {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

let room: Room | undefined;

function theRoom(): Room {
  const { buffer } = sealKernel().memory;
  return room ??= { bytes: new Uint8Array(buffer), words: new Uint32Array(buffer) };
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Sets ChaCha20's state: constants, key, counter, nonce. */
function begin({ words }: Room, key: Uint8Array, counter: number, nonce: Uint8Array): void {
  words[0] = 0x61707865;
  words[1] = 0x3320646e;
  words[2] = 0x79622d32;
  words[3] = 0x6b206574;
  for (let i = 0; i < 8; i++) words[4 + i] = word(key, 4 * i);
  words[12] = counter;
  for (let i = 0; i < 3; i++) words[13 + i] = word(nonce, 4 * i);
}

/** Combines `size` bytes of the kernel's data with the key stream. */
function combine(size: number): void {
  sealKernel().combine(L.data, Math.ceil(size / GROUP));
}

/** Begins a tag: the sum is 0, r is the first half of the key, less the bits it must not have. */
function beginTag({ words }: Room, key: Uint8Array): void {
  words.fill(0, L.sum >> 2, (L.r + 40) >> 2);
  const [w0, w1] = [word(key, 0) & 0x0fffffff, word(key, 4) & 0x0ffffffc];
  const [w2, w3] = [word(key, 8) & 0x0ffffffc, word(key, 12) & 0x0ffffffc];
  const mask = LIMB - 1;
  words[L.r >> 2] = w0 & mask;
  words[(L.r + 8) >> 2] = ((w0 >>> 26) | (w1 << 6)) & mask;
  words[(L.r + 16) >> 2] = ((w1 >>> 20) | (w2 << 12)) & mask;
  words[(L.r + 24) >> 2] = ((w2 >>> 14) | (w3 << 18)) & mask;
  words[(L.r + 32) >> 2] = w3 >>> 8;
}

/** Adds bytes of the kernel's memory to the sum, filled up with zeros to whole blocks. */
function addPadded({ bytes }: Room, at: number, size: number): void {
  if (size === 0) return;
  const blocks = (size + 15) >> 4;
  bytes.fill(0, at + size, at + 16 * blocks);
  sealKernel().authenticate(at, blocks, WHOLE);
}

/** Adds bytes from elsewhere, padded alike. */
function addOther(r: Room, other: Uint8Array): void {
  for (let from = 0; from < other.length; from += GROUP) {
    const part = other.subarray(from, from + GROUP);
    r.bytes.set(part, L.small);
    addPadded(r, L.small, part.length);
  }
}

/** The sum modulo 2^130 - 5, plus the second half of the key, modulo 2^128. */
function endTag({ words }: Room, key: Uint8Array): Uint8Array<ArrayBuffer> {
  const h = carried(carried([0, 1, 2, 3, 4].map((i) => words[(L.sum + 8 * i) >> 2])));
  // h + 5 - 2^130 is not negative: then it is the remainder.
  const g = carried([h[0] + 5, ...h.slice(1)], false);
  g[4] -= LIMB;
  const [a, b, c, d, e] = g[4] >= 0 ? g : h;
  const sums = [a | (b << 26), (b >>> 6) | (c << 20), (c >>> 12) | (d << 14), (d >>> 18) | (e << 8)];
  const out = new Uint8Array(16);
  let over = 0;
  for (let i = 0; i < 4; i++) {
    const sum = (sums[i] >>> 0) + word(key, 16 + 4 * i) + over;
    over = sum >= 2 ** 32 ? 1 : 0;
    for (let k = 0; k < 4; k++) out[4 * i + k] = sum / 2 ** (8 * k);
  }
  return out;
}

/** Limbs below 2^26; `around`: what is above 2^130 comes in again as a multiple of 5. */
function carried(limbs: readonly number[], around = true): number[] {
  const out = [...limbs];
  for (let i = 0; i < 4; i++) {
    const c = Math.floor(out[i] / LIMB);
    out[i] -= c * LIMB;
    out[i + 1] += c;
  }
  if (!around) return out;
  const top = Math.floor(out[4] / LIMB);
  out[4] -= top * LIMB;
  out[0] += 5 * top;
  return out;
}

/** ChaCha20: `bytes` combined with the key stream from block `counter` on. */
export function chacha20(
  key: Uint8Array,
  counter: number,
  nonce: Uint8Array,
  bytes: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const r = theRoom();
  const out = new Uint8Array(bytes.length);
  begin(r, key, counter, nonce);
  for (let at = 0; at < bytes.length; at += L.room) {
    const part = bytes.subarray(at, at + L.room);
    r.bytes.set(part, L.data);
    combine(part.length);
    out.set(r.bytes.subarray(L.data, L.data + part.length), at);
  }
  return out;
}

/** Poly1305 of `bytes` under a 32-byte one-time key; 16 bytes. */
export function poly1305(key: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const r = theRoom();
  beginTag(r, key);
  const whole = bytes.length & -16;
  addOther(r, bytes.subarray(0, whole));
  if (whole < bytes.length) {
    // A last block that is not whole has its end marked by a bit.
    r.bytes.fill(0, L.small, L.small + 16);
    r.bytes.set(bytes.subarray(whole), L.small);
    r.bytes[L.small + bytes.length - whole] = 1;
    sealKernel().authenticate(L.small, 1, 0);
  }
  return endTag(r, key);
}

/**
 * Message to ciphertext or back, and the tag of the ciphertext. The first piece stands behind block 0, whose key stream
 * is the key of the tag.
 *
 * @param out Where the result goes.
 * @param seals Is `input` the message? Otherwise the ciphertext.
 */
function run(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  input: Uint8Array,
  out: Uint8Array,
  seals: boolean,
): Uint8Array {
  const r = theRoom();
  begin(r, key, 0, nonce);
  r.bytes.fill(0, L.data, L.data + BLOCK);
  let tagKey: Uint8Array | undefined;
  let at = 0;
  do {
    const to = tagKey === undefined ? L.data + BLOCK : L.data;
    const part = input.subarray(at, at + L.data + L.room - to);
    r.bytes.set(part, to);
    combine(to + part.length - L.data);
    if (tagKey === undefined) {
      tagKey = r.bytes.slice(L.data, L.data + 32);
      beginTag(r, tagKey);
      addOther(r, aad);
    }
    out.set(r.bytes.subarray(to, to + part.length), at);
    if (!seals) r.bytes.set(part, to);
    addPadded(r, to, part.length);
    at += part.length;
  } while (at < input.length);
  r.words.fill(0, L.small >> 2, (L.small >> 2) + 4);
  r.words[L.small >> 2] = aad.length;
  r.words[(L.small >> 2) + 2] = input.length;
  addPadded(r, L.small, 16);
  return endTag(r, tagKey);
}

/** Encrypts and authenticates: ciphertext, then 16 bytes of tag. Key of 32 bytes, nonce of 12. */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plain: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(plain.length + 16);
  out.set(run(key, nonce, aad, plain, out, true), plain.length);
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
  const plain = new Uint8Array(cipher.length);
  const tag = run(key, nonce, aad, cipher, plain, false);
  let difference = 0;
  for (let i = 0; i < 16; i++) difference |= tag[i] ^ sealed[cipher.length + i];
  return difference === 0 ? plain : undefined;
}
