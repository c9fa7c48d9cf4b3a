/**
 * Counts the events that have a price, and moves the clock by it. Part of a machine that was given a table of costs. Warm:
 * once an event.
 */
import { COST_NAMES, type CostName, type CostTable } from "../core/costs.ts";
import type { Component, FieldValue, Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";

/** Meter of one machine. */
export class CostMeter implements Component {
  /** Name of the component. */
  readonly name: string = "costs";
  /** The prices. */
  readonly table: CostTable;
  readonly #charge: (ticks: number) => void;
  readonly #counts: Map<CostName, number> = new Map();
  #ticks = 0;

  /** Makes one. @param table Prices, checked. @param charge Moves the clock. */
  constructor(table: CostTable, charge: (ticks: number) => void) {
    this.table = table;
    this.#charge = charge;
  }

  /** Ticks charged since power-on. */
  get ticks(): number {
    return this.#ticks;
  }

  /** How often each event came since power-on; those that never came are left out. */
  get counts(): Readonly<Partial<Record<CostName, number>>> {
    const came = COST_NAMES.filter((name) => this.#counts.has(name));
    return Object.fromEntries(came.map((name) => [name, this.#counts.get(name) ?? 0]));
  }

  /** An event comes `times` times, at the current instruction of the running CPU. */
  spend(what: CostName, times: number): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + times);
    const ticks = (this.table[what] ?? 0) * times;
    if (ticks === 0) return;
    this.#ticks += ticks;
    this.#charge(ticks);
  }

  /** Power-on state. */
  reset(): void {
    this.#counts.clear();
    this.#ticks = 0;
  }

  /** Counts and prices. */
  save(): Section {
    return { version: 1, fields: { table: { ...this.table }, counts: { ...this.counts }, ticks: this.#ticks } };
  }

  /** Restores the counts. @throws {ConfigError} snapshot-version, snapshot-mismatch */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Section costs has version ${section.version}, this library reads 1`);
    }
    const table = section.fields["table"] as { readonly [name: string]: FieldValue };
    const other = COST_NAMES.find((name) => (table[name] ?? 0) !== (this.table[name] ?? 0));
    if (other !== undefined) {
      throw new ConfigError(
        "snapshot-mismatch",
        `Snapshot is of a machine where ${other} costs ${Number(table[other] ?? 0)}, not ${this.table[other] ?? 0}`,
      );
    }
    this.#counts.clear();
    const counts = section.fields["counts"] as Readonly<Partial<Record<CostName, number>>>;
    for (const name of COST_NAMES) if (counts[name] !== undefined) this.#counts.set(name, counts[name]);
    this.#ticks = section.fields["ticks"] as number;
  }
}

/** A table of costs with nothing wrong in it. @throws {ConfigError} config-value, config-key */
export function checkCosts(table: CostTable): CostTable {
  if (table === null || typeof table !== "object") {
    throw new ConfigError("config-value", `costs must be a table such as { exit: 2000 }, not ${String(table)}`);
  }
  for (const [name, price] of Object.entries(table) as [string, unknown][]) {
    if (!(COST_NAMES as readonly string[]).includes(name)) {
      throw new ConfigError("config-key", `Nothing named "${name}" has a price; there are ${COST_NAMES.join(", ")}`);
    }
    if (typeof price === "number" && Number.isInteger(price) && price >= 0 && price <= 1e9) continue;
    throw new ConfigError("config-value", `costs.${name} must be a whole number of ticks to 1e9, not ${String(price)}`);
  }
  return { ...table };
}
