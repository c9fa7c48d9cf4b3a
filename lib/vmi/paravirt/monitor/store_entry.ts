/**
 * Stores an entry of a page table so that a present one of 64 bits never shows torn. Warm.
 */
import type { PhysicalWords } from "../../../core/monitor.ts";

/** Stores an entry of 4 bytes, or of 8 if there is a `high`. */
export function storeEntry(words: PhysicalWords, at: number, low: number, high: number | undefined): void {
  if (high !== undefined && (low & 1) !== 0) words.write32(at + 4, high | 0);
  words.write32(at, low | 0);
  if (high !== undefined && (low & 1) === 0) words.write32(at + 4, high | 0);
}
