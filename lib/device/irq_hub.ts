/**
 * Interrupt hub: fans each platform line out to every controller, and joins the devices that share a line. Line 0 of
 * the ISA bus reaches an IO-APIC at pin 2, as PC boards wire it, and at pin 0, where firmware that describes no other
 * wiring has it; a guest uses one of them. Lines 16-23 reach an IO-APIC only. Warm.
 *
 * A source that rises while another holds the line high gives a new edge: on a real board the edge would be lost.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";
import { fieldsOf } from "./section.ts";

/** What receives lines. */
export interface IrqSink {
  /** Input `n`. */
  line(n: number): IrqLine;
}

/** The hub. */
export interface IrqHub {
  /** A new source on line `n`, 0-23: the line is high while any of its sources is. */
  irq(n: number): IrqLine;
  /** Levels of all sources. */
  save(): Section;
  /**
   * Goes back to them, driving nothing: to be called after the sources have settled and before the controllers load.
   * Sources are told apart by line and order of making; one made later has the level that was saved for it.
   */
  load(section: Section): void;
}

const LINES = 24;
/** More sources of one line than any board has. */
const SOURCES = 256;

/** Makes a hub over a pair of 8259s and, if given, an IO-APIC. */
export function irqHub(pic: IrqSink, ioApic?: IrqSink): IrqHub {
  const none: IrqLine = { set: (): void => {} };
  const outs = Array.from({ length: LINES }, (_, n) => {
    const pins = n === 0 ? [2, 0] : n === 2 ? [] : [n];
    return [n < 16 ? pic.line(n) : none, ...pins.map((pin) => ioApic?.line(pin) ?? none)];
  });
  /** Level of each source, by line. */
  let levels: boolean[][] = outs.map(() => []);
  const made: number[] = outs.map(() => 0);

  function set(n: number, source: number, level: boolean): void {
    const mine = levels[n];
    if (mine === undefined || mine[source] === level) return;
    const others = mine.some((l, i) => l && i !== source);
    mine[source] = level;
    const out = outs[n] ?? [];
    if (!level && others) return;
    if (level && others) { for (const o of out) o.set(false); }
    for (const o of out) o.set(level);
  }

  return {
    irq(n): IrqLine {
      const source = made[n] ?? 0;
      const mine = levels[n];
      if (mine !== undefined) {
        made[n] = source + 1;
        mine[source] ??= false;
      }
      return { set: (level): void => set(n, source, level) };
    },
    // By line the sources that are high: the same whether a source that is low was made or not.
    save: () => ({ version: 1, fields: { high: levels.map((line) => line.flatMap((l, i) => l ? [i] : [])) } }),
    load(section): void {
      const f = fieldsOf(section, "irq-hub") as { high: readonly (readonly number[])[] };
      levels = levels.map((line, n) => {
        const high = f.high[n] ?? [];
        if (high.some((i) => !(i >= 0 && i < SOURCES))) {
          throw new ConfigError("snapshot-corrupt", `Snapshot is damaged: interrupt line ${n} has sources ${high}`);
        }
        return Array.from({ length: Math.max(line.length, ...high.map((i) => i + 1)) }, (_, i) => high.includes(i));
      });
    },
  };
}
