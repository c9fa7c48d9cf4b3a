/**
 * Numbers and memory as people read them: fixed-width hex and the classic dump. Pure. Cold.
 */

/** Hex with `0x` and at least `digits` digits; negative numbers are taken as i32. */
export function hex(value: number | bigint, digits = 8): string {
  if (typeof value === "number" && !Number.isInteger(value)) return String(value);
  const unsigned = typeof value === "number" && value < 0 && value >= -0x80000000 ? value >>> 0 : value;
  const [sign, text] = unsigned < 0 ? ["-", (-unsigned).toString(16)] : ["", unsigned.toString(16)];
  return `${sign}0x${text.padStart(digits, "0")}`;
}

/** Two hex digits without prefix. */
export function hex8(value: number): string {
  return (value & 0xff).toString(16).padStart(2, "0");
}

/** Four hex digits without prefix. */
export function hex16(value: number): string {
  return (value & 0xffff).toString(16).padStart(4, "0");
}

/** Eight hex digits without prefix. */
export function hex32(value: number): string {
  return (value >>> 0).toString(16).padStart(8, "0");
}

/** Bytes as hex pairs with a space between. */
export function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes, hex8).join(" ");
}

/**
 * Sixteen bytes a line: address, hex, printable ASCII.
 * @param at Address printed for the first byte, u32.
 */
export function hexdump(bytes: Uint8Array, at = 0): string {
  const lines: string[] = [];
  for (let i = 0; i < bytes.length; i += 16) {
    const row = bytes.subarray(i, i + 16);
    const left = hexBytes(row.subarray(0, 8)).padEnd(23);
    const right = hexBytes(row.subarray(8)).padEnd(23);
    const text = Array.from(row, (b) => b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".").join("");
    lines.push(`${hex32(at + i)}  ${left}  ${right}  |${text}|`);
  }
  return lines.join("\n");
}
