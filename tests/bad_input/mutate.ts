/**
 * Seeded damage to files: what a bad disk, a broken download or a curious student does to an image. Cold.
 */
import type { Prng } from "../../lib/base/prng.ts";

/** Values that headers do not expect: zero, ones, sign and page boundaries, the ends of the address space. */
const ODD = [0, 1, 0x7f, 0xff, 0xfff, 0x1000, 0xffff, 0xf_ffff, 0x10_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/**
 * A damaged copy.
 *
 * @param file Not changed.
 * @param random Decides what is damaged.
 * @param from Where the header begins; most damage is done to it.
 * @param size Bytes of the header.
 * @returns A copy: cut off, with flipped bits, odd fields, blocks moved, or made longer.
 */
export function mutate(file: Uint8Array, random: Prng, from: number, size: number): Uint8Array<ArrayBuffer> {
  const kind = random.below(6);
  if (kind === 0) return Uint8Array.from(file.subarray(0, random.below(file.length + 1)));
  const bytes = new Uint8Array(kind === 1 ? file.length + random.below(5000) : file.length);
  bytes.set(file);
  const at = (): number => Math.min(from + random.below(size), bytes.length - 4);
  for (let n = 1 + random.below(4); n > 0 && bytes.length >= 4; n--) {
    if (kind <= 2) bytes[at()] ^= 1 << random.below(8);
    else if (kind === 3) field(bytes, at(), ODD[random.below(ODD.length)]);
    else if (kind === 4) bytes.copyWithin(at(), at(), Math.min(bytes.length, at() + random.below(64)));
    else bytes[random.below(bytes.length)] = random.below(256);
  }
  return bytes;
}

/** Overwrites an aligned 32-bit field. */
function field(bytes: Uint8Array<ArrayBuffer>, at: number, value: number): void {
  new DataView(bytes.buffer).setUint32(at & ~1, value, true);
}
