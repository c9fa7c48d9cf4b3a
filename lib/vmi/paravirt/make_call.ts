/**
 * A call as backends and scripts see it: {@linkcode ParavirtCall} from the guest's registers and stack, with what a script
 * may do to it. Warm.
 *
 * Not emulated: forwarding of calls that a backend leaves to plain code, but for stores to memory and for those without
 * effect; of calls that do not return.
 */
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { Reg } from "../../spec/i386_regs.ts";
import type { ParavirtName } from "../../spec/paravirt_calls.ts";
import { checkAnswer, isKill } from "./answer.ts";
import type { AnyArgs, CallPlan } from "./arguments.ts";
import type { CallAnswer, KillCode, ParavirtBackend, ParavirtCall } from "./backend.ts";
import type { DispatchHost } from "./dispatch_host.ts";
import type { ParavirtRom } from "./rom.ts";

/** Who asked, where, and how it ends the run. */
export interface CallPlace {
  /** Linear address of the slot. */
  readonly eip: number;
  /** Asks the run to end with the stop reason `hook`. */
  readonly stop: (name: string) => void;
  /** Ends the guest. */
  readonly kill: (code: KillCode) => void;
}

/** Makes the calls of one machine. */
export class CallMaker {
  readonly #backend: ParavirtBackend;
  readonly #rom: ParavirtRom;
  readonly #host: () => DispatchHost;
  readonly #word: Uint8Array = new Uint8Array(4);
  readonly #wordView: DataView = new DataView(this.#word.buffer);

  /** @param host Asked when there is a machine. */
  constructor(backend: ParavirtBackend, rom: ParavirtRom, host: () => DispatchHost) {
    this.#backend = backend;
    this.#rom = rom;
    this.#host = host;
  }

  /** A call of the guest, at its entry. */
  make(guest: GuestContext, plan: CallPlan, args: AnyArgs, place: CallPlace): ParavirtCall {
    const there = guest.peek(guest.reg(Reg.esp) >>> 0, this.#word);
    const from = there ? this.#wordView.getUint32(0, true) : 0;
    const host = this.#host();
    const call: ParavirtCall = {
      no: plan.no,
      name: plan.name,
      args,
      cpu: host.current(),
      eip: place.eip,
      from,
      time: guest.now(),
      guest,
      stop: place.stop,
      kill: (code: KillCode = "refused"): void => place.kill(code),
      delay: (ticks: number): void => host.pass(checkTicks(plan, ticks)),
      forward: (changed: AnyArgs = {}): CallAnswer => this.#forward(plan, call, changed, place),
    };
    return call;
  }

  #forward(plan: CallPlan, call: ParavirtCall, changed: AnyArgs, place: CallPlace): CallAnswer {
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
    const answer = this.#rom.slots[plan.no]?.trap === true ? this.#backend.call({ ...call, args }) : "native";
    if (answer !== "native") {
      if (isKill(answer)) place.kill(answer.kill);
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

function checkTicks(plan: CallPlan, ticks: number): number {
  if (Number.isSafeInteger(ticks) && ticks >= 0) return ticks;
  throw new ConfigError("paravirt-time", `Cannot delay ${plan.name} by ${ticks} ticks; give a whole number from 0 on`);
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
