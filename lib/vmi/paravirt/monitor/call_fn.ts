/**
 * The shape of a function that answers a call of a de-privileged guest. Cold contract.
 */
import type { CallAnswer, ParavirtCall } from "../backend.ts";
import type { VirtualCpu } from "./vcpu.ts";

/**
 * Answers one call; `arg` gives an argument of 32 bits by its name in the call table.
 * @throws {Raised} A fault of the guest, at the call; nothing has changed then.
 */
export type CallFn = (cpu: VirtualCpu, arg: (name: string) => number, call: ParavirtCall) => CallAnswer | void;
