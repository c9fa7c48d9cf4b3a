/**
 * Parameters of a spec's devices: each against the rule of its module, then all against what the module says of them
 * together. Cold.
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

/** Parameters given as texts, as in XML, become what the module's rules want. @throws {ConfigError} message-spec */
export function fromTexts(where: string, module: MessageModule, given: Parameters): Parameters {
  const read = ([name, text]: [string, ParameterValue]): [string, ParameterValue] => {
    const type = module.parameters.find((r) => r.name === name)?.type;
    if (typeof text !== "string" || type === undefined || type === "string") return [name, text];
    if (type === "boolean") return [name, text === "true" ? true : text === "false" ? false : text];
    if (type === "number") return [name, text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text];
    try {
      return [name, JSON.parse(text)];
    } catch {
      throw bad(`${where}.parameters.${name}`, `must be a list as JSON has them, not ${show(text)}`);
    }
  };
  return Object.fromEntries(Object.entries(given).map(read));
}

/** Are the rules of a module such? @throws {ConfigError} message-spec */
export function checkRules(where: string, module: MessageModule): void {
  const types: readonly unknown[] = ["number", "string", "boolean", "list"];
  for (const [i, rule] of (module.parameters as readonly (ParameterRule | null)[]).entries()) {
    if (typeof rule?.name === "string" && types.includes(rule.type)) continue;
    throw bad(`${where}.module`, `parameters[${i}] must be an object with a name and a type of ${types.join(", ")}`);
  }
}

/**
 * Checks parameters against a module's rules and fills in the defaults.
 * @param ranks Ranks of the job; absent: any may be named.
 * @throws {ConfigError} message-spec
 */
export function checkParameters(where: string, module: MessageModule, given: Parameters, ranks?: number): Parameters {
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
    const value = Object.hasOwn(given, rule.name) ? given[rule.name] : rule.default;
    if (value === undefined) throw bad(`${where}.parameters.${rule.name}`, "must be given");
    checkValue(`${where}.parameters.${rule.name}`, value, rule);
    if (rule.items === "ranks" && ranks !== undefined) checkRanks(`${where}.parameters.${rule.name}`, value, ranks);
    out[rule.name] = value;
  }
  const wrong = module.check?.(out);
  if (wrong !== undefined) throw bad(`${where}.parameters`, wrong);
  return out;
}

function checkRanks(where: string, pairs: ParameterValue, ranks: number): void {
  for (const [i, pair] of (pairs as readonly (readonly number[])[]).entries()) {
    const absent = pair.find((r) => !Number.isInteger(r) || r >= ranks);
    if (absent === undefined) continue;
    throw bad(`${where}[${i}]`, `names rank ${absent}; the job has ranks 0 to ${ranks - 1}`);
  }
}

function checkValue(where: string, value: ParameterValue, rule: ParameterRule): void {
  const type = Array.isArray(value) ? "list" : value === null ? "null" : typeof value;
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

const WANT = {
  number: "a number",
  pair: "a pair [a, b] of numbers",
  range: "a range [from, to], from below to",
  ranks: "a pair [a, b] of ranks",
} as const;

function checkItems(where: string, list: readonly unknown[], items: NonNullable<ParameterRule["items"]>): void {
  const isNumber = (v: unknown): boolean => typeof v === "number" && v >= 0;
  for (const [i, item] of list.entries()) {
    const pair = Array.isArray(item) && item.length === 2 && item.every(isNumber);
    if (items === "number" ? isNumber(item) : pair && (items !== "range" || item[0] < item[1])) continue;
    throw bad(`${where}[${i}]`, `must be ${WANT[items]}, not ${JSON.stringify(item)}`);
  }
}
