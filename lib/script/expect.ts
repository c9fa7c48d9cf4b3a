/**
 * Assertions for scripts about machines. They print what a person needs: numbers in hex, and where the machine that ran
 * last stands. They work inside a test runner and alone: a failure is an {@linkcode ExpectationError}. Cold.
 */
import { lastMachine } from "../machine/last_run.ts";
import { Machine } from "../machine/machine.ts";
import { equal, matches } from "./equal.ts";
import { describe, show } from "./format.ts";

/** A failed assertion. */
export class ExpectationError extends Error {
  /** What was found. */
  readonly actual: unknown;
  /** What was wanted. */
  readonly expected: unknown;

  /** Makes the error. @param message Text. @param actual Found. @param expected Wanted. */
  constructor(message: string, actual: unknown, expected: unknown) {
    super(message);
    this.name = "ExpectationError";
    this.actual = actual;
    this.expected = expected;
  }
}

/** Assertions about one value. */
export interface Expectation {
  /** The opposite of the next assertion. */
  readonly not: Expectation;
  /** The same value (`Object.is`). */
  toBe(expected: unknown): void;
  /** Deeply equal. */
  toEqual(expected: unknown): void;
  /** Has at least these fields, deeply. */
  toMatchObject(expected: object): void;
  /** Greater. */
  toBeGreaterThan(expected: number | bigint): void;
  /** Greater or equal. */
  toBeGreaterThanOrEqual(expected: number | bigint): void;
  /** Less. */
  toBeLessThan(expected: number | bigint): void;
  /** Less or equal. */
  toBeLessThanOrEqual(expected: number | bigint): void;
  /** Within `delta`, default 1e-9. */
  toBeCloseTo(expected: number, delta?: number): void;
  /** A text with this part, a list or bytes with this element (deeply equal), or with these elements in a row. */
  toContain(expected: unknown): void;
  /** A text or list that begins like this. */
  toStartWith(expected: string | readonly unknown[]): void;
  /** A text or list that ends like this. */
  toEndWith(expected: string | readonly unknown[]): void;
  /** A text that matches. */
  toMatch(expected: RegExp | string): void;
  /** Has this `length`. */
  toHaveLength(expected: number): void;
  /** Not undefined. */
  toBeDefined(): void;
  /** Undefined. */
  toBeUndefined(): void;
  /** Counts as true. */
  toBeTruthy(): void;
  /** Counts as false. */
  toBeFalsy(): void;
  /** Made by this class. */
  toBeInstanceOf(expected: abstract new (...args: never[]) => unknown): void;
  /** A function that throws: anything, an error with this text, matching this, of this class, or with this `code`. */
  toThrow(expected?: string | RegExp | ErrorClass | { readonly code: string }): void;
}

/** A class of errors. */
// deno-lint-ignore no-explicit-any
export type ErrorClass = abstract new (...args: any[]) => Error;

/**
 * Begins an assertion about a value. Given a machine, messages describe that machine; otherwise the one that ran last.
 *
 * @param actual The value.
 * @param machine Whose state a failure prints.
 *
 * @example
 * ```ts
 * import { expect } from "./expect.ts";
 *
 * expect(40 + 2).toBe(42);
 * expect(["Init", "Halt"]).toStartWith(["Init"]);
 * expect(() => expect(0x7c00).toBe(0x7c01)).toThrow("0x00007c0");
 * ```
 */
export function expect(actual: unknown, machine?: Machine): Expectation {
  const about = machine ?? (actual instanceof Machine ? actual : lastMachine());
  return make(actual, about, false);
}

function make(actual: unknown, machine: Machine | undefined, negated: boolean): Expectation {
  const check = (ok: boolean, verb: string, expected: unknown): void => {
    if (ok !== negated) return;
    const wanted = verb.endsWith(":") ? `${verb} ${show(expected)}` : verb;
    const lines = [`Expected value ${negated ? "not " : ""}${wanted}`, `     found: ${show(actual)}`];
    if (machine !== undefined) lines.push(describe(machine));
    throw new ExpectationError(lines.join("\n"), actual, expected);
  };
  const order = (e: number | bigint, verb: string, ok: (a: number | bigint) => boolean): void =>
    check((typeof actual === "number" || typeof actual === "bigint") && ok(actual), verb, e);
  return {
    get not() {
      return make(actual, machine, !negated);
    },
    toBe: (e) => check(Object.is(actual, e), "to be:", e),
    toEqual: (e) => check(equal(actual, e), "to equal:", e),
    toMatchObject: (e) => check(matches(actual, e), "to match:", e),
    toBeGreaterThan: (e) => order(e, "to be greater than:", (a) => a > e),
    toBeGreaterThanOrEqual: (e) => order(e, "to be at least:", (a) => a >= e),
    toBeLessThan: (e) => order(e, "to be less than:", (a) => a < e),
    toBeLessThanOrEqual: (e) => order(e, "to be at most:", (a) => a <= e),
    toBeCloseTo: (e, delta = 1e-9) => check(Math.abs(Number(actual) - e) <= delta, `to be within ${delta} of:`, e),
    toContain: (e) => check(contains(actual, e), "to contain:", e),
    toStartWith: (e) => check(begins(actual, e), "to start with:", e),
    toEndWith: (e) => check(ends(actual, e), "to end with:", e),
    toMatch: (e) => check(typeof actual === "string" && fits(actual, e), "to match:", String(e)),
    toHaveLength: (e) => check((actual as { length?: unknown } | null | undefined)?.length === e, "to have length:", e),
    toBeDefined: () => check(actual !== undefined, "to be defined", undefined),
    toBeUndefined: () => check(actual === undefined, "to be undefined", undefined),
    toBeTruthy: () => check(Boolean(actual), "to count as true", true),
    toBeFalsy: () => check(!actual, "to count as false", false),
    toBeInstanceOf: (e) => check(actual instanceof e, `to be a ${e.name}`, e),
    toThrow: (e) => {
      const thrown = caught(actual);
      check(thrown !== undefined && throwFits(thrown.error, e), "to throw:", e ?? "anything");
    },
  };
}

function caught(fn: unknown): { readonly error: unknown } | undefined {
  if (typeof fn !== "function") throw new TypeError("expect(...).toThrow needs a function, e.g. () => m.run()");
  try {
    fn();
    return undefined;
  } catch (error) {
    return { error };
  }
}

function throwFits(
  error: unknown,
  wanted: string | RegExp | ErrorClass | { readonly code: string } | undefined,
): boolean {
  if (wanted === undefined) return true;
  if (typeof wanted === "function") return error instanceof wanted;
  if (typeof wanted === "string" || wanted instanceof RegExp) {
    return error instanceof Error && fits(error.message, wanted);
  }
  return (error as { code?: unknown } | null)?.code === wanted.code;
}

function fits(text: string, wanted: RegExp | string): boolean {
  return typeof wanted === "string" ? text.includes(wanted) : wanted.test(text);
}

function toList(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value;
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>) : undefined;
}

function contains(actual: unknown, e: unknown): boolean {
  if (typeof actual === "string") return typeof e === "string" && actual.includes(e);
  if (actual instanceof Set || actual instanceof Map) return actual.has(e);
  const list = toList(actual);
  if (list === undefined) return false;
  if (list.some((item) => equal(item, e))) return true;
  const row = toList(e);
  return row !== undefined && row.length > 0 &&
    list.some((_, i) => i + row.length <= list.length && row.every((item, j) => equal(list[i + j], item)));
}

function begins(actual: unknown, e: string | readonly unknown[]): boolean {
  if (typeof actual === "string") return typeof e === "string" && actual.startsWith(e);
  const [list, row] = [toList(actual), toList(e)];
  return list !== undefined && row !== undefined && row.length <= list.length && row.every((x, i) => equal(list[i], x));
}

function ends(actual: unknown, e: string | readonly unknown[]): boolean {
  if (typeof actual === "string") return typeof e === "string" && actual.endsWith(e);
  const [list, row] = [toList(actual), toList(e)];
  if (list === undefined || row === undefined || row.length > list.length) return false;
  return row.every((x, i) => equal(list[list.length - row.length + i], x));
}
