/**
 * Looks at what a ROM is to be built from: options and plans may come from a script. Cold.
 */
import { hex } from "../../base/hex.ts";
import { ConfigError } from "../../core/errors.ts";
import type { SlotPlan } from "./backend.ts";
import type { ParavirtRomOptions } from "./rom.ts";

/** A line of code: bytes in hex, a bar, the mnemonic. */
const LINE = /^\s*[0-9a-f]{2}(\s+[0-9a-f]{2})*\s*\|\s*\S/i;
const RELOCATIONS: readonly unknown[] = ["none", "nop", "call", "jump"];

/** @throws {ConfigError} rom-option */
export function checkRomOptions(options: ParavirtRomOptions): void {
  const { virtualTop = 0 } = options;
  const isPage = Number.isInteger(virtualTop) && virtualTop >= 0 && virtualTop < 2 ** 32 && virtualTop % 0x1000 === 0;
  if (!isPage) {
    const is = Number.isInteger(virtualTop) && virtualTop >= 0 ? hex(virtualTop) : String(virtualTop);
    throw refused("virtualTop", is, "give a 32-bit address that is a multiple of 4 KiB, or 0");
  }
  for (const name of ["api", "version"] as const) {
    const pair: unknown = options[name];
    const good = pair === undefined || (Array.isArray(pair) && pair.length === 2 && pair.every(isByte));
    if (!good) {
      throw refused(name, JSON.stringify(pair) ?? String(pair), "give two numbers from 0 to 255, [major, minor]");
    }
  }
  for (const name of ["licence", "manufacturer", "product"] as const) {
    const text: unknown = options[name];
    if (text === undefined || (typeof text === "string" && !text.includes("\0"))) continue;
    throw refused(name, JSON.stringify(text) ?? String(text), "give a string without a zero character");
  }
}

/** @throws {ConfigError} rom-slot */
export function checkPlan(plan: unknown, name: string, backend: string): asserts plan is SlotPlan {
  const { reloc, trap, code } = (plan ?? {}) as { reloc?: unknown; trap?: unknown; code?: unknown };
  if (!RELOCATIONS.includes(reloc)) {
    throw badPlan(name, backend, `"reloc" is ${String(reloc)}; it must be "none", "nop", "call" or "jump"`);
  }
  if (reloc === "none" || reloc === "nop") return;
  if (typeof trap !== "boolean") throw badPlan(name, backend, `"trap" is ${String(trap)}; it must be true or false`);
  if (!Array.isArray(code) || code.length === 0) throw badPlan(name, backend, `"code" must be a list of lines of code`);
  const bad: unknown = code.find((line) => typeof line !== "string" || !LINE.test(line));
  if (bad !== undefined) {
    throw badPlan(
      name,
      backend,
      `"${String(bad)}" is no line of code; write bytes in hex and a mnemonic, "0f 31 | rdtsc"`,
    );
  }
}

function isByte(n: unknown): boolean {
  return Number.isInteger(n) && (n as number) >= 0 && (n as number) <= 255;
}

function refused(name: string, is: string, hint: string): ConfigError {
  return new ConfigError("rom-option", `The ROM's ${name} cannot be ${is}; ${hint}`);
}

function badPlan(name: string, backend: string, why: string): ConfigError {
  return new ConfigError("rom-slot", `Backend ${backend} has no plan for ${name}: ${why}`);
}
