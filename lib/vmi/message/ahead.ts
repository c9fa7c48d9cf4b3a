/**
 * Messages that count as taken before the program takes them: while it waits in a collective operation, what its peers
 * sent before they entered it must not use up their credit, or the operation's own messages would never come. The host
 * holds them meanwhile, up to a limit. Warm.
 */
import { WAITING_FRAME } from "./frame.ts";

/** What waits for one program. */
export class Ahead<T extends object> {
  readonly #limit: number;
  readonly #size: (item: T) => number;
  readonly #settle: (item: T) => void;
  readonly #counted: WeakSet<T> = new WeakSet();
  #inside = 0;
  #held = 0;

  /** Makes one. @param limit Bytes held at most. @param size Bytes of one. @param settle Lets its sender go on. */
  constructor(limit: number, size: (item: T) => number, settle: (item: T) => void) {
    this.#limit = limit;
    this.#size = size;
    this.#settle = settle;
  }

  /** A collective operation begins. @param waiting What is there already. */
  begin(waiting: readonly T[]): void {
    this.#inside++;
    for (const item of waiting) this.arrived(item);
  }

  /** One has ended. */
  end(): void {
    this.#inside--;
  }

  /** Something came that the program does not take now. */
  arrived(item: T): void {
    if (this.#inside === 0 || this.#counted.has(item)) return;
    const cost = this.#size(item) + WAITING_FRAME;
    if (this.#held + cost > this.#limit) return;
    this.#held += cost;
    this.#counted.add(item);
    this.#settle(item);
  }

  /** The program takes it. */
  taken(item: T): void {
    if (this.#counted.delete(item)) this.#held -= this.#size(item) + WAITING_FRAME;
    else this.#settle(item);
  }
}
