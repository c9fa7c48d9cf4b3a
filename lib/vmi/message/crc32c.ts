/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI uses it (RFC 3720, appendix B.4). Warm.
 */

let tables: readonly Int32Array[] | undefined;

/** Table 0 is that of one byte; table k is that of a byte with k zero bytes behind it. */
function makeTables(): readonly Int32Array[] {
  const first = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
    first[n] = c;
  }
  const all = [first];
  for (let k = 1; k < 4; k++) all.push(all[k - 1].map((c) => first[c & 0xff] ^ (c >>> 8)));
  return all;
}

/** Check value of `bytes`, u32; `seed` continues an earlier one. @param from First byte. @param to Behind the last. */
export function crc32c(bytes: Uint8Array, seed = 0, from = 0, to: number = bytes.length): number {
  const [t0, t1, t2, t3] = tables ??= makeTables();
  let c = ~seed;
  let i = from;
  for (const end = to - 3; i < end; i += 4) {
    const x = c ^ (bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24));
    c = t3[x & 0xff] ^ t2[(x >>> 8) & 0xff] ^ t1[(x >>> 16) & 0xff] ^ t0[x >>> 24];
  }
  for (; i < to; i++) c = t0[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}
