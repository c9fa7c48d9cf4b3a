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
  /** Virtual time at which the count would be 0. */
  #zero = NaN;

  /** @param s State block. */
  constructor(s: CpuState) {
    this.#s = s;
  }

  /** Begins a slice of `limit` instructions at virtual time `now`; NaN: time goes by in other ways as well. */
  begin(limit: number, now: number): void {
    this.#limit = limit;
    this.#held = 0;
    this.#s.set(Layout.count, limit);
    this.#zero = Number.isSafeInteger(now) ? now + limit : NaN;
    this.#s.set(Layout.timeKnown, Number.isNaN(this.#zero) ? 0 : 1);
    this.#noteTime();
  }

  /** Sets the count where no time goes by. */
  #setCount(count: number): void {
    this.#zero += count - this.#s.get(Layout.count);
    this.#s.set(Layout.count, count);
    this.#noteTime();
  }

  #noteTime(): void {
    this.#s.set(Layout.timeLow, this.#zero | 0);
    this.#s.set(Layout.timeHigh, Math.floor(this.#zero / 0x1_0000_0000));
  }

  /** Ends it. @returns Ticks done. */
  end(): number {
    this.release();
    const done = this.elapsed();
    this.#s.set(Layout.count, 0);
    this.#s.set(Layout.timeKnown, 0);
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
    if (cut !== 0) this.#setCount(this.#s.get(Layout.count) - cut);
  }

  /** Holds back all but `left` ticks: the engine finds its count used up after them. */
  hold(left: number): void {
    const count = this.#s.get(Layout.count);
    if (count <= left) return;
    this.#held += count - left;
    this.#setCount(left);
  }

  /** Gives back what was held. */
  release(): void {
    if (this.#held === 0) return;
    this.#setCount(this.#s.get(Layout.count) + this.#held);
    this.#held = 0;
  }
}
