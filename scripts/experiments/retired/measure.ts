/**
 * Runs a workload on a machine and counts. Every figure is a difference: so many operations of a kind against none of them,
 * everything else alike. So boot, console and clean-up fall out, and what is left belongs to the operations.
 */
import { expect, guests, type MinikernelWorkload, type PcMachine, type VmiPcMachine } from "../../../mod.ts";
import type { Costs } from "./costs.ts";
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
  /** Virtual cycles per operation. */
  readonly cycles: number;
}

type Raw = Record<string, number>;

/** Reasons for an exit that are not an instruction for the monitor to carry out. */
const NOT_EMULATED =
  /^exits (external interrupt|software interrupt|hidden page fault|page fault of the guest|exception|interrupt|nmi|page-fault)/;

/** Counts one workload on one setting, and prices it. */
export function measure(setting: Setting, workload: MinikernelWorkload, costs: Costs): Result {
  const [none, some] = [0, TIMES[workload]].map((count) => raw(setting, workload, count)) as [Raw, Raw];
  const per: Raw = {};
  for (const name of new Set([...Object.keys(none), ...Object.keys(some)])) {
    per[name] = ((some[name] ?? 0) - (none[name] ?? 0)) / TIMES[workload];
  }
  const counts = summed(per);
  const reasons = Object.fromEntries(
    Object.entries(per).filter(([name, n]) => n !== 0 && /^(exits|call|patched) /.test(name)).sort(([, a], [, b]) =>
      b - a
    ),
  );
  return { workload, setting: setting.name, counts, reasons, cycles: price(counts, setting, costs) };
}

/** One run to its end, everything counted by name. */
function raw(setting: Setting, workload: MinikernelWorkload, count: number): Raw {
  const m = setting.make();
  const seen: Raw = { delivered: 0, fastCalls: 0 };
  m.onInterrupt(undefined, () => seen["delivered"] = (seen["delivered"] ?? 0) + 1);
  m.onFault(undefined, () => seen["delivered"] = (seen["delivered"] ?? 0) + 1);
  m.onInstruction("sysenter", () => seen["fastCalls"] = (seen["fastCalls"] ?? 0) + 1);
  m.boot(guests.minikernel({ workload, count }));
  const stop = m.run({ until: m.serial.contains("ready"), instructions: 100_000_000 });
  expect(stop.kind).toBe("until");
  expect(m.serial.text).toContain("workload: done");
  const { calls, backend } = paravirtOf(m)?.stats() ?? { calls: {}, backend: {} };
  const cpu = m.cpus[0]?.cpu;
  return {
    ...seen,
    ...backend,
    ...Object.fromEntries(Object.entries(calls).map(([name, n]) => [`call ${name}`, n])),
    instructions: cpu?.instructions ?? 0,
    tlbFills: cpu?.translations ?? 0,
  };
}

function paravirtOf(m: PcMachine): VmiPcMachine["paravirt"] | undefined {
  return (m as { readonly paravirt?: VmiPcMachine["paravirt"] }).paravirt;
}

function summed(per: Raw): Counts {
  const sum = (match: (name: string) => boolean): number =>
    Object.entries(per).reduce((n, [name, value]) => match(name) ? n + value : n, 0);
  return {
    instructions: per["instructions"] ?? 0,
    hypercalls: sum((name) => name.startsWith("call ")),
    exits: sum((name) => name.startsWith("exits ")),
    emulated: sum((name) => name.startsWith("exits ") && !NOT_EMULATED.test(name)),
    patched: sum((name) => name.startsWith("patched ")),
    delivered: per["delivered"] ?? 0,
    fastCalls: per["fastCalls"] ?? 0,
    tlbFills: per["tlbFills"] ?? 0,
    shadowEntries: sum((name) => SHADOW_ENTRIES.includes(name)),
    wholeTables: sum((name) => WHOLE_TABLES.includes(name)),
  };
}

/** Counters of the backends that mean work on one entry of a page table. */
const SHADOW_ENTRIES: readonly string[] = [
  "shadow entries filled",
  "shadow entries updated",
  "shadow large pages filled",
  "entries checked",
  "entries lowered",
];
/** Counters that mean a look at a whole one. */
const WHOLE_TABLES: readonly string[] = ["shadow tables made", "shadow tables compared", "tables validated"];

/** Virtual cycles of one operation. */
function price(n: Counts, setting: Setting, costs: Costs): number {
  const exit = setting.monitor === "hardware" ? costs.hardwareExit : costs.ringExit;
  const own = setting.monitor !== "ring"; // the processor delivers and returns by itself
  return n.instructions * costs.instruction +
    n.tlbFills * setting.walkSteps * costs.walkStep +
    (n.hypercalls + n.exits) * exit +
    n.emulated * costs.emulate +
    n.patched * costs.patched +
    n.delivered * (own ? costs.gate : costs.deliver) +
    (own ? n.fastCalls * costs.fastCall : 0) +
    n.shadowEntries * costs.shadowEntry +
    n.wholeTables * costs.wholeTable;
}
