/**
 * For each page frame the addresses of the entries that map it. Most frames have one, which then stands by itself. Warm.
 */

/** Sets of entry addresses by frame. */
export class EntrySets {
  readonly #by: Map<number, number | Set<number>> = new Map();

  /** Enters one. */
  add(frame: number, at: number): void {
    const now = this.#by.get(frame);
    if (now === undefined) this.#by.set(frame, at);
    else if (typeof now === "number") {
      if (now !== at) this.#by.set(frame, new Set([now, at]));
    } else now.add(at);
  }

  /** Takes one out. @returns True if it was there. */
  remove(frame: number, at: number): boolean {
    const now = this.#by.get(frame);
    if (now === at) return this.#by.delete(frame);
    if (now === undefined || typeof now === "number" || !now.delete(at)) return false;
    if (now.size === 0) this.#by.delete(frame);
    return true;
  }

  /** Takes all of a frame out. */
  take(frame: number): readonly number[] {
    const now = this.#by.get(frame);
    this.#by.delete(frame);
    return now === undefined ? [] : typeof now === "number" ? [now] : [...now];
  }

  /** Forgets all. */
  clear(): void {
    this.#by.clear();
  }

  /** Frame and address in turn, in a fixed order. */
  save(): number[] {
    const pairs: [number, number][] = [];
    for (const [frame, at] of this.#by) {
      for (const one of typeof at === "number" ? [at] : at) pairs.push([frame, one]);
    }
    return pairs.sort(([a, b], [c, d]) => a - c || b - d).flat();
  }

  /** Restores them. */
  load(pairs: readonly number[]): void {
    this.#by.clear();
    for (let i = 0; i < pairs.length; i += 2) this.add(pairs[i] ?? 0, pairs[i + 1] ?? 0);
  }
}
