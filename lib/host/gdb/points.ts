/**
 * Breakpoints and watchpoints of a debugger, as hooks that are there only while the guest runs. Cold.
 */
import type { HookEvent } from "../../core/hook_events.ts";
import type { Machine } from "../../machine/machine.ts";

/** Kinds, by the number in GDB's packets: software and hardware breakpoint, watchpoints on write, read and either. */
const KINDS = ["swbreak", "hwbreak", "watch", "rwatch", "awatch"] as const;

/** Kind of a point, in the word that GDB is told. */
export type PointKind = typeof KINDS[number];

/** More points than anybody sets by hand. */
const MOST = 1024;
/** Largest watched range in bytes. */
const WIDEST = 0x1_0000;

interface Point {
  readonly kind: PointKind;
  readonly at: number;
  readonly size: number;
}

/** Where the guest met a point. */
export interface Hit {
  /** Kind. */
  readonly kind: PointKind;
  /** Linear address: of the instruction, or of the data. */
  readonly at: number;
}

/** Which points count in a run. */
export type Armed = "all" | "watchpoints" | "none";

/** The points of one session. */
export class Points {
  readonly #points: Map<string, Point> = new Map();

  /** Adds one; false: no such kind, a bad range, or too many. */
  add(type: number, at: number, size: number): boolean {
    const kind = KINDS[type];
    if (kind === undefined || !Number.isInteger(at) || at < 0 || at > 0xffff_ffff) return false;
    const data = type >= 2;
    if (data && (size < 1 || size > WIDEST || at + size > 2 ** 32)) return false;
    if (this.#points.size >= MOST) return false;
    this.#points.set(key(type, at, size), { kind, at, size });
    return true;
  }

  /** Removes one; nothing happens if it is not there. */
  remove(type: number, at: number, size: number): void {
    this.#points.delete(key(type, at, size));
  }

  /** Removes all. */
  clear(): void {
    this.#points.clear();
  }

  /** Runs with the points armed; the first one that is met ends the run, or the `nth`. */
  during<T>(m: Machine, armed: Armed, run: () => T, nth = 1): { readonly result: T; readonly hit: Hit | undefined } {
    let hit: Hit | undefined;
    let count = 0;
    const disarm = this.#arm(m, armed, (kind, at, event) => {
      if (++count < nth || hit !== undefined) return;
      hit = { kind, at };
      event.stop("gdb");
    });
    try {
      return { result: run(), hit };
    } finally {
      disarm();
    }
  }

  /** Runs with all points armed and lets it go on; how many were met. */
  count(m: Machine, run: () => unknown): number {
    let count = 0;
    const disarm = this.#arm(m, "all", () => count++);
    try {
      run();
      return count;
    } finally {
      disarm();
    }
  }

  #arm(m: Machine, armed: Armed, met: (kind: PointKind, at: number, event: HookEvent) => void): () => void {
    const removers = (armed === "none" ? [] : [...this.#points.values()]).map(({ kind, at, size }) => {
      if (kind === "swbreak" || kind === "hwbreak") {
        return armed === "all" ? m.onCode(at, (event) => met(kind, at, event)) : (): void => {};
      }
      const access = ({ watch: ["write"], rwatch: ["read"], awatch: ["read", "write"] } as const)[kind];
      return m.onMemory({ at, size, access }, (event) => met(kind, event.linear, event));
    });
    return () => removers.forEach((remove) => remove());
  }
}

function key(type: number, at: number, size: number): string {
  return type < 2 ? `${type}:${at}` : `${type}:${at}:${size}`;
}
