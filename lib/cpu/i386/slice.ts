/**
 * The count of the running slice: how many instructions are left, and the part of it that is held back while somebody
 * wants the engine to stop early. Engines see only `Layout.count`. Warm.
 */
import { type CpuState, Layout } from "./state.ts";

/** Count of one CPU. */
export class Slice {
  readonly #s: CpuState;
  #limit = 0;
  #held = 0;

  /** @param s State block. */
  constructor(s: CpuState) {
    this.#s = s;
  }

  /** Begins a slice of `limit` instructions. */
  begin(limit: number): void {
    this.#limit = limit;
    this.#held = 0;
    this.#s.set(Layout.count, limit);
  }

  /** Ends it. @returns Ticks done. */
  end(): number {
    this.release();
    const done = this.elapsed();
    this.#s.set(Layout.count, 0);
    this.#limit = 0;
    return done;
  }

  /** Ticks done since the slice began. */
  elapsed(): number {
    return this.#limit - this.#s.get(Layout.count) - this.#held;
  }

  /** Uses one tick. */
  tick(): void {
    this.#s.set(Layout.count, this.#s.get(Layout.count) - 1);
  }

  /** Makes the slice end no later than `ticks` after its begin. */
  shorten(ticks: number): void {
    const limit = Math.min(this.#limit, Math.max(ticks, this.elapsed()));
    let cut = this.#limit - limit;
    this.#limit = limit;
    const fromHeld = Math.min(cut, this.#held);
    this.#held -= fromHeld;
    cut -= fromHeld;
    this.#s.set(Layout.count, this.#s.get(Layout.count) - cut);
  }

  /** Holds back all but `left` ticks: the engine finds its count used up after them. */
  hold(left: number): void {
    const count = this.#s.get(Layout.count);
    if (count <= left) return;
    this.#held += count - left;
    this.#s.set(Layout.count, left);
  }

  /** Gives back what was held. */
  release(): void {
    if (this.#held === 0) return;
    this.#s.set(Layout.count, this.#s.get(Layout.count) + this.#held);
    this.#held = 0;
  }
}
