/**
 * The person's end of a guest's serial line: keys to the guest, with Ctrl-A as the key that speaks to vmikit instead;
 * output from the guest, with progress lines that never stand in its way. Cold.
 */
import type { Io } from "./io.ts";

/** The key that begins a command: Ctrl-A. */
const ESCAPE = 1;

/** What the keys after Ctrl-A do, for the person. */
export const KEYS = "Ctrl-A x ends the run, Ctrl-A a sends Ctrl-A, Ctrl-A h shows this";

/** What typed bytes come to. */
export interface Typed {
  /** For the guest. */
  readonly bytes: Uint8Array;
  /** End the run. */
  readonly quit: boolean;
  /** Show the keys. */
  readonly help: boolean;
}

/** Tells keys for the guest from keys for vmikit. A command may be split over several reads. */
export class KeyFilter {
  #escaped = false;

  /** Passes typed bytes through; nothing after the quit key counts. */
  take(typed: Uint8Array): Typed {
    const bytes: number[] = [];
    let help = false;
    for (const byte of typed) {
      if (!this.#escaped) {
        if (byte === ESCAPE) this.#escaped = true;
        else bytes.push(byte);
        continue;
      }
      this.#escaped = false;
      const key = String.fromCharCode(byte).toLowerCase();
      if (key === "x") return { bytes: Uint8Array.from(bytes), quit: true, help };
      if (key === "h" || key === "?") help = true;
      else if (key === "a" || byte === ESCAPE) bytes.push(ESCAPE);
      else bytes.push(ESCAPE, byte); // not a command: the guest gets both
    }
    return { bytes: Uint8Array.from(bytes), quit: false, help };
  }
}

/** Nothing is shown of work that is done sooner, in milliseconds. */
const QUIET = 2000;
/** Milliseconds between two progress lines. */
const EVERY = 500;

/** One line on standard error that says how far work is; only on a terminal, and gone before anything else is written. */
export class Progress {
  readonly #io: Io;
  #since: number;
  #shown = 0;
  #there = false;
  #midLine = false;

  /** @param io Its terminal decides whether anything is shown. */
  constructor(io: Io) {
    this.#io = io;
    this.#since = io.now();
  }

  /** Shows how far work is, if it has been quiet long enough. `text` is asked only when it is shown. */
  update(text: () => string): void {
    if (this.#io.terminal?.error !== true || this.#midLine) return;
    const now = this.#io.now();
    if (now - this.#since < QUIET || now - this.#shown < EVERY) return;
    this.#shown = now;
    this.#there = true;
    this.#io.err(`\r\x1b[2Kvmikit: ${text()}`);
  }

  /** Makes room for other output. A line that is not ended, such as a prompt, is not written over later. */
  before(text: string): void {
    this.clear();
    this.#midLine = !text.endsWith("\n");
  }

  /** Takes the line away, because something else is written or the work is done. */
  clear(): void {
    this.#since = this.#io.now();
    if (!this.#there) return;
    this.#there = false;
    this.#io.err("\r\x1b[2K");
  }
}
