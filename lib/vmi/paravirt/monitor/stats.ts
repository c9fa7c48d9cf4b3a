/**
 * Counters of a monitor: exits by reason, and whatever its parts count. Part of a snapshot, so that a resumed run counts on.
 * Warm.
 */

/** Named counters. */
export class Counters {
  readonly #counts: Map<string, number> = new Map();

  /** Counts one. */
  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  /** All of them, by name. */
  all(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => a < b ? -1 : 1));
  }

  /** Sets them all; those that are missing are 0. */
  set(counts: Readonly<Record<string, number>>): void {
    this.#counts.clear();
    for (const [name, n] of Object.entries(counts)) this.#counts.set(name, n);
  }
}
