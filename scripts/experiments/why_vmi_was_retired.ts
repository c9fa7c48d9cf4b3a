#!/usr/bin/env -S deno run --allow-write
/**
 * Why was VMI retired? One kernel does the same work on the bare processor, on the interface with nothing behind it, and on
 * hypervisors of several designs; every exit, hypercall, missing translation and look at a page table is counted and priced.
 *
 *   scripts/experiments/why_vmi_was_retired.ts [--json] [--csv FILE] [--svg FILE]
 *
 * Prices are in retired/costs.ts, machines in retired/settings.ts. The counts are exact and the same on every run.
 *
 * What one sees:
 * - `native` against `bare`: the interface itself costs a call and a return. A kernel that was written for it lost nothing
 *   where no hypervisor was (at most 5 in 100, at a context switch), which is why Linux could ship it.
 * - `shadow`: a system call leaves the guest twice, for INT and for IRET, where the bare processor has SYSENTER, which the
 *   hypervisors of the time hid from a kernel in ring 1: five times the price. A page fault comes with 6 hypercalls and 2.6
 *   exits, a fork with 45 and 18. A context switch is the worst: each load of CR3 makes the shadow compare its tables with
 *   the guest's and take entries in again, at 18 times the price.
 * - `direct` leaves out the shadow: no entry is made twice, and a context switch costs half of it. The calls are the same.
 */
import type { MinikernelWorkload } from "../../mod.ts";
import { COSTS } from "./retired/costs.ts";
import { measure, TIMES } from "./retired/measure.ts";
import { chart, csv, table } from "./retired/report.ts";
import { SETTINGS } from "./retired/settings.ts";

const USAGE = "Usage: scripts/experiments/why_vmi_was_retired.ts [--json] [--csv FILE] [--svg FILE]";

/** What the command line asks for. */
function options(args: readonly string[]): ReadonlyMap<string, string> {
  const asked = new Map<string, string>();
  const left = [...args];
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const value = name === "--json" ? "" : name === "--csv" || name === "--svg" ? left.shift() : undefined;
    if (value === undefined) {
      console.error(USAGE);
      Deno.exit(64);
    }
    asked.set(name, value);
  }
  return asked;
}

const asked = options(Deno.args);
const kinds = Object.keys(TIMES) as MinikernelWorkload[];
const results = kinds.flatMap((kind) => SETTINGS.map((setting) => measure(setting, kind, COSTS)));
const [csvFile, svgFile] = [asked.get("--csv"), asked.get("--svg")];
if (csvFile !== undefined) Deno.writeTextFileSync(csvFile, csv(results));
if (svgFile !== undefined) Deno.writeTextFileSync(svgFile, chart(results));
if (asked.has("--json")) console.log(JSON.stringify({ costs: COSTS, results }, null, 2));
else {
  for (const { name, text } of SETTINGS) console.log(`${name.padEnd(8)} ${text}`);
  console.log(`\n${table(results)}`);
}
