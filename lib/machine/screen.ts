/**
 * The text screen of a PC as a script reads it: the visible page of the display adapter. Nothing is rendered. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import type { Condition } from "./until.ts";

/** Physical address of the first cell. */
export const TEXT_AT = 0xb8000;

/** Cells of a row, and rows. */
export const TEXT_SIZE = { columns: 80, rows: 25 } as const;

/** Where the characters come from: a display adapter. */
export interface ScreenSource {
  /** Rows of the visible page, as characters. */
  text(): readonly string[];
  /** Where the cursor is. */
  readonly cursor: { readonly row: number; readonly column: number; readonly visible: boolean };
}

/** Text screen of one machine. */
export class TextScreen {
  readonly #source: ScreenSource;

  /** Reads what an adapter shows. */
  constructor(source: ScreenSource) {
    this.#source = source;
  }

  /** The rows without the blanks at their ends. Bytes outside ASCII are shown as `?`. */
  rows(): string[] {
    return this.#whole().map((row) => row.trimEnd());
  }

  /** The rows, blanks at their ends and all. */
  #whole(): string[] {
    return this.#source.text().map((row) => row.replaceAll(/[^ -~]/g, "?"));
  }

  /** Where the cursor is, rows and columns from 0. */
  get cursor(): { readonly row: number; readonly column: number; readonly visible: boolean } {
    return this.#source.cursor;
  }

  /** All rows, without empty ones at the end. */
  text(): string {
    return this.rows().join("\n").trimEnd();
  }

  /**
   * A condition for `until`: the screen shows this text within one row, blanks at its end included (`"# "` is a prompt).
   * Looked at every 100 000 instructions.
   */
  contains(text: string): Condition {
    if (text === "") throw new ConfigError("until-text", "screen.contains needs a text that is not empty");
    return {
      name: `screen contains ${JSON.stringify(text)}`,
      test: () => this.#whole().some((row) => row.includes(text)),
      every: 100_000,
    };
  }
}
