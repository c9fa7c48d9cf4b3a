/**
 * Translation look-aside tables: for each linear page where its bytes lie in the WebAssembly memory, if an access may
 * go there at once.
 *
 * Four tables of 2^20 words, {read, write} x {supervisor, user}. The entry of page p is `host ^ p << 12`, so that
 * `entry ^ linear` is the host address; anything unusual (not present, MMIO, read-only, watched, page with code on the
 * write side, dirty bit not set) gives bit 31 instead: one test covers all. A list of filled pages makes flushes cheap.
 *
 * Where code alone keeps a page from being written at once, and the code is this CPU's own, the entry is the usual one
 * with bit 31 the other way: `entry ^ linear` is then the host address with bit 31 set, for an engine that knows which
 * bytes of the page its code was made from. An entry in whose lower 31 bits nothing is set says nothing.
 *
 * In the upper half of the linear addresses a word of zero is already invalid, since the address has bit 31; only lower
 * halves must be filled, and user tables not before user code runs. So a CPU that never ran takes no memory here.
 * Sources: SDM-3A 4.10. Hot.
 */

/** Bytes of one table. */
export const TABLE_BYTES: number = 4 << 20;

/** Bytes of all four tables. */
export const TLB_BYTES: number = 4 * TABLE_BYTES;

/** Entry in the lower half of which no fast access is allowed; in the upper half it is zero. */
const INVALID = 0x80000000 | 0;

const N: number = TABLE_BYTES >>> 2;

/** Pages listed before a compaction; more means that pages are filled and dropped over and over. */
const MAX_LISTED = 1 << 16;

/** The tables of one CPU. */
export class Tlb {
  /** All entries: supervisor read, supervisor write, user read, user write. */
  readonly entries: Int32Array;
  /** Byte address of the tables in the WebAssembly memory. */
  readonly at: number;
  #local: Int32Array = new Int32Array(MAX_LISTED);
  #localCount = 0;
  #global: Int32Array = new Int32Array(MAX_LISTED);
  #globalCount = 0;
  #system = false;
  #user = false;
  /** Pages entered that were not there, since the tables were made. */
  fills = 0;

  /** @param memory The machine's memory. @param at Byte address of {@linkcode TLB_BYTES}, 4-byte aligned. */
  constructor(memory: WebAssembly.Memory, at: number) {
    this.at = at;
    this.entries = new Int32Array(memory.buffer, at, TLB_BYTES >>> 2);
  }

  /** Makes the tables fit for use: before the first access, and before the first at user privilege. */
  prepare(user: boolean): void {
    if (!this.#system) {
      this.#system = true;
      this.#clear(0);
      this.#clear(N);
    }
    if (!user || this.#user) return;
    this.#user = true;
    this.#clear(2 * N);
    this.#clear(3 * N);
  }

  /** Byte address of the table for reads or writes at a privilege. */
  table(write: boolean, user: boolean): number {
    return this.at + (user ? 2 * TABLE_BYTES : 0) + (write ? TABLE_BYTES : 0);
  }

  /**
   * Enters a page. `page` is the linear page number, `host` the byte address of its bytes, the flags say which fast
   * accesses are allowed; `code`: those that write only for an engine that knows its code.
   */
  fill(
    page: number,
    host: number,
    read: boolean,
    write: boolean,
    userRead: boolean,
    userWrite: boolean,
    global: boolean,
    code: boolean,
  ): void {
    const e = this.entries;
    const tag = page << 12;
    const no = INVALID & ~tag, yes = host ^ tag, written = code ? yes ^ INVALID : yes;
    if (e[page] === no && e[page + N] === no && (!this.#user || e[page + 2 * N] === no)) this.#list(page, global);
    e[page] = read ? yes : no;
    e[page + N] = write ? written : no;
    if (!this.#user) return;
    e[page + 2 * N] = userRead ? yes : no;
    e[page + 3 * N] = userWrite ? written : no;
  }

  /** Drops one page. */
  flushPage(page: number): void {
    const e = this.entries;
    const no = INVALID & ~(page << 12);
    e[page] = no;
    e[page + N] = no;
    if (!this.#user) return;
    e[page + 2 * N] = no;
    e[page + 3 * N] = no;
  }

  /** Drops all translations, those of global pages only if `all`. */
  flush(all: boolean): void {
    for (let i = 0; i < this.#localCount; i++) this.flushPage(this.#local[i]);
    this.#localCount = 0;
    if (!all) return;
    for (let i = 0; i < this.#globalCount; i++) this.flushPage(this.#global[i]);
    this.#globalCount = 0;
  }

  /**
   * Drops the write side of every page whose bytes lie at host page `host`, which holds code now; `code`: that is left
   * to an engine that knows it.
   */
  protect(host: number, code: boolean): void {
    for (let i = 0; i < this.#localCount; i++) this.#protectOne(this.#local[i], host, code);
    for (let i = 0; i < this.#globalCount; i++) this.#protectOne(this.#global[i], host, code);
  }

  #protectOne(page: number, host: number, code: boolean): void {
    const e = this.entries;
    const tag = page << 12, yes = host ^ tag, marked = yes ^ INVALID;
    const instead = code ? marked : INVALID & ~tag;
    if (e[page + N] === yes || e[page + N] === marked) e[page + N] = instead;
    if (this.#user && (e[page + 3 * N] === yes || e[page + 3 * N] === marked)) e[page + 3 * N] = instead;
  }

  #clear(table: number): void {
    this.entries.fill(INVALID, table, table + (N >>> 1));
  }

  #list(page: number, global: boolean): void {
    this.fills++;
    if (this.#localCount === MAX_LISTED || this.#globalCount === MAX_LISTED) this.flush(true);
    if (global) this.#global[this.#globalCount++] = page;
    else this.#local[this.#localCount++] = page;
  }
}
