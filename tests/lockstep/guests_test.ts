/** Recorded guests in lockstep, a sample of each: the long run is a part of `deno task fuzz`. */
import { assert, assertEquals, assertGreater } from "../../scripts/deps/std.ts";
import { type GuestName, guestSync } from "../guests/guest.ts";
import { GUESTS, lockstepGuest } from "./guests.ts";

const SAMPLING = { stretch: 12_000_041, window: 120_011, memoryEvery: 20_011 };
/** Instructions in all; the kernel that ships leaves its code all the time, and has boundaries everywhere. */
const TOTAL: Readonly<Record<string, number>> = { minikernel: 25_000_000, seabios: 25_000_000 };

for (const name of Object.keys(GUESTS)) {
  const isHere = name === "minikernel" || guestSync(name as GuestName).available;
  Deno.test({
    name: `lockstep: JIT and interpreter agree at the region boundaries of ${name}${
      isHere ? "" : " (guest not available)"
    }`,
    ignore: !isHere,
    fn() {
      const out = lockstepGuest(name, { ...SAMPLING, total: TOTAL[name] ?? 60_000_000 });
      assert(out !== undefined);
      assertEquals(out.difference, undefined);
      assertGreater(out.boundaries, 1000);
      assertGreater(out.instructions, SAMPLING.stretch);
    },
  });
}
