/**
 * A person at the keyboard: text becomes key presses, one key every ten virtual milliseconds, so that no buffer of the
 * guest overflows and every run types alike. US layout. Warm only while typing.
 */
import type { Section } from "../core/component.ts";
import type { Timer } from "../core/clock.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { ConfigError } from "../core/errors.ts";
import { checkVersion } from "./snapshot.ts";

/** Presses and releases a key by its set 1 make code. */
export type KeySink = (code: number, down: boolean) => void;

/** Keys without and with shift, by set 1 make code; a space stands for a key that makes no such character. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x0f, "\tqwertyuiop[]\n", "\tQWERTYUIOP{}\n"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", " "],
];
const SHIFT = 0x2a;
const ESCAPE = 0x01;
const BACKSPACE = 0x0e;
/** Keys a second. */
const RATE = 100;

/** Keyboard of one machine, typed by a script. */
export class Keyboard implements Device {
  /** Name of the component. */
  readonly name: string = "typist";
  readonly #sink: KeySink;
  #waiting: number[] = [];
  #host: DeviceHost | undefined;
  #timer: Timer | undefined;

  /** Types into `sink`. */
  constructor(sink: KeySink) {
    this.#sink = sink;
  }

  /** Key movements that have not happened yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Types a text: printable ASCII, newline (Enter), tab, backspace (\b) and escape (\x1b).
   * @throws {ConfigError} keyboard-key
   */
  type(text: string): void {
    for (const character of text) this.#waiting.push(...movements(character));
    this.#arm();
  }

  /** Presses and releases one key by its set 1 make code; 0xe000 added: an extended key. */
  press(code: number): void {
    this.#waiting.push(code, -code);
    this.#arm();
  }

  /** See {@linkcode Device.attach}. */
  attach(host: DeviceHost): void {
    this.#host = host;
    this.#timer = host.clock.timer("typist", () => {
      const code = this.#waiting.shift();
      if (code !== undefined) this.#sink(Math.abs(code), code > 0);
      this.#arm();
    });
  }

  /** Stops typing. */
  reset(): void {
    this.#waiting = [];
    this.#timer?.cancel();
  }

  /** What is still to be typed. */
  save(): Section {
    return { version: 1, fields: { waiting: [...this.#waiting] } };
  }

  /** Restores. @throws {ConfigError} snapshot-version */
  load(section: Section): void {
    checkVersion("Section typist", section.version, 1, 1);
    this.#waiting = [...(section.fields as unknown as { waiting: number[] }).waiting];
  }

  #arm(): void {
    const { clock } = this.#host ?? {};
    if (clock === undefined || this.#timer === undefined || this.#timer.deadline !== Infinity) return;
    if (this.#waiting.length > 0) this.#timer.armAt(Math.ceil(clock.now + clock.hz / RATE / 2));
  }
}

/** Make codes, negative for releases. */
function movements(character: string): number[] {
  if (character === "\x1b") return [ESCAPE, -ESCAPE];
  if (character === "\b") return [BACKSPACE, -BACKSPACE];
  for (const [first, plain, shifted] of ROWS) {
    const at = plain.indexOf(character);
    if (at >= 0) return [first + at, -(first + at)];
    const upper = shifted.indexOf(character);
    if (upper >= 0) return [SHIFT, first + upper, -(first + upper), -SHIFT];
  }
  throw new ConfigError("keyboard-key", `No key of the US layout makes ${JSON.stringify(character)}; use press(code)`);
}
