/**
 * The x87 against the host CPU: the same generated cases natively and in the library, compared bit by bit.
 *
 * All but the transcendental functions must agree exactly. Those are rounded correctly here, while processors only
 * promise less than one unit in the last place and differ among themselves: a small share may differ by one unit or in
 * C1, the direction of the rounding.
 */
import { assert, assertEquals } from "../../scripts/deps/std.ts";
import { buildNative, compareAll, makeCases, runNative } from "./x87_native.ts";

/** Instructions whose results are not defined to the last bit. */
export const TRANSCENDENTAL: ReadonlySet<string> = new Set(
  "f2xm1 fyl2x fyl2xp1 fsin fcos fsincos fptan fpatan".split(" "),
);

/** Compares `count` cases of `seed`; throws at the first kind of difference that may not be. */
export async function checkX87(program: string, seed: number, count: number): Promise<void> {
  const cases = makeCases(seed, count);
  const differences = compareAll(cases, await runNative(program, cases));
  const exact = differences.filter((d) => !d.oneUnit || !TRANSCENDENTAL.has(d.what));
  assertEquals(exact.map((d) => `${d.what}: ${d.text}`).slice(0, 5), [], `seed ${seed}`);
  const transcendental = cases.filter((c) => TRANSCENDENTAL.has(c.row.sem)).length;
  const share = differences.length / transcendental;
  assert(share < 0.08, `seed ${seed}: ${differences.length} of ${transcendental} transcendental results differ`);
}

Deno.test("x87: generated cases give on the host CPU what they give here", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const program = await buildNative(folder);
    if (program === undefined) {
      console.warn("not run: x87 against the host CPU (needs gcc and an x86-64 Linux host)");
      return;
    }
    await checkX87(program, 1, 6000);
    await checkX87(program, 2, 6000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
