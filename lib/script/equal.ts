/**
 * Structural equality as assertions mean it. Cold.
 */

/** Deeply equal: same primitives (NaN equals itself), same keys, same elements, same bytes. */
export function equal(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false;
  if (ArrayBuffer.isView(a) || Array.isArray(a)) {
    const [x, y] = [a as unknown as ArrayLike<unknown>, b as unknown as ArrayLike<unknown>];
    return x.length === y.length && Array.from(x).every((v, i) => equal(v, y[i]));
  }
  if (a instanceof Map && b instanceof Map) return a.size === b.size && equal([...a], [...b]);
  if (a instanceof Set && b instanceof Set) return a.size === b.size && [...a].every((v) => b.has(v));
  if (a instanceof Error && b instanceof Error) return a.message === b.message;
  const [x, y] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const keys = Object.keys(x).filter((k) => x[k] !== undefined);
  if (keys.length !== Object.keys(y).filter((k) => y[k] !== undefined).length) return false;
  return keys.every((k) => equal(x[k], y[k]));
}

/** Does `a` have all fields of `part`, deeply? */
export function matches(a: unknown, part: unknown): boolean {
  if (typeof part !== "object" || part === null || Array.isArray(part) || ArrayBuffer.isView(part)) {
    return equal(a, part);
  }
  if (typeof a !== "object" || a === null) return false;
  return Object.entries(part).every(([k, v]) => matches((a as Record<string, unknown>)[k], v));
}
