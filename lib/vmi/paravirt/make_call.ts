/**
 * A call as backends and scripts see it: {@linkcode ParavirtCall} from the guest's registers and stack, with what a script
 * may do to it. Warm.
 *
 * Not emulated: forwarding of calls that a backend leaves to plain code, but for stores to memory and for those without
 * effect; of calls that do not return.
 */
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { checkAnswer, isKill } from "./answer.ts";
import type { AnyArgs, CallPlan } from "./arguments.ts";
import type { CallAnswer, ParavirtBackend } from "./backend.ts";
import type { DispatchHost } from "./dispatch_host.ts";
import { type CallSite, type CallVerbs, type LiveCall, liveCall } from "./live_call.ts";
import { type ParavirtRom, STRIDE } from "./rom.ts";

/** Virtual time is exact to 2^53 ticks: a script may bring a machine to half of that. */
const MOST_TICKS = 2 ** 52;

/** What the calls of one machine can ask for. */
export class CallMaker implements CallVerbs {
  readonly #backend: ParavirtBackend;
  readonly #rom: ParavirtRom;
  readonly #host: () => DispatchHost;
  /** That of the last call that trapped. */
  #trapSite: CallSite | undefined;
  /** That of the last call of plain code. */
  #codeSite: CallSite | undefined;
  readonly #stop = (name: string): void => this.#host().stop(name);

  /** @param host Asked when there is a machine. */
  constructor(backend: ParavirtBackend, rom: ParavirtRom, host: () => DispatchHost) {
    this.#backend = backend;
    this.#rom = rom;
    this.#host = host;
  }

  /** A call of the guest that has trapped, at its entry. */
  trapped(guest: GuestContext, plan: CallPlan): LiveCall {
    const slots = (guest.eip - plan.no * STRIDE) | 0;
    let site = this.#trapSite;
    if (site === undefined || site.guest !== guest || site.slots !== slots) {
      site = this.#trapSite = this.#site(guest, slots, this.#stop);
    }
    return liveCall(plan, site);
  }

  /** A call of the guest to a slot of plain code, at its entry. `stop` asks the run to end. */
  plain(guest: GuestContext, plan: CallPlan, stop: (name: string) => void): LiveCall {
    const slots = (guest.eip - plan.no * STRIDE) | 0;
    let site = this.#codeSite;
    if (site === undefined || site.guest !== guest || site.slots !== slots || site.stop !== stop) {
      site = this.#codeSite = this.#site(guest, slots, stop);
    }
    return liveCall(plan, site);
  }

  /** A call that no guest has made. */
  injected(guest: GuestContext, plan: CallPlan, args: AnyArgs): LiveCall {
    return liveCall(plan, this.#site(guest, (guest.eip - plan.no * STRIDE) | 0, this.#stop), args);
  }

  #site(guest: GuestContext, slots: number, stop: (name: string) => void): CallSite {
    return { cpu: this.#host().current(), guest, verbs: this, stop, slots };
  }

  /** See {@linkcode ParavirtCall.delay}. */
  delay(plan: CallPlan, ticks: number): void {
    const host = this.#host();
    host.pass(checkTicks(plan, ticks, host.clock.now));
  }

  /** See {@linkcode ParavirtCall.forward}. */
  forward(plan: CallPlan, call: LiveCall, changed: AnyArgs): CallAnswer {
    if (plan.result === "no-return") {
      throw new ConfigError(
        "paravirt-forward",
        `${plan.name} does not return to its caller, so it cannot be forwarded`,
      );
    }
    for (const given of Object.keys(changed)) {
      if (plan.args.some((a) => a.name === given)) continue;
      const names = plan.args.map((a) => a.name).join(", ") || "none";
      throw new ConfigError("paravirt-forward", `${plan.name} has no argument "${given}"; its arguments: ${names}`);
    }
    const args: AnyArgs = { ...call.args, ...changed };
    const answer = this.#rom.slots[plan.no]?.trap === true ? this.#backend.call(call.with(args)) : "native";
    if (answer !== "native") {
      if (isKill(answer)) call.kill(answer.kill);
      else checkAnswer(plan, answer);
      return answer;
    }
    const effect = NATIVE_EFFECT[plan.name];
    if (effect !== undefined) return effect(call.guest, args);
    throw new ConfigError(
      "paravirt-forward",
      `Backend ${this.#backend.name} leaves ${plan.name} to code in the ROM, which runs when "native" is answered`,
    );
  }
}

function checkTicks(plan: CallPlan, ticks: number, now: number): number {
  if (Number.isSafeInteger(ticks) && ticks >= 0 && now + ticks < MOST_TICKS) return ticks;
  throw new ConfigError(
    "paravirt-time",
    `Cannot delay ${plan.name} by ${ticks} ticks; give a whole number from 0 on with which time stays below 2^52`,
  );
}

type Effect = (guest: GuestContext, args: AnyArgs) => undefined;

const nothing: Effect = () => undefined;
const number = (args: AnyArgs, name: string): number => Number(args[name] ?? 0) >>> 0;
const storeDescriptor: Effect = (guest, args) => {
  const at = (number(args, "base") + 8 * number(args, "index")) >>> 0;
  guest.write(at, number(args, "low"), 32);
  guest.write((at + 4) >>> 0, number(args, "high"), 32);
};

/** What the plain code of a call comes to, where that is a store or nothing. */
const NATIVE_EFFECT: Readonly<Partial<Record<ParavirtName, Effect>>> = {
  SetPxE: (guest, args) => {
    guest.write(number(args, "ptep"), number(args, "pte"), 32);
  },
  SetPxELong: (guest, args) => {
    const pte = BigInt(args["pte"] ?? 0), at = number(args, "ptep");
    const words = [[4, Number(pte >> 32n)], [0, Number(pte & 0xffffffffn)]] as const;
    // A present entry never shows torn: its high half comes first, and goes last.
    for (const [offset, value] of (pte & 1n) === 1n ? words : [...words].reverse()) guest.write(at + offset, value, 32);
  },
  UpdatePxE: nothing,
  UpdatePxELong: nothing,
  AllocatePage: nothing,
  ReleasePage: nothing,
  SetLinearMapping: nothing,
  SetLazyMode: nothing,
  UpdateKernelStack: nothing,
  WriteGDTEntry: storeDescriptor,
  WriteLDTEntry: storeDescriptor,
  WriteIDTEntry: storeDescriptor,
};
