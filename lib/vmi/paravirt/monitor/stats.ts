/**
 * Counters of a monitor: exits by reason, and whatever its parts count. Part of a snapshot, so that a resumed run counts on.
 * Warm.
 */

import type { CostName } from "../../../core/costs.ts";
import { priced } from "./prices.ts";

/** Named counters. */
export class Counters {
  /** Told of what has a price; set once, when the machine is there. */
  spend: (what: CostName, times: number) => void = () => {};
  readonly #counts: Map<string, number> = new Map();
  readonly #prices: Map<string, readonly CostName[]> = new Map();

  /** Counts one, and has it paid for. */
  count(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
    let prices = this.#prices.get(name);
    if (prices === undefined) this.#prices.set(name, prices = priced(name));
    for (const what of prices) this.spend(what, by);
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
