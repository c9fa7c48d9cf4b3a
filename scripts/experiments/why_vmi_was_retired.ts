#!/usr/bin/env -S deno run --allow-write
/**
 * Why was VMI retired? One kernel does the same work on the bare processor, on the interface with nothing behind it, and on
 * hypervisors of several designs; every exit, hypercall, missing translation and look at a page table is counted and priced.
 *
 *   scripts/experiments/why_vmi_was_retired.ts [--json] [--csv FILE] [--svg FILE] [--engine NAME]
 *
 * Prices are in retired/costs.ts, machines in retired/settings.ts. Each machine is given its prices, and its clock goes on
 * by them, so its timers and its guest see what things cost. Counts and cycles are the same on every run and engine.
 *
 * What one sees, with these prices:
 * - `native` against `bare`: the interface itself costs a call and a return, at most 5 in 100 (a context switch). A kernel
 *   that is written for it loses next to nothing where there is no hypervisor.
 * - `trap`, where everybody began: a system call leaves the guest three times (SYSENTER, STI, SYSEXIT) at 11 times the price, a
 *   context switch costs 20 times as much, since each load of CR3 makes the shadow compare its tables and fault entries in.
 * - `shadow`: the interface takes a system call to two exits (INT and IRET), and brings updates of page tables in batches. It
 *   does not help everywhere: here every change of the interrupt flag is a call that leaves the guest, so that a page
 *   fault and a fork cost more than under `trap`, which has POPF and IRET replaced. A ROM that keeps the flag in
 *   memory, as the interface allows, would save these.
 * - `direct` drops the shadow: the same calls, but a context switch at less than half of the price. The interface pays where it lets
 *   the hypervisor do without shadow tables.
 * - `vt-x`: the processor runs the kernel in ring 0. System calls and the interrupt flag cost nothing any more, but each
 *   of the exits that are left costs five times as much, and shadow tables cause as many as before: page faults, forks
 *   and context switches are dearer than with any hypervisor in software. So VMI had its years after VT-x came.
 * - `nested`: the page tables are the guest's own. No exit is left in a page fault, a context switch or a system call; what
 *   is left is the longer walk of a missing translation, and the devices (a tick: 3 exits). A mixed load costs 1.12 times
 *   the bare price, against 1.77 for the best that the interface could do here. Nothing that VMI saved was left to save.
 */
import type { EngineName, MinikernelWorkload } from "../../mod.ts";
import { COSTS } from "./retired/costs.ts";
import { measure, TIMES } from "./retired/measure.ts";
import { chart, csv, table } from "./retired/report.ts";
import { SETTINGS } from "./retired/settings.ts";

const USAGE = "Usage: scripts/experiments/why_vmi_was_retired.ts [--json] [--csv FILE] [--svg FILE] [--engine NAME]";

const ENGINES: readonly string[] = ["jit", "interpreter", "reference"];

/** What the command line asks for. */
function options(args: readonly string[]): ReadonlyMap<string, string> {
  const asked = new Map<string, string>();
  const left = [...args];
  for (let name = left.shift(); name !== undefined; name = left.shift()) {
    const value = name === "--json" ? "" : ["--csv", "--svg", "--engine"].includes(name) ? left.shift() : undefined;
    if (value === undefined || (name === "--engine" && !ENGINES.includes(value))) {
      console.error(USAGE);
      Deno.exit(64);
    }
    asked.set(name, value);
  }
  return asked;
}

const asked = options(Deno.args);
const engine = (asked.get("--engine") ?? "jit") as EngineName;
const kinds = Object.keys(TIMES) as MinikernelWorkload[];
const results = kinds.flatMap((kind) => SETTINGS.map((setting) => measure(setting, kind, COSTS, engine)));
const [csvFile, svgFile] = [asked.get("--csv"), asked.get("--svg")];
if (csvFile !== undefined) Deno.writeTextFileSync(csvFile, csv(results));
if (svgFile !== undefined) Deno.writeTextFileSync(svgFile, chart(results));
if (asked.has("--json")) console.log(JSON.stringify({ costs: COSTS, results }, null, 2));
else {
  for (const { name, text } of SETTINGS) console.log(`${name.padEnd(8)} ${text}`);
  console.log(`\n${table(results)}`);
}
