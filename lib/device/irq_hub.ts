/**
 * Interrupt hub: fans each platform line out to every controller, and joins the devices that share a line. Line 0 of
 * the ISA bus reaches an IO-APIC at pin 2, as PC boards wire it, and at pin 0, where firmware that describes no other
 * wiring has it; a guest uses one of them. Lines 16-23 reach an IO-APIC only. Warm.
 *
 * A source that rises while another holds the line high gives a new edge: on a real board the edge would be lost.
 */
import type { IrqLine } from "../core/bus.ts";

/** What receives lines. */
export interface IrqSink {
  /** Input `n`. */
  line(n: number): IrqLine;
}

/** The hub. */
export interface IrqHub {
  /** A new source on line `n`, 0-23: the line is high while any of its sources is. */
  irq(n: number): IrqLine;
}

/** Makes a hub over a pair of 8259s and, if given, an IO-APIC. */
export function irqHub(pic: IrqSink, ioApic?: IrqSink): IrqHub {
  const count = new Array<number>(24).fill(0);
  const none: IrqLine = { set: (): void => {} };
  const outs = count.map((_, n) => {
    const pins = n === 0 ? [2, 0] : n === 2 ? [] : [n];
    return [n < 16 ? pic.line(n) : none, ...pins.map((pin) => ioApic?.line(pin) ?? none)];
  });
  return {
    irq(n): IrqLine {
      let mine = false;
      return {
        set(level): void {
          const out = outs[n];
          if (out === undefined || level === mine) return;
          mine = level;
          const before = count[n] ?? 0;
          const after = before + (level ? 1 : -1);
          count[n] = after;
          if (!level && after !== 0) return;
          if (before !== 0 && after !== 0) { for (const o of out) o.set(false); }
          for (const o of out) o.set(level);
        },
      };
    },
  };
}
