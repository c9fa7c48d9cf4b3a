/**
 * How long to look before sleeping. A wake-up costs many times what a message costs, so whoever expects one soon looks for
 * it for a short while: no longer than a few wake-ups take. The time halves each time nothing came, is whole again when
 * something did, and is tried whole now and then; so a process that idles sleeps, and one whose peer shares its CPU
 * loses little. Hot.
 */

/** Shortest look, us. */
const LEAST_US = 1;
/** Looks between two looks at the clock. */
const LOOKS = 16;

/** A bounded look that learns. */
export class Patience {
  readonly #mostUs: number;
  readonly #tryAgain: number;
  readonly #now: () => number;
  #us: number;
  #inVain = 0;

  /**
   * Makes one.
   *
   * @param mostUs Longest look, us; 0: none, because whoever is waited for needs this CPU.
   * @param tryAgain Looks in vain after which the whole time is tried again.
   * @param now The clock, ms.
   */
  constructor(mostUs: number, tryAgain = 64, now: () => number = () => performance.now()) {
    this.#mostUs = mostUs;
    this.#tryAgain = tryAgain;
    this.#now = now;
    this.#us = mostUs;
  }

  /** Looks for a while; true: there is something. */
  look(has: () => boolean): boolean {
    if (has()) return true;
    if (this.#mostUs === 0) return false;
    const end = this.#now() + this.#us / 1000;
    do {
      for (let i = 0; i < LOOKS; i++) {
        if (!has()) continue;
        this.#us = this.#mostUs;
        return true;
      }
    } while (this.#now() < end);
    const again = ++this.#inVain % this.#tryAgain === 0;
    this.#us = again ? this.#mostUs : Math.max(LEAST_US, this.#us / 2);
    return false;
  }
}
