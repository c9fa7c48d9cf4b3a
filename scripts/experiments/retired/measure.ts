/**
 * Runs a workload on a machine and counts. Every figure is a difference: so many operations of a kind against none of them,
 * everything else alike. So boot, console and clean-up fall out, and what is left belongs to the operations. Cycles are
 * the instructions and what the machine's clock was moved by for events that have a price; waiting costs none.
 */
import {
  type CostName,
  type EngineName,
  expect,
  guests,
  type MinikernelWorkload,
  type PcMachine,
  type VmiPcMachine,
} from "../../../mod.ts";
import { type Costs, tableOf } from "./costs.ts";
import type { Setting } from "./settings.ts";

/** Operations of each kind in one run. */
export const TIMES: Readonly<Record<MinikernelWorkload, number>> = {
  syscall: 200,
  fault: 128,
  fork: 24,
  switch: 100,
  tick: 20,
  mixed: 16,
};

/** What was counted; for one operation once it is divided. */
export interface Counts {
  /** Instructions of the guest. */
  readonly instructions: number;
  /** Calls that left the guest. */
  readonly hypercalls: number;
  /** Exits for other reasons. */
  readonly exits: number;
  /** Among them: instructions carried out by the monitor. */
  readonly emulated: number;
  /** Instructions done by code that replaces them. */
  readonly patched: number;
  /** Interrupts and exceptions that reached the guest. */
  readonly delivered: number;
  /** SYSENTER executed by the processor. */
  readonly fastCalls: number;
  /** Translations that were missing. */
  readonly tlbFills: number;
  /** Entries of page tables read for them. */
  readonly walkSteps: number;
  /** Entries of shadow tables made or updated. */
  readonly shadowEntries: number;
  /** Page tables of the guest looked through. */
  readonly wholeTables: number;
}

/** A cell of the table. */
export interface Result {
  /** Kind of operation. */
  readonly workload: MinikernelWorkload;
  /** Name of the setting. */
  readonly setting: string;
  /** Per operation. */
  readonly counts: Counts;
  /** Exits and hypercalls per operation by reason, those that are not 0. */
  readonly reasons: Readonly<Record<string, number>>;
  /** Virtual cycles per operation, without those spent waiting. */
  readonly cycles: number;
}

type Raw = Record<string, number>;

/** Counts one workload on one setting with these prices. */
export function measure(setting: Setting, workload: MinikernelWorkload, costs: Costs, engine: EngineName): Result {
  const [none, some] = [0, TIMES[workload]].map((n) => raw(setting, workload, n, costs, engine)) as [Raw, Raw];
  const per: Raw = {};
  for (const name of new Set([...Object.keys(none), ...Object.keys(some)])) {
    per[name] = ((some[name] ?? 0) - (none[name] ?? 0)) / TIMES[workload];
  }
  const reasons = Object.fromEntries(
    Object.entries(per).filter(([name, n]) => n !== 0 && /^(exits|call|patched) /.test(name)).sort(([, a], [, b]) =>
      b - a
    ),
  );
  return { workload, setting: setting.name, counts: countsOf(per), reasons, cycles: per["cycles"] ?? 0 };
}

/** One run to its end, everything counted by name. */
function raw(setting: Setting, workload: MinikernelWorkload, count: number, costs: Costs, engine: EngineName): Raw {
  const m = setting.make(tableOf(setting.monitor, costs), engine);
  m.boot(guests.minikernel({ workload, count }));
  const stop = m.run({ until: m.serial.contains("ready"), instructions: 100_000_000 });
  expect(stop.kind).toBe("until");
  expect(m.serial.text).toContain("workload: done");
  const { calls, backend } = paravirtOf(m)?.stats() ?? { calls: {}, backend: {} };
  const instructions = m.cpus[0]?.cpu.instructions ?? 0;
  return {
    ...backend,
    ...Object.fromEntries(Object.entries(calls).map(([name, n]) => [`call ${name}`, n])),
    ...Object.fromEntries(Object.entries(m.costs?.counts ?? {}).map(([name, n]) => [`cost ${name}`, n])),
    instructions,
    cycles: instructions + (m.costs?.ticks ?? 0),
  };
}

function paravirtOf(m: PcMachine): VmiPcMachine["paravirt"] | undefined {
  return (m as { readonly paravirt?: VmiPcMachine["paravirt"] }).paravirt;
}

function countsOf(per: Raw): Counts {
  const of = (name: CostName): number => per[`cost ${name}`] ?? 0;
  return {
    instructions: per["instructions"] ?? 0,
    hypercalls: of("hypercall"),
    exits: of("exit"),
    emulated: of("emulate"),
    patched: of("patched"),
    delivered: of("deliver") + of("gate"),
    fastCalls: of("fastCall"),
    tlbFills: of("tlbFill"),
    walkSteps: of("walkStep"),
    shadowEntries: of("shadowEntry"),
    wholeTables: of("wholeTable"),
  };
}
