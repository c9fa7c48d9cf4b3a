/**
 * What was loaded and how it is entered, so that a reset can do it again. Cold.
 */
import type { CpuStart } from "../core/cpu.ts";
import { ConfigError } from "../core/errors.ts";
import type { Region } from "../memory/region.ts";
import type { Program } from "./program.ts";

/** Loaded images of one machine. */
export class Images {
  /** How the CPU is entered, if not through its reset vector. */
  start: CpuStart | undefined = undefined;
  #list: { readonly at: number; readonly bytes: Uint8Array }[] = [];

  /** In the order of loading. */
  get list(): readonly { readonly at: number; readonly bytes: Uint8Array }[] {
    return this.#list;
  }

  /** Remembers bytes; a copy is not made, an image loaded to the same place is forgotten. */
  add(at: number, bytes: Uint8Array): void {
    this.#list = this.#list.filter((i) => i.at < at || i.at + i.bytes.length > at + bytes.length);
    this.#list.push({ at, bytes });
  }

  /** Forgets everything. */
  clear(): void {
    this.#list = [];
    this.start = undefined;
  }

  /** The documented entry of a program loaded at `at`. */
  startOf(at: number, bits: 16 | 32 | undefined, regions: readonly Region[]): CpuStart {
    if (bits === undefined) return { mode: "plain", entry: at, stack: stackOf(at, regions) };
    if (bits === 32) return { mode: "flat32", entry: at, stack: stackOf(at, regions) };
    if (at <= 0xffff) return { mode: "real16", entry: at, stack: Math.min(stackOf(at, regions), 0xfff0) };
    return { mode: "real16", entry: at & 0xf, code: (at >>> 4) & 0xffff, data: (at >>> 4) & 0xffff, stack: 0xfff0 };
  }
}

/** Bytes of what is to be loaded at `at`. @throws {ConfigError} load-range */
export function bytesOf(what: Uint8Array | Program, at: number): Uint8Array {
  if (what instanceof Uint8Array) return what;
  const bytes = typeof what === "object" && what !== null ? what.at?.(at)?.bytes ?? what.bytes : undefined;
  if (bytes instanceof Uint8Array) return bytes;
  throw new ConfigError("load-range", `load takes bytes or a program such as asm\`...\`, not ${typeof what}`);
}

/** Bytes below a program that are enough for its stack. */
const ROOM = 0x1000;

/** Where the stack of a program at `at` begins: below it in the same RAM, otherwise at the end of its RAM or of the first. */
function stackOf(at: number, regions: readonly Region[]): number {
  const rams = regions.filter((r) => r.kind === "ram" && r.hidden !== true);
  const home = rams.find((r) => r.at <= at && at < r.at + r.size);
  if (home !== undefined && at - home.at >= ROOM) return at & ~0xf;
  const other = home ?? rams.at(0);
  return other === undefined ? 0 : (other.at + other.size) & ~0xf;
}
