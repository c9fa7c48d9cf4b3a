/**
 * Checks what a script has written by name, and finds what it may have meant. Cold.
 */
import { ConfigError } from "./errors.ts";

/**
 * Refuses keys nobody reads, naming the nearest one that exists.
 * @throws {ConfigError} config-key
 */
export function checkKeys(what: string, value: object, known: readonly string[]): void {
  for (const key of Object.keys(value)) {
    if (known.includes(key)) continue;
    const best = nearest(key, known);
    const hint = best === undefined ? `it knows ${known.join(", ")}` : `did you mean "${best}"`;
    throw new ConfigError("config-key", `Unknown key "${key}" of ${what}; ${hint}`);
  }
}

/** The word that needs the fewest edits, if it needs few. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const other of words) {
    const d = distance(word.toLowerCase(), other.toLowerCase());
    if (d < least) [best, least] = [other, d];
  }
  return best;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(next[j - 1] + 1, row[j] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
