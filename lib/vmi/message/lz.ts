/**
 * A small compressor: LZ77 in the LZ4 block format (public description of that format), greedy, with a hash table of
 * 4-byte sequences. Deterministic and synchronous; decompression checks every length. Warm.
 */

const MIN_MATCH = 4;
const LAST_LITERALS = 12;
const HASH_BITS = 13;

/** Compresses; the result may be longer than the input. */
export function compressLz(input: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(input.length + Math.floor(input.length / 255) + 16);
  const table = new Int32Array(1 << HASH_BITS).fill(-1);
  let [at, anchor, to] = [0, 0, 0];
  const end = input.length - LAST_LITERALS;
  while (at < end) {
    const word = read32(input, at);
    const slot = Math.imul(word, 0x9e3779b1) >>> (32 - HASH_BITS);
    const match = table[slot];
    table[slot] = at;
    if (match < 0 || at - match > 65535 || read32(input, match) !== word) {
      at++;
      continue;
    }
    let length = MIN_MATCH;
    while (at + length < end && input[match + length] === input[at + length]) length++;
    to = writeSequence(out, to, input.subarray(anchor, at), at - match, length);
    at += length;
    anchor = at;
  }
  return out.slice(0, writeSequence(out, to, input.subarray(anchor), 0, 0));
}

function read32(b: Uint8Array, at: number): number {
  return b[at] | (b[at + 1] << 8) | (b[at + 2] << 16) | (b[at + 3] << 24);
}

function writeLength(out: Uint8Array, at: number, length: number): number {
  let left = length;
  let to = at;
  while (left >= 255) {
    out[to++] = 255;
    left -= 255;
  }
  out[to++] = left;
  return to;
}

/** Literals, then a match; distance 0: the last sequence, without one. */
function writeSequence(out: Uint8Array, at: number, literals: Uint8Array, distance: number, length: number): number {
  const extra = distance === 0 ? 0 : length - MIN_MATCH;
  let to = at;
  out[to++] = (Math.min(15, literals.length) << 4) | Math.min(15, extra);
  if (literals.length >= 15) to = writeLength(out, to, literals.length - 15);
  out.set(literals, to);
  to += literals.length;
  if (distance === 0) return to;
  out[to++] = distance;
  out[to++] = distance >> 8;
  return extra >= 15 ? writeLength(out, to, extra - 15) : to;
}

/** Decompresses to exactly `size` bytes; undefined: the input is no such thing. */
export function decompressLz(input: Uint8Array, size: number): Uint8Array<ArrayBuffer> | undefined {
  const out = new Uint8Array(size);
  let [at, to] = [0, 0];
  const length = (nibble: number): number => {
    let sum = nibble;
    if (nibble < 15) return sum;
    while (at < input.length) {
      const b = input[at++];
      sum += b;
      if (b !== 255) return sum;
    }
    return Infinity;
  };
  while (at < input.length) {
    const token = input[at++];
    const literals = length(token >> 4);
    if (at + literals > input.length || to + literals > size) return undefined;
    out.set(input.subarray(at, at + literals), to);
    at += literals;
    to += literals;
    if (at === input.length) break;
    if (at + 2 > input.length) return undefined;
    const distance = input[at] | (input[at + 1] << 8);
    at += 2;
    const match = length(token & 15) + MIN_MATCH;
    if (distance === 0 || distance > to || to + match > size) return undefined;
    for (let i = 0; i < match; i++, to++) out[to] = out[to - distance];
  }
  return to === size ? out : undefined;
}
