/**
 * How long to look before sleeping. A wake-up costs many times what a message costs, so whoever expects one soon looks for
 * it for a short while: no longer than a few wake-ups take. The time halves each time nothing came, is whole again when
 * something did, and is tried whole now and then; so a process that idles sleeps, and one whose peer shares its CPU
 * loses little.
 *
 * Where nobody rings a sleeper, what comes soon after a look in vain found the peer asleep, which says nothing against
 * looking: two that nap by turns would otherwise both learn to nap. Such a patience forgives that. Hot.
 */

/** Shortest look, us. */
const LEAST_US = 1;
/** Looks in vain after which the whole time is tried again. */
const TRY_AGAIN = 64;
/** Looks between two looks at the clock. */
const LOOKS = 16;
/** Whole looks within which something is late, not absent. */
const LATE = 8;
/** So often in a row being late is forgiven. */
const FORGIVEN = 16;

/** A bounded look that learns. */
export class Patience {
  readonly #mostUs: number;
  readonly #forgives: boolean;
  readonly #now: () => number;
  #us: number;
  #inVain = 0;
  #late = 0;
  /** When the look began that was in vain and is not judged yet; ms. */
  #since: number | undefined;

  /**
   * Makes one.
   *
   * @param mostUs Longest look, us; 0: none, because whoever is waited for needs this CPU.
   * @param forgives Does it forgive what is late? Then it is told what came.
   * @param now The clock, ms.
   */
  constructor(mostUs: number, forgives: boolean, now: () => number = () => performance.now()) {
    this.#mostUs = mostUs;
    this.#forgives = forgives;
    this.#now = now;
    this.#us = mostUs;
  }

  /** Looks for a while; true: there is something. */
  look(has: () => boolean): boolean {
    if (has()) return !this.#forgives || this.#paid();
    if (this.#mostUs === 0) return false;
    if (this.#since !== undefined) this.#despair();
    const start = this.#now();
    const end = start + this.#us / 1000;
    do {
      for (let i = 0; i < LOOKS; i++) {
        if (has()) return this.#paid();
      }
    } while (this.#now() < end);
    this.#since = start;
    if (!this.#forgives) this.#despair();
    return false;
  }

  /** Something came, found by a look or after one. */
  came(): void {
    if (this.#since === undefined) return;
    const isLate = this.#now() - this.#since < (LATE * this.#mostUs) / 1000;
    if (isLate && this.#late < FORGIVEN) {
      this.#late++;
      this.#since = undefined;
    } else this.#despair();
  }

  #paid(): true {
    this.#us = this.#mostUs;
    this.#late = 0;
    this.#since = undefined;
    return true;
  }

  #despair(): void {
    this.#since = undefined;
    const again = ++this.#inVain % TRY_AGAIN === 0;
    this.#us = again ? this.#mostUs : Math.max(LEAST_US, this.#us / 2);
    if (again) this.#late = 0;
  }
}
