/**
 * Reads the argument notation of the call table (`name@place`) and moves arguments and results between a guest's
 * registers and plain values. Warm: once per observed call.
 */
import type { GuestContext } from "../../core/cpu.ts";
import {
  PARAVIRT_CALLS,
  PARAVIRT_ENTRIES,
  type ParavirtName,
  type ParavirtPlace,
  type ParavirtResult,
  type ParavirtRow,
} from "../../spec/paravirt_calls.ts";
import { Reg } from "../../spec/i386_regs.ts";

/** Name of an argument as written in the table. */
export type ArgName<S> = S extends `${infer N}@${string}` ? N : never;
/** Its value: a 64-bit argument is a bigint, any other a u32 number. */
export type ArgValue<S> = S extends `${string},${string}` ? bigint : number;
/** Row of a call by name. */
export type RowOf<N extends ParavirtName> = Extract<ParavirtRow, { readonly name: N }>;

/** Arguments of the call `N` by name: u32 numbers, bigint for 64 bits. */
export type ParavirtArgs<N extends ParavirtName> = {
  readonly [S in RowOf<N>["args"][number] as ArgName<S>]: ArgValue<S>;
};

/** Result of the call `N`: a bigint for 64 bits, u32 for EAX, otherwise nothing. */
export type ParavirtResultOf<N extends ParavirtName> = RowOf<N>["result"] extends "edx:eax" ? bigint
  : RowOf<N>["result"] extends "eax" | "eax:ebx:ecx:edx" ? number
  : undefined;

/** Arguments of whatever call. */
export type AnyArgs = Readonly<Record<string, number | bigint>>;

/** One argument, taken apart. */
export interface ArgPlan {
  /** Name in the table. */
  readonly name: string;
  /** Where its words are, low first. */
  readonly places: readonly ParavirtPlace[];
}

/** A call or entry, taken apart. */
export interface CallPlan {
  /** Number; the two entries count on after the calls. */
  readonly no: number;
  /** The interface's own name. */
  readonly name: ParavirtName;
  /** Arguments in order. */
  readonly args: readonly ArgPlan[];
  /** Where the result goes. */
  readonly result: ParavirtResult;
  /** Words of the stack that arguments take. */
  readonly stackWords: number;
  /** Where the words of all arguments are, in order: a register's number, or -1 and -2 for the words of the stack. */
  readonly words: readonly number[];
}

/** All calls and then the two entries, by number. */
export const PLANS: readonly CallPlan[] = [...PARAVIRT_CALLS, ...PARAVIRT_ENTRIES].map(plan);

/** Words that the arguments of one call have at most. */
export const MAX_WORDS = 5;

const BY_NAME: ReadonlyMap<string, CallPlan> = new Map(PLANS.map((p) => [p.name, p]));

/** The call of that name, or `undefined`. */
export function planOf(name: string): CallPlan | undefined {
  return BY_NAME.get(name);
}

function plan(row: ParavirtRow): CallPlan {
  const args = row.args.map((text: string): ArgPlan => {
    const [name = "", places = ""] = text.split("@");
    return { name, places: places.split(",") as ParavirtPlace[] };
  });
  const places = args.flatMap((a) => a.places);
  const words = places.map((p) => p === "stack0" ? -1 : p === "stack1" ? -2 : Reg[p]);
  const stackWords = words.filter((w) => w < 0).length;
  return { no: row.no, name: row.name, args, result: row.result, stackWords, words };
}

const NO_ARGS: AnyArgs = Object.freeze({});

/**
 * Reads the words of the arguments, i32, as the guest's registers and stack hold them at entry.
 * @returns False: the stack is not mapped.
 */
export function readWords(guest: GuestContext, call: CallPlan, into: Int32Array, at = 0): boolean {
  const { words } = call;
  for (let i = 0; i < words.length; i++) {
    const place = words[i];
    if (place >= 0) into[at + i] = guest.reg(place);
    else {
      const word = guest.peek32((guest.reg(Reg.esp) - 4 * place) >>> 0);
      if (word < 0) return false;
      into[at + i] = word;
    }
  }
  return true;
}

/** Arguments by name, from their words, i32, which begin at `at`. */
export function argsOf(call: CallPlan, words: Int32Array, at: number): AnyArgs {
  if (call.args.length === 0) return NO_ARGS;
  const args: Record<string, number | bigint> = {};
  let next = at;
  for (const { name, places } of call.args) {
    const low = words[next] >>> 0;
    args[name] = places.length === 1 ? low : BigInt(low) | BigInt(words[next + 1] >>> 0) << 32n;
    next += places.length;
  }
  return args;
}

/** The words of given arguments by place; a missing argument is 0. */
export function placeArgs(call: CallPlan, args: AnyArgs): Map<ParavirtPlace, number> {
  const placed = new Map<ParavirtPlace, number>();
  for (const { name, places } of call.args) {
    const value = BigInt.asUintN(64, BigInt(args[name] ?? 0));
    places.forEach((p, i) => placed.set(p, Number((value >> BigInt(32 * i)) & 0xffffffffn)));
  }
  return placed;
}

/** The result as the guest's registers hold it at return. */
export function readResult(guest: GuestContext, call: CallPlan): number | bigint | undefined {
  const eax = guest.reg(Reg.eax) >>> 0;
  if (call.result === "edx:eax") return BigInt(eax) | BigInt(guest.reg(Reg.edx) >>> 0) << 32n;
  return call.result === "none" || call.result === "no-return" ? undefined : eax;
}

/** Puts a result where the call returns it; a call without result ignores it. */
export function writeResult(guest: GuestContext, call: CallPlan, result: number | bigint): void {
  if (call.result === "none" || call.result === "no-return") return;
  if (typeof result === "number" && call.result !== "edx:eax") {
    guest.setReg(Reg.eax, result >>> 0);
    return;
  }
  const value = BigInt.asUintN(64, BigInt(result));
  guest.setReg(Reg.eax, Number(value & 0xffffffffn));
  if (call.result === "edx:eax") guest.setReg(Reg.edx, Number(value >> 32n));
}
