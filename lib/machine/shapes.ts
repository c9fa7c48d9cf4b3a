/**
 * Checks that what a script hands over has the members of its contract: scripts run unchecked by types, too, and what is
 * missing is to be said by name before anything is built. Cold.
 */
import { ConfigError } from "../core/errors.ts";
import type { Region } from "../memory/region.ts";

/**
 * Refuses what lacks functions of a contract.
 * @param what For the message. @param members Names of functions. @param hint What to write instead.
 * @throws {ConfigError} config-value
 */
export function checkShape(what: string, value: unknown, members: readonly string[], hint: string): void {
  const missing = missingOf(value, members);
  if (missing === undefined) return;
  const why = missing === "" ? `is ${value === null ? "null" : typeof value}` : `has no function "${missing}"`;
  throw new ConfigError("config-value", `${what} ${why}; ${hint}`);
}

/** The first function that is not there; "": it is no object at all; undefined: all are there. */
function missingOf(value: unknown, members: readonly string[]): string | undefined {
  if (value === null || typeof value !== "object" && typeof value !== "function") return "";
  return members.find((name) => typeof (value as { readonly [name: string]: unknown })[name] !== "function");
}

const KINDS = ["ram", "rom", "shadow", "mmio"];

/** Refuses what is no Region. @throws {ConfigError} config-value */
export function checkRegion(region: Region, index: number): void {
  const what = `memory[${index}]`;
  checkShape(what, region, [], "make Regions with ram(), rom() or mmio()");
  if (!KINDS.includes(region.kind)) {
    throw new ConfigError(
      "config-value",
      `${what} has the kind ${JSON.stringify(region.kind)}; make it with ram(), rom() or mmio()`,
    );
  }
  if (region.kind === "rom" && !(region.bytes instanceof Uint8Array)) {
    throw new ConfigError("config-value", `${what} is a ROM without bytes; give a Uint8Array`);
  }
  if (region.kind === "mmio") {
    checkShape(`The handler of ${what}`, region.handler, ["read", "write"], "both are needed");
  }
}

const DEVICE = ["attach", "reset", "save", "load"];

/** Refuses what is no device. @throws {ConfigError} config-value */
export function checkDevice(device: { readonly name: string }, index: number): void {
  const what = `devices[${index}]`;
  checkShape(what, device, DEVICE, `a device has a name and the functions ${DEVICE.join(", ")}`);
  if (typeof device.name !== "string" || device.name === "") {
    throw new ConfigError("config-value", `${what} has no name; give it one that no other component has`);
  }
}
