/**
 * The arguments of a call that a script makes, checked: their names, and that what they are given fits. Cold.
 */
import { ConfigError } from "../core/errors.ts";

/** Refuses what is no argument of a call; `bits` says how wide one is. @throws {ConfigError} inject-argument */
export function checkInjectedArgs(
  call: string,
  names: readonly string[],
  bits: (name: string) => 32 | 64,
  given: Readonly<Record<string, unknown>>,
): void {
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name)) {
      const known = names.join(", ") || "none";
      throw new ConfigError("inject-argument", `${call} has no argument "${name}"; its arguments: ${known}`);
    }
    const isInteger = typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
    if (!isInteger) {
      const found = typeof value === "string" ? JSON.stringify(value) : String(value);
      throw new ConfigError("inject-argument", `${name} of ${call} is ${found}; give an integer or a bigint`);
    }
    const width = BigInt(bits(name)), n = BigInt(value as number | bigint);
    if (n < -(1n << (width - 1n)) || n >= 1n << width) {
      throw new ConfigError("inject-argument", `${name} of ${call} is ${n}, which ${width} bits do not hold`);
    }
  }
}
