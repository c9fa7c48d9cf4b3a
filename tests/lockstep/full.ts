/**
 * The long lockstep run, a part of `deno task fuzz`: random programs under every setting of the JIT, recorded guests on
 * interpreter and JIT from region boundary to region boundary, code that changes for minutes. Cold.
 */
import { change } from "./changing.ts";
import { GUESTS, lockstepGuest } from "./guests.ts";
import { compare } from "./lockstep.ts";
import { VARIANTS } from "./variants.ts";

/** Programs a setting. @returns Failures. */
export function fullPrograms(seed: number, count: number, only: string): number {
  let failures = 0;
  for (const variant of Object.keys(VARIANTS)) {
    if (only !== "" && only !== variant) continue;
    const { reports, boundaries } = compare(variant, seed, count);
    for (const text of reports) console.log(text);
    failures += reports.length;
    console.log(`lockstep, ${variant}: ${count} programs, ${boundaries} boundaries, ${reports.length} failures`);
  }
  return failures;
}

/**
 * Recorded guests for so many million instructions each, a tenth of them compared at every region boundary; `whole`: all.
 * @returns Failures.
 */
export function fullGuests(millions: number, whole: boolean, only: string, variant: string): number {
  let failures = 0;
  for (const name of Object.keys(GUESTS)) {
    if (only !== "" && only !== name) continue;
    const sampling = { window: 1_000_003, stretch: whole ? 0 : 9_000_041, total: millions * 1e6, memoryEvery: 50_021 };
    const out = lockstepGuest(name, sampling, VARIANTS[variant]);
    if (out === undefined) {
      console.log(`not run: lockstep of ${name}: the guest is not available`);
      continue;
    }
    const { difference, instructions, boundaries } = out;
    const done = `${(instructions / 1e6).toFixed(0)} million instructions, ${boundaries} boundaries`;
    console.log(`lockstep of ${name}: ${done}, ${difference === undefined ? 0 : 1} failures`);
    if (difference === undefined) continue;
    failures++;
    console.log(`  ${difference}`);
    const part = `--parts lockstep --lockstep 0 --changing 0 --guests ${millions} --guest '${name}'`;
    console.log(`again: deno task fuzz ${part}${whole ? " --whole yes" : ""} --variant '${variant}'`);
  }
  return failures;
}

/** Code that changes for so many million instructions. @returns Failures. */
export async function fullChanging(millions: number): Promise<number> {
  const { early, late } = await change(millions, () => Deno.memoryUsage().rss, 200, (sample) => {
    const { instructions, resident, made, alive } = sample, at = Math.round(instructions / 1e6);
    const modules = `${made} modules made, ${alive} of them still held`;
    console.log(`changing code: after ${at} million instructions ${resident >> 20} MiB, ${modules}`);
  });
  console.log(`changing code: ${millions} million instructions, ${early >> 20} MiB at first, ${late >> 20} MiB later`);
  return late < early + (192 << 20) ? 0 : 1;
}
