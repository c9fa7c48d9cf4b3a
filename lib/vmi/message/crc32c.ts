/**
 * CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), as iSCSI uses it (RFC 3720, appendix B.4). Warm.
 */

let table: Int32Array | undefined;

function makeTable(): Int32Array {
  const t = new Int32Array(256);
  for (let n = 0; n < 256; n++) {
    let c = n;
    for (let k = 0; k < 8; k++) c = (c & 1) !== 0 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
    t[n] = c;
  }
  return t;
}

/** Check value of `bytes`, u32; `seed` continues an earlier one. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  const t = table ??= makeTable();
  let c = ~seed;
  for (let i = 0; i < bytes.length; i++) c = t[(c ^ bytes[i]) & 0xff] ^ (c >>> 8);
  return ~c >>> 0;
}
