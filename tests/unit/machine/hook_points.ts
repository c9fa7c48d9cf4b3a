/**
 * Hooks before instructions, on all engines and with the run cut into pieces: every way must give the same log of
 * events (address, instructions so far, registers), the same stop and the same state. What the tests of them share.
 */
import type { AsmSource } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";

/** All of them must agree. */
export const ENGINES = ["reference", "interpreter", "jit"] as const;
/** One of them. */
export type Engine = typeof ENGINES[number];
/** Instructions a call of run(); 0: all at once. */
export const CUTS: readonly number[] = [0, 1, 3, 7];
/** Where programs lie. */
export const AT = 0x7c00;

/** The JIT translates what is executed twice. */
export function cpu(engine: Engine): ReturnType<typeof i386> {
  return i386({ engine, ...(engine === "jit" ? { jit: { threshold: 2 } } : {}) });
}

/** A machine that begins with a program at {@linkcode AT}. */
export function bare(engine: Engine, code: AsmSource): Machine {
  return machine({ cpu: cpu(engine), memory: [ram({ at: 0, size: 0x100000 })] }).load(AT, code);
}

/** Runs to the end (HLT) in pieces. */
export function finish(m: Machine, cut: number, limit = 20_000): string {
  for (let n = 0; n < limit;) {
    const piece = cut === 0 ? limit : cut;
    const stop = m.run({ instructions: piece });
    if (stop.kind !== "budget") return stop.kind;
    n += piece;
  }
  return "budget";
}

/** Interrupt table at 0x12000 with a gate for #DB to 0x9000, a descriptor table for its code segment; LIDT finds 0x7f00. */
export function debugTable(m: Machine): void {
  m.load(0x7f00, Uint8Array.of(0xff, 7, 0, 0x20, 1, 0));
  m.write(0x12000 + 8, 0x00089000);
  m.write(0x12000 + 12, 0x00008e00);
  m.write(0x13008, 0x0000ffff);
  m.write(0x1300c, 0x00cf9b00);
  m.start({ mode: "flat32", entry: AT, stack: 0x7000, gdt: { base: 0x13000, limit: 0x1f } });
}

/** What hooks were told, and how the run ended. */
export type Log = (string | number)[];

/**
 * Every engine and cut must give what the first gives; it is returned. `arm` adds hooks that write to the log;
 * `make` builds the machine.
 */
export function alike(make: (engine: Engine) => Machine, arm: (m: Machine, log: Log) => void, limit?: number): Log {
  let first: Log | undefined;
  for (const engine of ENGINES) {
    for (const cut of CUTS) {
      const m = make(engine), log: Log = [];
      arm(m, log);
      log.push(finish(m, cut, limit), m.cpu.instructions, m.hash());
      first ??= log;
      assertEquals(log, first, `${engine}, pieces of ${cut}`);
    }
  }
  return first as Log;
}

/** A hook that notes where and when it was met. */
export function note(m: Machine, log: Log): (e: { linear: number }) => void {
  return (e) => log.push(`${e.linear.toString(16)} after ${m.cpu.instructions} eax ${m.cpu.eax.toString(16)}`);
}
