/**
 * The test task: makes ready what comes from outside, runs `deno test`, names what could not be run, counts.
 *
 * Arguments go to `deno test` as they are: `deno task test tests/unit/core --filter clock`; but `--engine NAME` comes first
 * and makes that engine the one of all CPUs for which a test names none. Prints the table of the paravirtual conformance
 * suite when that was run as a whole. Ends with one line `N passed, N failed, N skipped`, and with
 * exit code 1 unless all went well. Cold.
 */
import { allCells, render, resultOf } from "./conformance/paravirt/table.ts";
import { cacheFolder, type Outside } from "./guests/cache.ts";
import { guest, GUEST_NAMES } from "./guests/guest.ts";
import { tool, TOOL_NAMES } from "./guests/tool.ts";

/** A run that takes longer hangs; it is ended and counted as failed. */
const LIMIT_MINUTES = 45;

/** What tests may do. Loopback is for servers of our own (debugger, importer, message by tcp), FFI for an MPI library. */
const PERMISSIONS = [
  "--allow-read",
  "--allow-write",
  "--allow-env",
  "--allow-run",
  "--allow-net=127.0.0.1",
  "--allow-ffi",
];

/** Fetches every guest and tool; returns a line for each one that is missing. */
async function prepare(): Promise<string[]> {
  console.log(`from outside, kept in ${cacheFolder()}:`);
  const missing: string[] = [];
  const note = (name: string, found: Outside): void => {
    if (found.available) console.log(`  ${name.padEnd(22)} ${found.version || "installed"}`);
    else missing.push(`not run: ${name}: ${found.reason}`);
  };
  for (const name of GUEST_NAMES) note(name, await guest(name));
  for (const name of TOOL_NAMES) note(name, await tool(name));
  for (const line of missing) console.log(line);
  return missing;
}

/** Counts as the closing line of `deno test` gives them. */
interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Reads a closing line such as `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`, colours removed. */
export function parseCounts(line: string): Counts | undefined {
  if (!/^(ok|FAILED) \| \d+ passed/.test(line)) return undefined;
  const count = (word: string): number => Number(new RegExp(String.raw`\| (\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), skipped: count("ignored") };
}

/** Prints the table of the paravirtual conformance suite. @returns False: it was run as a whole, and a cell has no result. */
async function printConformance(results: ReadonlyMap<string, string>, whole: boolean): Promise<boolean> {
  if (results.size === 0) return !whole;
  const { lines, missing } = render(await allCells(), results);
  if (!whole && missing > 0) return true; // a part of the suite was asked for
  console.log(lines.join("\n"));
  return missing === 0;
}

/** Runs `deno test`, shows its output as it comes, fills in results, and returns the counts of its closing line. */
async function runTests(
  args: readonly string[],
  engine: string | undefined,
  conformance: Map<string, string>,
): Promise<Counts> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--doc",
      "--parallel",
      "--no-prompt",
      "--sanitize-ops",
      "--sanitize-resources",
      ...(Deno.env.get("CI") === undefined ? [] : ["--frozen"]),
      ...PERMISSIONS,
      ...(engine === undefined ? [] : ["--preload", new URL("./engine.ts", import.meta.url).pathname]),
      ...args,
    ],
    env: {
      VMIKIT_GUESTS: cacheFolder(),
      DENO_NO_UPDATE_CHECK: "1",
      ...(engine === undefined ? {} : { VMIKIT_ENGINE: engine }),
    },
    stdin: "null",
    stdout: "piped",
    signal: AbortSignal.timeout(LIMIT_MINUTES * 60_000),
  }).spawn();
  let counts: Counts | undefined;
  let rest = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    Deno.stdout.writeSync(new TextEncoder().encode(text));
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const coloured of lines) {
      // deno-lint-ignore no-control-regex
      const line = coloured.replaceAll(/\x1b\[[\d;]*m/g, "");
      counts = parseCounts(line) ?? counts;
      const result = resultOf(line);
      if (result !== undefined) conformance.set(...result);
    }
  }
  const { success, signal } = await child.status;
  if (signal !== null) console.log(`the tests were ended by ${signal}, the limit is ${LIMIT_MINUTES} minutes`);
  const { passed, failed, skipped } = counts ?? { passed: 0, failed: 0, skipped: 0 };
  // Type errors and the like fail the run before a test does; they count as one.
  return { passed, failed: success ? failed : Math.max(failed, 1), skipped };
}

if (import.meta.main) {
  const missing = await prepare();
  const conformance = new Map<string, string>();
  const [engine, args] = Deno.args[0] === "--engine" ? [Deno.args[1], Deno.args.slice(2)] : [undefined, Deno.args];
  const { passed, failed, skipped } = await runTests(args, engine, conformance);
  const complete = await printConformance(conformance, args.length === 0);
  for (const line of missing) console.log(line);
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  Deno.exit(failed === 0 && passed > 0 && complete ? 0 : 1);
}
