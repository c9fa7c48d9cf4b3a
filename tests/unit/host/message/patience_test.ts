/** Looking before sleeping: bounded, less when it is in vain, more when it pays. */
import { Patience } from "../../../../lib/host/message/patience.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

/** A patience on a clock that goes on by a microsecond, and a little for rounding, with each look at it. */
function patience(mostUs: number, tryAgain = 64): Patience {
  let time = 0;
  return new Patience(mostUs, tryAgain, () => (time += 1.0001) / 1000);
}

/** Looks that one call makes when nothing comes; 16 between two looks at the clock, and one at first. */
function looks(p: Patience): number {
  let n = 0;
  const none = (): boolean => {
    n++;
    return false;
  };
  assertEquals(p.look(none), false);
  return n;
}

Deno.test("Patience(0) looks once", () => {
  const p = patience(0);
  assertEquals(looks(p), 1);
  assertEquals(p.look(() => true), true);
});

Deno.test("Patience looks half as long each time it is in vain, and whole again now and then", () => {
  const p = patience(64);
  const times = Array.from({ length: 130 }, () => (looks(p) - 1) / 16);
  const descent = [64, 32, 16, 8, 4, 2];
  const round = [...descent, ...new Array(58).fill(1)];
  assertEquals(times, [...round, ...round, 64, 32]);
  const soon = patience(64, 4);
  assertEquals(Array.from({ length: 9 }, () => (looks(soon) - 1) / 16), [64, 32, 16, 8, 64, 32, 16, 8, 64]);
});

Deno.test("Patience that paid is whole again", () => {
  const p = patience(64);
  for (let i = 0; i < 5; i++) looks(p);
  let n = 0;
  assertEquals(p.look(() => ++n === 5), true);
  assertEquals((looks(p) - 1) / 16, 64);
});
