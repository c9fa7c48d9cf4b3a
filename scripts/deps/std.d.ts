// Declarations for the parts of Deno's std library that std.ts imports as plain JavaScript.
// Each signature is that of the std package of the same name; the narrowing ones are exact, so `assert(x)` narrows.

/** What a failed assertion throws. */
export declare class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** Fails unless `expr` is truthy, and narrows it. */
export declare function assert(expr: unknown, msg?: string): asserts expr;
/** Fails unless `expr` is falsy. */
export declare function assertFalse(
  expr: unknown,
  msg?: string,
): asserts expr is false | 0 | 0n | "" | null | undefined;
/** Fails unless both values are deeply equal; prints a diff. */
export declare function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails if both values are deeply equal. */
export declare function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless both values are the same by `Object.is`. */
export declare function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
/** Fails if both values are the same by `Object.is`. */
export declare function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless the numbers differ by at most `tolerance` (default: 1e-7 of the expected value). */
export declare function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void;
/** Fails if the value is null or undefined, and narrows it. */
export declare function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
/** Fails unless `actual > expected`. */
export declare function assertGreater<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual >= expected`. */
export declare function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual < expected`. */
export declare function assertLess<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual <= expected`. */
export declare function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual` matches the expression. */
export declare function assertMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails if `actual` matches the expression. */
export declare function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails unless `actual` contains `expected`. */
export declare function assertStringIncludes(actual: string, expected: string, msg?: string): void;
/** Fails unless each of `expected` is an element of `actual`. */
export declare function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void;
/** Fails unless `actual` has all properties of `expected`. */
export declare function assertObjectMatch(
  actual: Record<PropertyKey, unknown>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;
/** Fails unless `actual` is an instance of the class, and narrows it. */
export declare function assertInstanceOf<T>(
  actual: unknown,
  expectedType: abstract new (...args: never[]) => T,
  msg?: string,
): asserts actual is T;
/** Fails unless `fn` throws; returns what it threw. */
export declare function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an error of that class whose message contains `msgIncludes`; returns the error. */
export declare function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: abstract new (...args: never[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
/** Fails unless the promise of `fn` is rejected; resolves to the reason. */
export declare function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise of `fn` is rejected with an error of that class; resolves to the error. */
export declare function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: abstract new (...args: never[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
/** Fails always. */
export declare function fail(msg?: string): never;
/** Fails always: a place that must not be reached. */
export declare function unreachable(msg?: string): never;
/** Deep equality as `assertEquals` sees it. */
export declare function equal(a: unknown, b: unknown): boolean;

/** Last part of a path, without `suffix`. */
export declare function basename(path: string | URL, suffix?: string): string;
/** All but the last part of a path. */
export declare function dirname(path: string | URL): string;
/** Extension with its dot, or "". */
export declare function extname(path: string | URL): string;
/** Path of a `file:` URL. */
export declare function fromFileUrl(url: string | URL): string;
/** `file:` URL of an absolute path. */
export declare function toFileUrl(path: string): URL;
/** Whether a path starts at the root. */
export declare function isAbsolute(path: string): boolean;
/** Joins and normalises parts of a path. */
export declare function join(path: string | URL | undefined, ...paths: string[]): string;
/** Path of `to` as seen from the folder `from`. */
export declare function relative(from: string, to: string): string;
/** Absolute path of the parts, seen from the working directory (needs read permission for a relative one). */
export declare function resolve(...pathSegments: string[]): string;

/** The candidate nearest to `givenWord` by edit distance. */
export declare function closestString(
  givenWord: string,
  possibleWords: readonly string[],
  options?: { caseSensitive?: boolean },
): string;
/** Number of edits that turn one string into the other. */
export declare function levenshteinDistance(str1: string, str2: string): number;
