/**
 * Places in a table that were filled since it was last emptied, as long as they are few. Warm.
 */

/** Places that are emptied one by one; more are cheaper emptied all together. */
const MOST = 1024;

/** A list of places. */
export class Places {
  /** The places, {@linkcode Places.count} of them. */
  readonly at: Int32Array = new Int32Array(MOST);
  /** How many there are, more than are listed if it is full. */
  count = 0;

  /** True if some are not listed. */
  get isFull(): boolean {
    return this.count > MOST;
  }

  /** Adds one. */
  add(place: number): void {
    if (this.count < MOST) this.at[this.count] = place;
    this.count++;
  }

  /** Forgets them. */
  clear(): void {
    this.count = 0;
  }
}
