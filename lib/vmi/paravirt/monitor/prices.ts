/**
 * Which event of the cost model a monitor's counter is. Counters that are missing here cost nothing: what they count is
 * paid for by others. Cold; looked up once a counter.
 */
import type { CostName } from "../../../core/costs.ts";

/** Reasons for an exit that are not an instruction for the monitor to carry out. */
const NOT_EMULATED =
  /^exits (external interrupt|software interrupt|hidden page fault|page fault of the guest|exception|interrupt|nmi|page-fault|mmio|step|stale descriptor|deferred state|fault of an emulated instruction)/;

/** Whoever answers a hypercall is paid for it. */
const HYPERCALL = "exits vmcall";

/** Counters that are not named after a reason. */
const NAMED: Readonly<Record<string, CostName>> = {
  "shadow entries filled": "shadowEntry",
  "shadow entries updated": "shadowEntry",
  "shadow large pages filled": "shadowEntry",
  "entries checked": "shadowEntry",
  "entries lowered": "shadowEntry",
  "shadow tables made": "wholeTable",
  "shadow tables compared": "wholeTable",
  "tables validated": "wholeTable",
};

/** What a counter costs each time. */
export function priced(counter: string): readonly CostName[] {
  if (counter === HYPERCALL) return [];
  if (counter.startsWith("exits ")) return NOT_EMULATED.test(counter) ? ["exit"] : ["exit", "emulate"];
  if (counter.startsWith("patched ")) return ["patched"];
  if (counter.startsWith("delivered ")) return ["deliver"];
  const one = NAMED[counter];
  return one === undefined ? [] : [one];
}
