/**
 * Soft constants: bytes of an instruction that are rewritten over and over, as its immediate or its displacement, are
 * read from memory each time it is executed. A write to them is a write to data then. Warm.
 */
import { type Decoded, LONGEST_INSTRUCTION } from "../../decode.ts";
import { type Field, fieldsOf } from "../../fields.ts";
import type { VolatileCode } from "./volatile.ts";

/** No constant is soft. */
export const NO_FIELDS: readonly Field[] = [];

/**
 * The constants of the instruction at an offset of a page that are rewritten over and over; undefined: other bytes of it
 * are as well, so they are of no use.
 */
export function softFields(code: VolatileCode, pfn: number, offset: number, d: Decoded): readonly Field[] | undefined {
  if (!code.has(pfn, offset, offset + Math.max(1, Math.min(d.length, LONGEST_INSTRUCTION)))) return NO_FIELDS;
  if (offset + d.length > 0x1000) return undefined;
  const fields = fieldsOf(d).filter((f) => code.has(pfn, offset + f.at, offset + f.at + f.size));
  for (let at = 0; at < d.length; at++) {
    if (code.has(pfn, offset + at, offset + at + 1) && !fields.some((f) => at >= f.at && at < f.at + f.size)) {
      return undefined;
    }
  }
  return fields;
}
