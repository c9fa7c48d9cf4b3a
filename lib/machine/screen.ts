/**
 * The text screen of a PC as a script reads it: 80 by 25 cells at 0xb8000. Nothing is rendered. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import type { MemoryView } from "./memory_view.ts";
import type { Condition } from "./until.ts";

/** Physical address of the first cell. */
export const TEXT_AT = 0xb8000;

/** Cells of a row, and rows. */
export const TEXT_SIZE = { columns: 80, rows: 25 } as const;

/** Text screen of one machine. */
export class TextScreen {
  readonly #memory: MemoryView;

  /** Reads cells from physical memory. */
  constructor(memory: MemoryView) {
    this.#memory = memory;
  }

  /** The rows without the blanks at their ends. Bytes outside ASCII are shown as `?`. */
  rows(): string[] {
    const { columns, rows } = TEXT_SIZE;
    const cells = this.#memory.peek(TEXT_AT, columns * rows * 2);
    return Array.from({ length: rows }, (_, row) => {
      let line = "";
      for (let column = 0; column < columns; column++) {
        const c = cells[(row * columns + column) * 2];
        line += c === 0 ? " " : c >= 0x20 && c < 0x7f ? String.fromCharCode(c) : "?";
      }
      return line.trimEnd();
    });
  }

  /** All rows, without empty ones at the end. */
  text(): string {
    return this.rows().join("\n").trimEnd();
  }

  /** A condition for `until`: the screen shows this text within one row. Looked at every 100 000 instructions. */
  contains(text: string): Condition {
    if (text === "") throw new ConfigError("until-text", "screen.contains needs a text that is not empty");
    return {
      name: `screen contains ${JSON.stringify(text)}`,
      test: () => this.rows().some((row) => row.includes(text)),
      every: 100_000,
    };
  }
}
