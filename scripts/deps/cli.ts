/**
 * The command-line framework behind one name: commands, options and arguments whose types are inferred.
 *
 * The part that Cliffy plays elsewhere is played by commander with inferred types, because Cliffy is published to jsr: only.
 * What a Cliffy user expects is here under its usual name: `Command`, `Option`, `Argument`, `ValidationError`, and an
 * `integer` value parser. Build the program in a function so that tests can drive it, and call
 * `parseAsync(args, { from: "user" })`: without `from` two arguments are dropped. Cold.
 */

import { InvalidArgumentError } from "npm:@commander-js/extra-typings@15.1.0";

export {
  Argument,
  Command,
  CommanderError,
  Help,
  InvalidArgumentError,
  Option,
} from "npm:@commander-js/extra-typings@15.1.0";
export { InvalidArgumentError as ValidationError } from "npm:@commander-js/extra-typings@15.1.0";

/**
 * A value parser for whole numbers written in decimal, in hex (`0x7c00`), or with a unit (`16K`, `4M`, `1G`, powers of 1024).
 *
 * @param what What the number counts, used in the message: `"a number of MiB"`.
 * @param range Smallest and largest value accepted; default 0 to 2^53-1.
 * @returns A function for `.option(flags, text, parser)`.
 */
export function integer(what: string, range: { min?: number; max?: number } = {}): (text: string) => number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = range;
  return (text: string): number => {
    const parts = /^(0x[0-9a-f]+|\d[\d_]*)([KMG])?$/i.exec(text);
    if (parts === null) throw new InvalidArgumentError(`Expected ${what}, for example 4096, 0x1000 or 4K.`);
    const unit = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 }[(parts[2] ?? "").toUpperCase()] ?? 1;
    const value = Number((parts[1] ?? "").replaceAll("_", "")) * unit;
    if (!Number.isSafeInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`Expected ${what} from ${min} to ${max}.`);
    }
    return value;
  };
}
