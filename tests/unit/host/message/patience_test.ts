/** Looking before sleeping: bounded, less when it is in vain, more when it pays. */
import { Patience } from "../../../../lib/host/message/patience.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

/** A patience on a clock that goes on by a microsecond, and a little for rounding, with each look at it. */
function patience(mostUs: number, forgives = false): Patience {
  let time = 0;
  return new Patience(mostUs, forgives, () => (time += 1.0001) / 1000);
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
});

Deno.test("Patience that paid is whole again", () => {
  const p = patience(64);
  for (let i = 0; i < 5; i++) looks(p);
  let n = 0;
  assertEquals(p.look(() => ++n === 5), true);
  assertEquals((looks(p) - 1) / 16, 64);
});

Deno.test("Patience that forgives stays whole when what it looked for comes soon after, but not for ever", () => {
  const p = patience(64, true);
  for (let i = 0; i < 16; i++) {
    assertEquals((looks(p) - 1) / 16, 64, `look ${i}`);
    p.came();
  }
  assertEquals((looks(p) - 1) / 16, 64);
  p.came(); // once too often
  assertEquals((looks(p) - 1) / 16, 32);
  assertEquals(p.look(() => true), true);
  assertEquals((looks(p) - 1) / 16, 64);
});

Deno.test("Patience that forgives does not forgive what comes much later, or never", () => {
  let time = 0;
  const p = new Patience(64, true, () => (time += 1.0001) / 1000);
  assertEquals((looks(p) - 1) / 16, 64);
  time += 1000;
  p.came();
  assertEquals((looks(p) - 1) / 16, 32);
  assertEquals((looks(p) - 1) / 16, 16);
});
