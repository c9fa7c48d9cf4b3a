/** The guest that ships ends in the same state on every engine, and every time, on each backend. */
import { guests, vmiPc } from "../../../mod.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { ALL } from "./backends.ts";

for (const [name, candidate] of Object.entries(ALL)) {
  Deno.test(`backend ${name}: engines end in the same state, and so does a second run`, () => {
    const hashes = (["interpreter", "interpreter", "reference", "jit"] as const).map((engine) => {
      const m = vmiPc({ backend: candidate.make(), engine });
      m.boot(guests.minikernel());
      m.run({ instructions: 150_000 });
      return m.hash();
    });
    assertEquals(new Set(hashes).size, 1, hashes.join());
  });
}
