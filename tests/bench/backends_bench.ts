/**
 * What each backend of the paravirtual interface costs the host: calls a second in a loop, not observed and observed in
 * several ways, and the rates of system calls, page faults and forks of the kernel that ships, recorded and not. For
 * backends without calls the loop executes the instruction itself. Run with `deno run -A` or `deno bench -A`.
 */
import { guests, type MinikernelWorkload, type ParavirtName, pc, vmiPc, type VmiPcMachine } from "../../mod.ts";
import { ALL, type Candidate } from "../conformance/paravirt/backends.ts";
import { FREE_TABLE, rogue } from "../conformance/paravirt/rogue.ts";
import { cpuTime } from "./measure.ts";

/** Least CPU time of a run that is measured, milliseconds. */
const LONG = 120;

type Observe = (m: VmiPcMachine, name: ParavirtName) => void;

const OBSERVERS: Readonly<Record<string, Observe>> = {
  "not observed": () => {},
  "another call": (m) => void m.paravirt.before("SetCR2", () => {}),
  "before()": (m, name) => void m.paravirt.before(name, () => {}),
  "after()": (m, name) => void m.paravirt.after(name, () => {}),
  "override()": (m, name) => void m.paravirt.override(name, () => 0),
  "record()": (m) => {
    const seen = m.paravirt.record();
    m.paravirt.before("SetCR2", () => seen.clear());
  },
};

/** Thousands of calls a second of CPU time. */
function callRate(candidate: Candidate, name: ParavirtName, observe: Observe): number {
  const r = rogue(
    candidate,
    (k) =>
      `again: mov eax, 0x300007\nmov edx, ${FREE_TABLE}\nmov ecx, 1\n${k.call(name)}
      inc dword [0x8000]\njmp again`,
    { budget: 100_000 },
  );
  observe(r.m, name);
  let best = 0, instructions = 100_000;
  for (let measured = 0; measured < 3;) {
    const [calls, start] = [r.result(0), cpuTime()];
    r.m.run({ instructions });
    const ms = cpuTime() - start;
    if (ms < LONG) instructions *= 2;
    else {
      best = Math.max(best, (r.result(0) - calls) / ms);
      measured++;
    }
  }
  return best;
}

/** Prints a row: a name, then columns. */
function row(name: string, cells: readonly (number | string)[]): void {
  const shown = cells.map((c) => (typeof c === "string" ? c : c >= 100 ? c.toFixed(0) : c.toPrecision(3)).padStart(13));
  console.log(`${name.padEnd(28)}${shown.join("")}`);
}

for (const name of ["GetCR3", "SetPxE"] as const) {
  console.log(`\n${name} in a loop, thousands of calls a second of CPU time`);
  row("", [...Object.keys(OBSERVERS), "recorded/not"]);
  for (const [backend, candidate] of Object.entries(ALL)) {
    const observers = Object.values(OBSERVERS).slice(0, candidate.transparent ? 1 : undefined);
    const rates = observers.map((observe) => callRate(candidate, name, observe));
    row(backend, rates.length > 1 ? [...rates, (rates.at(-1) ?? 0) / rates[0]] : rates);
  }
}

/** CPU time of one run of the kernel that ships, milliseconds. */
function once(candidate: Candidate | undefined, workload: MinikernelWorkload, count: number, records: boolean): number {
  const parts = { memory: 8 << 20, hz: 1_000_000_000 };
  const virtual = candidate === undefined ? undefined : vmiPc({ ...parts, backend: candidate.make() });
  const m = virtual ?? pc(parts);
  if (records) virtual?.paravirt.record();
  m.boot(guests.minikernel({ workload, count }));
  const start = cpuTime();
  const stop = m.run({ until: m.serial.contains("workload: done"), instructions: 2_000_000_000 });
  if (stop.kind !== "until") throw new Error(`${workload}: ${stop.kind}`);
  return cpuTime() - start;
}

/** Operations a second of CPU time, thousands: so many against a twentieth of them, so that start-up falls out. */
function workRate(
  candidate: Candidate | undefined,
  workload: MinikernelWorkload,
  count: number,
  records: boolean,
): number {
  const few = Math.ceil(count / 20);
  const least = (n: number): number =>
    Math.min(...Array.from({ length: 3 }, () => once(candidate, workload, n, records)));
  return (count - few) / (least(count) - least(few));
}

for (const [workload, count] of [["syscall", 40_000], ["fault", 10_000], ["fork", 1_000]] as const) {
  console.log(`\n${workload} of the minikernel, thousands a second of CPU time`);
  row("", ["rate", "of bare", "recorded", "recorded/not"]);
  const bare = workRate(undefined, workload, count, false);
  row("no hypervisor", [bare, 1]);
  for (const [name, candidate] of Object.entries(ALL)) {
    const rate = workRate(candidate, workload, count, false);
    const recorded = candidate.transparent ? undefined : workRate(candidate, workload, count, true);
    row(name, [rate, rate / bare, ...(recorded === undefined ? [] : [recorded, recorded / rate])]);
  }
}
