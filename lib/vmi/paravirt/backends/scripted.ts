/**
 * Backend `scripted`: every call traps and is answered by the script; what the script leaves open goes on with the native
 * code behind the trap, or ends the guest, as chosen. For teaching, tests and fault injection. Cold.
 *
 * Not emulated: as backend `native`; a call of those that native leaves out is there if the script answers it.
 */
import type { Section } from "../../../core/component.ts";
import type { ParavirtName } from "../../../spec/paravirt_calls.ts";
import type { CallAnswer, ParavirtBackend, ParavirtCall, ParavirtHost, SlotPlan } from "../backend.ts";
import { IretSite } from "../iret_site.ts";
import { JUMPED } from "../../../spec/paravirt_native.ts";
import { VirtualTime } from "../time.ts";
import { loadBoth, nativeSlot, resetBoth, saveBoth } from "./native.ts";

/** A script's answers by name of the call. */
export type ScriptedAnswers = {
  readonly [N in ParavirtName]?: (call: ParavirtCall<N>) => CallAnswer;
};

/** What can be chosen; everything has a default. */
export interface ScriptedOptions {
  /** What becomes of a call without answer: `native` (default) goes on natively, `kill` ends the guest. */
  readonly unanswered?: "native" | "kill";
  /** Wall clock at power-on, nanoseconds since 1970 UTC; default 2000-01-01. */
  readonly epoch?: bigint;
}

/** Calls without which no guest gets far; they are done natively even where nothing else is. */
const ALWAYS_NATIVE: ReadonlySet<ParavirtName> = new Set<ParavirtName>(["Init", "IRET", ...JUMPED]);

/** Makes a scripted backend. */
export function scripted(answers: ScriptedAnswers = {}, options: ScriptedOptions = {}): ParavirtBackend {
  const time = new VirtualTime(options.epoch);
  const site = new IretSite(true);
  return {
    name: "scripted",
    steal: (cpu: number, ticks: number): void => time.steal(cpu, ticks),
    setWallclock: (nanoseconds: bigint): void => time.setWallclock(nanoseconds),
    attach: (host: ParavirtHost): void => {
      time.attach(host);
      site.attach(host);
    },
    slot: (name: ParavirtName): SlotPlan => {
      const plan = nativeSlot(name, true, true);
      const answered = plan.reloc === "none" && answers[name] !== undefined;
      return answered ? { reloc: "call", trap: true, code: ["c3 | ret"] } : plan;
    },
    call: (call: ParavirtCall): CallAnswer => {
      if (call.name === "Init") site.found(call);
      const answer = answers[call.name] as ((call: ParavirtCall) => CallAnswer) | undefined;
      if (answer !== undefined) return answer(call);
      const may = options.unanswered !== "kill" || ALWAYS_NATIVE.has(call.name);
      return may ? time.call(call) : { kill: "unanswered" };
    },
    reset: (): void => resetBoth(time, site),
    save: (): Section => saveBoth(time, site),
    load: (section: Section): void => loadBoth(section, time, site),
  };
}
