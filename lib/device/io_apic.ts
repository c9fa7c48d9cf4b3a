/**
 * IO-APIC at 0xFEC00000: 24 pins, each with a redirection entry that turns an edge or a level into a message.
 *
 * Sources: Intel 82093AA data sheet (290566). Warm.
 *
 * Not emulated: delivery status (always idle), arbitration; ExtINT entries are dropped: LINT0 carries the 8259.
 */
import type { IrqLine } from "../core/bus.ts";
import type { Device } from "../core/device.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** Options of {@linkcode ioApic}. */
export interface IoApicOptions {
  /** Receives messages; usually the local APICs' `deliver`. */
  readonly deliver: (destination: number, logical: boolean, mode: number, vector: number, level: boolean) => void;
}

/** The IO-APIC. */
export interface IoApic extends Device {
  /** Input pin 0-23. */
  line(n: number): IrqLine;
  /** A level-triggered vector was ended at a local APIC. */
  endOfInterrupt(vector: number): void;
}

const PINS = 24;
const MASKED = 0x10000;
const LEVEL = 0x8000;
const REMOTE_IRR = 0x4000;
const LOW_POLARITY = 0x2000;

/** Makes it. */
export function ioApic(options: IoApicOptions): IoApic {
  const low = new Uint32Array(PINS).fill(MASKED);
  const high = new Uint32Array(PINS);
  const notes = new Notes("io-apic");
  let lines = 0;
  let index = 0;
  let id = 0;

  function send(n: number): void {
    const entry = low[n] ?? MASKED;
    const mode = (entry >> 8) & 7;
    const level = (entry & LEVEL) !== 0 && mode < 2;
    if (mode === 7) return notes.once("ExtINT entries are dropped: LINT0 carries the 8259");
    if (level) low[n] = entry | REMOTE_IRR;
    options.deliver((high[n] ?? 0) >>> 24, (entry & 0x800) !== 0, mode, entry & 0xff, level);
  }

  function check(n: number): void {
    const entry = low[n] ?? MASKED;
    // Lines arrive as asserted or not: the polarity bit only describes the wire.
    if ((entry & (MASKED | REMOTE_IRR)) !== 0 || (entry & LEVEL) === 0) return;
    if ((lines & (1 << n)) !== 0) send(n);
  }

  function read(): number {
    if (index === 0 || index === 2) return id;
    if (index === 1) return 0x11 | ((PINS - 1) << 16);
    const n = (index - 16) >> 1;
    return index < 16 ? 0 : ((index & 1) === 0 ? low[n] : high[n]) ?? 0;
  }

  function write(value: number): void {
    if (index === 0) id = value & 0x0f000000;
    const n = (index - 16) >> 1;
    if (index < 16 || n >= PINS) return;
    if ((index & 1) !== 0) high[n] = value & 0xff000000;
    else {
      const kept = (value & LEVEL) !== 0 ? (low[n] ?? 0) & REMOTE_IRR : 0;
      low[n] = (value & (0x10fff | LEVEL | LOW_POLARITY)) | kept;
      low[n] = (low[n] ?? 0) & ~0x1000;
      check(n);
    }
  }

  return {
    name: "io-apic",
    line: (n): IrqLine => ({
      set(level): void {
        const bit = 1 << n;
        const was = (lines & bit) !== 0;
        if (n < 0 || n >= PINS || level === was) return;
        lines ^= bit;
        if (!level) return;
        const entry = low[n] ?? MASKED;
        if ((entry & LEVEL) !== 0) check(n);
        else if ((entry & MASKED) === 0) send(n);
      },
    }),
    endOfInterrupt(vector): void {
      for (let n = 0; n < PINS; n++) {
        const entry = low[n] ?? 0;
        if ((entry & 0xff) !== vector || (entry & REMOTE_IRR) === 0) continue;
        low[n] = entry & ~REMOTE_IRR;
        check(n);
      }
    },
    attach(host): void {
      notes.attach(host);
      host.mmio.mapMmio(0xfec00000, 0x1000, this.name, {
        read: (at): number => at === 0 ? index : at === 0x10 ? read() : 0,
        write: (at, value): void => {
          if (at === 0) index = value & 0xff;
          else if (at === 0x10) write(value);
        },
      });
    },
    reset(): void {
      low.fill(MASKED);
      high.fill(0);
      notes.reset();
      index = id = 0;
    },
    save: () => ({ version: 1, fields: { low: [...low], high: [...high], lines, index, id } }),
    load(section): void {
      const f = fieldsOf(section, this.name) as {
        low: readonly number[];
        high: readonly number[];
        lines: number;
        index: number;
        id: number;
      };
      low.set(f.low.slice(0, PINS));
      high.set(f.high.slice(0, PINS));
      ({ lines, index, id } = f);
    },
  };
}
