/**
 * The far end of a guest's serial line: what the guest wrote, and what is typed to it. Typing waits in a queue until the
 * device takes it, so a script may send a whole line at once. Cold.
 *
 * Text and queue belong to the machine's state: a snapshot keeps them, and after going back to one the text is what the
 * guest had written by then. Listeners stay.
 */
import type { Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";
import { checkVersion } from "./snapshot.ts";
import type { Condition } from "./until.ts";

/** Characters of output kept. */
const KEPT = 1 << 20;

/** How input reaches a device; false: it cannot take a byte now and will ask for it through {@linkcode SerialConsole.ready}. */
export type ByteSink = (byte: number) => boolean;

/** A terminal without a screen. */
export class SerialConsole {
  #text = "";
  #dropped = 0;
  #queue: number[] = [];
  #sink: ByteSink = () => false;
  readonly #listeners: Set<(byte: number) => void> = new Set();

  /** Everything the guest wrote, the newest mebibyte of it. */
  get text(): string {
    return this.#text;
  }

  /** Bytes the guest wrote since power-on. */
  get count(): number {
    return this.#dropped + this.#text.length;
  }

  /** Input not yet taken by the guest. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** The last `size` characters. */
  tail(size = 400): string {
    return this.#text.slice(-size);
  }

  /** Output after the first `count` bytes, see {@linkcode SerialConsole.count}. */
  since(count: number): string {
    return this.#text.slice(Math.max(0, count - this.#dropped));
  }

  /** Forgets the output, for scripts that look for the same text again. */
  clear(): void {
    this.#dropped += this.#text.length;
    this.#text = "";
  }

  /** Types a text (Latin-1) or bytes. */
  send(input: string | Uint8Array): void {
    const bytes = typeof input === "string" ? Array.from(input, (c) => c.charCodeAt(0) & 0xff) : [...input];
    for (const byte of bytes) this.#queue.push(byte);
    this.ready();
  }

  /** A condition for `until`: the output contains this text. True at once if it is there already. */
  contains(text: string): Condition {
    if (text === "") throw new ConfigError("until-text", "serial.contains needs a text that is not empty");
    return {
      name: `serial contains ${JSON.stringify(text)}`,
      test: () => this.#text.includes(text),
      listen: (_machine, fire) =>
        this.listen(() => {
          if (this.#text.endsWith(text)) fire();
        }),
    };
  }

  /** Calls `fn` for each byte the guest writes. @returns Removes it. */
  listen(fn: (byte: number) => void): () => void {
    this.#listeners.add(fn);
    return () => {
      this.#listeners.delete(fn);
    };
  }

  // --- for the device

  /** The guest wrote a byte. */
  put(byte: number): void {
    this.#text += String.fromCharCode(byte & 0xff);
    if (this.#text.length > 2 * KEPT) {
      this.#dropped += this.#text.length - KEPT;
      this.#text = this.#text.slice(-KEPT);
    }
    for (const fn of this.#listeners) fn(byte);
  }

  /** Connects the device's input. */
  connect(sink: ByteSink): void {
    this.#sink = sink;
    this.ready();
  }

  /** Text and queue, for a snapshot. */
  save(): Section {
    return { version: 1, fields: { text: this.#text, dropped: this.#dropped, queue: [...this.#queue] } };
  }

  /** Goes back to them. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    checkVersion("Section console", section.version, 1, 1);
    const f = section.fields as { text: string; dropped: number; queue: readonly number[] };
    this.#text = f.text;
    this.#dropped = f.dropped;
    this.#queue = [...f.queue];
  }

  /** The device can take input again. */
  ready(): void {
    while (this.#queue.length > 0 && this.#sink(this.#queue[0])) this.#queue.shift();
  }
}
