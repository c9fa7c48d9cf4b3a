/**
 * Deno's std library, as far as scripts and tests use it: assertions, paths, sizes and durations for people, nearest word.
 *
 * std is published to jsr: only; this is its JavaScript from the npm registry, which has no types, so the declarations
 * beside this file say what is used. A move to jsr: changes this file and nothing else. `lib/` never imports it. Cold.
 */

// @ts-types="./std.d.ts"
export {
  assert,
  assertAlmostEquals,
  assertArrayIncludes,
  assertEquals,
  assertExists,
  assertFalse,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertNotStrictEquals,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  equal,
  fail,
  unreachable,
} from "npm:deno-std@1.4.0/assert/mod.js";

// @ts-types="./std.d.ts"
export {
  basename,
  dirname,
  extname,
  fromFileUrl,
  isAbsolute,
  join,
  relative,
  resolve,
  toFileUrl,
} from "npm:deno-std@1.4.0/path/mod.js";

// @ts-types="./std.d.ts"
export { closestString, levenshteinDistance } from "npm:deno-std@1.4.0/text/mod.js";
// @ts-types="./std_bytes.d.ts"
export { format as formatBytes } from "npm:deno-std@1.4.0/fmt/bytes.js";
// @ts-types="./std_duration.d.ts"
export { format as formatDuration } from "npm:deno-std@1.4.0/fmt/duration.js";
