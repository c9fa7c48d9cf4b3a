/**
 * What a script hands over when it adds a hook, checked: scripts run unchecked by types, too, and a hook that can never
 * fire is to be refused where it is added. Cold.
 */
import type { Width } from "./bus.ts";
import { ConfigError } from "./errors.ts";
import type { CodeEvent, InstructionMatch, MemoryAccess, MemoryWatch } from "./hook_events.ts";
import type { HypercallHook, InstructionHook, VectorHook } from "./hook_kinds.ts";
import { checkKeys, nearest } from "./keys.ts";

const ACCESSES: readonly MemoryAccess[] = ["read", "write", "execute"];

/** Refuses what is no function. @param how What was called, as it should have been. @throws {ConfigError} hook-function */
export function checkCallback(how: string, fn: unknown): void {
  if (typeof fn === "function") return;
  throw new ConfigError("hook-function", `${how} needs a function to call, not ${shown(fn)}`);
}

/** The hook of an interrupt or fault. @throws {ConfigError} hook-function, hook-vector */
export function vectorHook<E>(
  name: string,
  vector: number | undefined,
  most: number,
  fn: (event: E) => void,
): VectorHook<E> {
  const how = `${name}(vector, fn)`;
  if (vector !== undefined && !(Number.isInteger(vector) && vector >= 0 && vector <= most)) {
    const wanted = `a number from 0 to ${most}, or undefined for all`;
    throw new ConfigError("hook-vector", `The vector of ${how} is ${wanted}, not ${shown(vector)}`);
  }
  checkCallback(how, fn);
  return { vector, fn };
}

/** The hook of a mnemonic. @throws {ConfigError} hook-function, hook-mnemonic */
export function instructionHook(match: InstructionMatch, fn: (event: CodeEvent) => void): InstructionHook {
  checkCallback("onInstruction(match, fn)", fn);
  if (typeof match === "function") return { match, fn };
  if (typeof match !== "string" || match.trim() === "") {
    throw new ConfigError(
      "hook-mnemonic",
      `onInstruction(match, fn) needs a mnemonic or a function, not ${shown(match)}`,
    );
  }
  const wanted = match.trim().toLowerCase();
  return { match: (mnemonic) => mnemonic === wanted, fn };
}

/**
 * The hook of a hypercall. `names` are those that the machine's hypervisor interfaces know; undefined: nobody can say.
 * @throws {ConfigError} hook-function, hypercall-name, no-hypervisor
 */
export function hypercallHook(
  name: string | undefined,
  fn: HypercallHook["fn"],
  names: readonly string[] | undefined,
): HypercallHook {
  checkCallback("onHypercall(name, fn)", fn);
  if (name === undefined || (names?.includes(name) ?? typeof name === "string")) return { name, fn };
  if (names?.length === 0) {
    const hint = "use vmiPc(), or pc() with a personality";
    throw new ConfigError(
      "no-hypervisor",
      `Nobody answers ${shown(name)}: the guest has no hypervisor to call; ${hint}`,
    );
  }
  const best = typeof name === "string" && names !== undefined ? nearest(name, names) : undefined;
  const hint = best === undefined ? `its calls: ${names?.join(", ")}` : `did you mean "${best}"`;
  throw new ConfigError("hypercall-name", `This machine's hypervisor has no call ${shown(name)}; ${hint}`);
}

/** What a watch of memory asks for. @throws {ConfigError} hook-function, config-key, hook-access */
export function memoryWatch(watch: MemoryWatch, fn: unknown): {
  readonly range: { readonly at: number; readonly size: number };
  readonly read: boolean;
  readonly write: boolean;
  readonly execute: boolean;
} {
  const how = "onMemory({ at, size, access }, fn)";
  checkCallback(how, fn);
  if (typeof watch !== "object" || watch === null) {
    throw new ConfigError("hook-access", `The watch of ${how} is an object, not ${shown(watch)}`);
  }
  checkKeys("a memory watch", watch, ["at", "size", "access"]);
  const { at, size = 1, access = ["read", "write"] } = watch;
  const wanted: readonly string[] = typeof access === "string" ? [access] : access;
  const wrong = wanted.length === 0 ? "none" : wanted.find((a) => !ACCESSES.includes(a as MemoryAccess));
  if (wrong !== undefined) {
    throw new ConfigError(
      "hook-access",
      `The access of ${how} is read, write or execute, or some of them, not ${wrong}`,
    );
  }
  const has = (one: MemoryAccess): boolean => wanted.includes(one);
  return { range: { at, size }, read: has("read"), write: has("write"), execute: has("execute") };
}

/** What a port hook has left as the value, cut to the width; warm. @throws {ConfigError} hook-value */
export function portValue(value: unknown, width: Width): number {
  if (typeof value !== "number" || !Number.isInteger(value)) {
    throw new ConfigError("hook-value", `A port hook leaves an integer as the event's value, not ${shown(value)}`);
  }
  return width === 32 ? value >>> 0 : value & ((1 << width) - 1);
}

/** A value in a message. */
export function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "function") return "a function";
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
