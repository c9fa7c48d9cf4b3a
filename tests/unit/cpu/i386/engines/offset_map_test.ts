/** A map in a typed array against the one of the language. */
import { Prng } from "../../../../../lib/base/prng.ts";
import { OffsetMap } from "../../../../../lib/cpu/i386/engines/interpreter/offset_map.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

/** As a sorted list of pairs. */
function sorted(pairs: Iterable<readonly [number, number | undefined]>): (readonly [number, number | undefined])[] {
  return [...pairs].sort(([a], [b]) => a - b);
}

Deno.test("OffsetMap: what is set, replaced and deleted in any order is as in a Map", () => {
  for (const [seed, keys] of [[1, 40], [2, 600], [3, 4096], [4, 8192]]) {
    const prng = new Prng(seed), ours = new OffsetMap(), theirs = new Map<number, number>();
    for (let step = 0; step < 6000; step++) {
      const key = prng.below(keys), value = prng.u32() >>> 1;
      if (prng.below(5) < (step < 3000 ? 3 : 2)) {
        ours.set(key, value);
        theirs.set(key, value);
      } else {
        ours.delete(key);
        theirs.delete(key);
      }
      assertEquals(ours.size, theirs.size);
      const other = prng.below(keys);
      assertEquals(ours.get(other), theirs.get(other));
      assertEquals(ours.has(other), theirs.has(other));
    }
    assertEquals(sorted(ours.keys().map((key) => [key, ours.get(key)] as const)), sorted(theirs));
  }
});
