/**
 * What direct paging keeps beside the guest's tables: where slots lead, large pages in small ones, and the one instruction
 * that is stepped over an open entry. Cold data.
 */

/** Where a slot leads. */
export interface Link {
  /** Frame of the guest's table, or of the monitor's for a large page. */
  readonly frame: number;
  /** Low bits of the slot's entry. */
  readonly rights: number;
}

/** A large page in small ones. */
export interface Split {
  /** Physical address of the page. */
  readonly page: number;
  /** Bytes an entry. */
  readonly bytes: number;
  /** The global bit. */
  readonly global: number;
  /** Physical address of the table. */
  readonly at: number;
}

/** An instruction being stepped over an open entry. */
export interface Step {
  /** Address of the entry that is open. */
  readonly at: number;
  /** Frame that is written. */
  readonly frame: number;
  /** Is it a page table? Otherwise the guest's kernel writes where its entry forbids it. */
  readonly isTable: boolean;
  /** Did the guest step itself? */
  readonly ownStep: boolean;
  /** The opening has ended, the step has not. */
  readonly closed: boolean;
}
