/**
 * Looks at what a backend or a script has answered. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CallPlan } from "./arguments.ts";
import type { CallAnswer, Kill } from "./backend.ts";

/** Does the answer end the guest? */
export function isKill(answer: CallAnswer): answer is Kill {
  return typeof answer === "object" && answer !== null && typeof answer.kill === "string";
}

/** Refuses what is no answer. @throws {ConfigError} paravirt-answer */
export function checkAnswer(plan: CallPlan, answer: unknown): void {
  if (answer === undefined) return;
  if (typeof answer === "number" && answer >= -0x80000000 && answer <= 0xffffffff && Number.isInteger(answer)) return;
  const bits = plan.result === "edx:eax" ? 64n : 32n;
  if (typeof answer === "bigint" || (typeof answer === "number" && Number.isInteger(answer))) {
    const value = BigInt(answer);
    if (value >= -(1n << (bits - 1n)) && value < 1n << bits) return;
    throw new ConfigError("paravirt-answer", `The answer to ${plan.name} is ${answer}, which ${bits} bits do not hold`);
  }
  throw new ConfigError(
    "paravirt-answer",
    `The answer to ${plan.name} is ${shown(answer)}; give an integer, a bigint, undefined, "native" or { kill: code }`,
  );
}

/** A value that is no answer, in a few words. */
function shown(answer: unknown): string {
  if (typeof answer === "symbol" || typeof answer === "function") return `a ${typeof answer}`;
  if (answer instanceof Promise) return "a promise, and a call waits for nobody";
  return typeof answer === "object" && answer !== null ? "an object" : String(answer);
}

/** Is what was thrown a fault of the guest, on its way to it? Everything else is a mistake of the script. */
export function isGuestFault(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && !(thrown instanceof Error);
}

/** A function of a script has thrown: the error is named after the call, a guest fault goes on to the guest. */
export function scriptFailed(plan: CallPlan, error: unknown): never {
  if (isGuestFault(error)) throw error;
  const what = error instanceof Error ? error.message : `it threw ${shown(error)}, which is no error`;
  const failure = new ConfigError("paravirt-script", `A function for ${plan.name} failed: ${what}`);
  failure.cause = error;
  throw failure;
}
