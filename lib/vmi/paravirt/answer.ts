/**
 * Looks at what a backend or a script has answered. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CallPlan } from "./arguments.ts";
import type { CallAnswer, Kill } from "./backend.ts";

/** Does the answer end the guest? */
export function isKill(answer: CallAnswer): answer is Kill {
  return typeof answer === "object" && answer !== null;
}

/** Refuses what is no answer. @throws {ConfigError} paravirt-answer */
export function checkAnswer(plan: CallPlan, answer: unknown): void {
  if (answer === undefined || typeof answer === "bigint") return;
  if (typeof answer === "number" && Number.isInteger(answer)) return;
  throw new ConfigError(
    "paravirt-answer",
    `The answer to ${plan.name} is ${String(answer)}; give an integer, a bigint, undefined or "native"`,
  );
}

/** A function of a script has thrown: an Error is named after the call, a guest fault goes on to the guest. */
export function scriptFailed(plan: CallPlan, error: unknown): never {
  if (!(error instanceof Error)) throw error;
  const failure = new ConfigError("paravirt-script", `A function for ${plan.name} failed: ${error.message}`);
  failure.cause = error;
  throw failure;
}
