/** The long x87 comparison with the host CPU: deno run -A tests/oracle/x87_full.ts [cases] [first seed]. */
import { buildNative, compareAll, makeCases, runNative } from "./x87_native.ts";
import { checkX87, TRANSCENDENTAL } from "./x87_test.ts";

/** Runs `total` cases in portions and prints how many transcendental results differ by one unit and by more. */
export async function fullX87(total: number, seed: number): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const program = await buildNative(folder);
    if (program === undefined) {
      console.log("not run: x87 against the host CPU (needs gcc and an x86-64 Linux host)");
      return;
    }
    const counts = new Map<string, { cases: number; unit: number; more: number }>();
    for (let n = 0, s = seed; n < total; n += 20000, s++) {
      await checkX87(program, s, 20000);
      const cases = makeCases(s, 20000, [...TRANSCENDENTAL].join(","));
      for (const { row: { sem } } of cases) {
        const entry = counts.get(sem) ?? { cases: 0, unit: 0, more: 0 };
        entry.cases++;
        counts.set(sem, entry);
      }
      for (const d of compareAll(cases, await runNative(program, cases))) {
        const entry = counts.get(d.what);
        if (entry !== undefined) entry[d.oneUnit ? "unit" : "more"]++;
      }
    }
    console.log(`x87: ${total} cases agree with the host CPU; transcendental functions:`);
    console.table(Object.fromEntries(counts));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await fullX87(Number(Deno.args[0] ?? 60000), Number(Deno.args[1] ?? 1));
