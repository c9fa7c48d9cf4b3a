/**
 * The long lockstep run, a part of `deno task fuzz`: random programs under every setting of the JIT, recorded guests on
 * interpreter and JIT side by side, code that changes for minutes. Cold.
 */
import { guests, linux, type Machine, MiB, pc, vmiPc } from "../../mod.ts";
import { guestSync } from "../guests/guest.ts";
import { change } from "./changing.ts";
import { compare, VARIANTS } from "./lockstep.ts";

/** Programs a setting. @returns Failures. */
export function fullPrograms(seed: number, count: number, only: string): number {
  let failures = 0;
  for (const variant of Object.keys(VARIANTS)) {
    if (only !== "" && only !== variant) continue;
    const found = compare(variant, seed, count);
    for (const text of found) console.log(text);
    failures += found.length;
    console.log(`lockstep, ${variant}: ${count} programs, ${found.length} failures`);
  }
  return failures;
}

/** Guests by name; undefined: not here. */
const GUESTS: Readonly<Record<string, (engine: "interpreter" | "jit") => Machine | undefined>> = {
  minikernel: (engine) => {
    const m = vmiPc({ engine });
    m.boot(guests.minikernel());
    return m;
  },
  "linux-686": (engine) => boot("linux-686", engine),
  "memtest86+": (engine) => boot("memtest86+", engine),
};

function boot(name: "linux-686" | "memtest86+", engine: "interpreter" | "jit"): Machine | undefined {
  const image = guestSync(name);
  if (!image.available) return undefined;
  const m = pc({ memory: 64 * MiB, engine });
  m.boot(linux({ kernel: Deno.readFileSync(image.path), append: "console=ttyS0 nokaslr" }));
  return m;
}

/** The complete state of each guest after every `step` instructions, on both engines. @returns Failures. */
export function fullGuests(millions: number, step = 20_000_003): number {
  let failures = 0;
  for (const [name, make] of Object.entries(GUESTS)) {
    const a = make("interpreter"), b = make("jit");
    if (a === undefined || b === undefined) {
      console.log(`not run: lockstep of ${name}: the guest is not available`);
      continue;
    }
    let wrong = false;
    while (!wrong && a.cpu.instructions < millions * 1e6) {
      const [x, y] = [a, b].map((m) => JSON.stringify([m.run({ instructions: step }), m.hash()]));
      wrong = x !== y;
      if (wrong) {
        console.log(
          `lockstep of ${name}: differs within the ${step} instructions before ${a.cpu.instructions}: ${x} ${y}`,
        );
      }
      if (!x.includes('"budget"')) break;
    }
    if (wrong) failures++;
    console.log(
      `lockstep of ${name}: ${(a.cpu.instructions / 1e6).toFixed(0)} million instructions, ${wrong ? 1 : 0} failures`,
    );
  }
  return failures;
}

/** Code that changes for so many million instructions. @returns Failures. */
export function fullChanging(millions: number): number {
  const { early, late } = change(millions, () => Deno.memoryUsage().rss, 200);
  console.log(`changing code: ${millions} million instructions, ${early >> 20} MiB at first, ${late >> 20} MiB later`);
  return late < early + (192 << 20) ? 0 : 1;
}
