/**
 * Parameters of a spec's devices: each against the rule of its module. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { MessageModule, ParameterRule, Parameters, ParameterValue } from "./module.ts";

/** A mistake in a spec. @param where Its place. @param text What is wrong. */
export function bad(where: string, text: string): ConfigError {
  return new ConfigError("message-spec", `Spec: ${where}: ${text}`);
}

/** A value as a mistake shows it. */
export function show(value: unknown): string {
  if (value === null) return "null";
  return typeof value === "string" ? JSON.stringify(value) : typeof value === "object" ? "an object" : String(value);
}

/**
 * Checks parameters against a module's rules and fills in the defaults.
 * @throws {ConfigError} message-spec
 */
export function checkParameters(where: string, module: MessageModule, given: Parameters): Parameters {
  const known = module.parameters.map((r) => r.name);
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    throw bad(
      `${where}.parameters`,
      `module "${module.name}" has no parameter "${key}"; it takes ${known.join(", ") || "none"}`,
    );
  }
  const out: Record<string, ParameterValue> = {};
  for (const rule of module.parameters) {
    const value = given[rule.name] ?? rule.default;
    if (value === undefined) throw bad(`${where}.parameters.${rule.name}`, "must be given");
    checkValue(`${where}.parameters.${rule.name}`, value, rule);
    out[rule.name] = value;
  }
  return out;
}

function checkValue(where: string, value: ParameterValue, rule: ParameterRule): void {
  const type = Array.isArray(value) ? "list" : typeof value;
  if (type !== rule.type) throw bad(where, `must be a ${rule.type}, not ${show(value)}`);
  if (typeof value === "number") {
    const { min = -Infinity, max = Infinity } = rule;
    if (!(value >= min && value <= max)) throw bad(where, `must be from ${min} to ${max}, not ${value}`);
  }
  if (rule.integer === true && !Number.isInteger(value)) throw bad(where, `must be a whole number, not ${value}`);
  if (rule.items !== undefined && Array.isArray(value)) checkItems(where, value, rule.items);
  if (rule.choices !== undefined && !rule.choices.includes(value)) {
    throw bad(where, `must be one of ${rule.choices.join(", ")}, not ${show(value)}`);
  }
}

function checkItems(where: string, list: readonly unknown[], items: NonNullable<ParameterRule["items"]>): void {
  const isNumber = (v: unknown): boolean => typeof v === "number" && v >= 0;
  for (const [i, item] of list.entries()) {
    const pair = Array.isArray(item) && item.length === 2 && item.every(isNumber);
    if (items === "number" ? isNumber(item) : pair && (items === "pair" || item[0] < item[1])) continue;
    const want = { number: "a number", pair: "a pair [a, b] of numbers", range: "a range [from, to], from below to" };
    throw bad(`${where}[${i}]`, `must be ${want[items]}, not ${JSON.stringify(item)}`);
  }
}
