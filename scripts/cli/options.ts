/**
 * Values that several commands share. Cold.
 */
import { integer, ValidationError } from "../deps/cli.ts";
import {
  type Bootable,
  type CpuStart,
  direct,
  hardware,
  native,
  type ParavirtBackend,
  PORTS,
  scripted,
  shadow,
  trap,
} from "../../mod.ts";
import { type Io, readInput } from "./io.ts";

/** Engines by name. */
export const ENGINES = ["interpreter", "jit", "reference"] as const;

/** The engine that executes unless another is named. */
export const DEFAULT_ENGINE = "jit" as const;

/** Backends of the paravirtual interface by name. */
export const BACKENDS = ["native", "scripted", "shadow", "direct", "trap", "hardware"] as const;

/** Those that have a ROM. */
export const ROM_BACKENDS = ["native", "scripted", "shadow", "direct"] as const;

/** What a guest is given: a paravirtual backend, a hypervisor of today, or nothing. */
export type HypervisorName = BackendName | PersonalityName | "none";

/** All of them. */
export const HYPERVISORS: readonly HypervisorName[] = [...BACKENDS, ...["kvm", "vmware", "none"] as const];

/** Hypervisors of today that a guest may find. */
export const PERSONALITIES = ["kvm", "vmware"] as const;

/** One of them by name. */
export type PersonalityName = typeof PERSONALITIES[number];

/** A backend's name. */
export type BackendName = typeof BACKENDS[number];

const MAKE: Readonly<Record<BackendName, () => ParavirtBackend>> = {
  native,
  scripted,
  shadow,
  direct,
  trap,
  hardware,
};

/** Makes a backend by name. */
export function makeBackend(name: BackendName): ParavirtBackend {
  return MAKE[name]();
}

/** Parser of an address. */
export const address: (text: string) => number = integer("an address", { max: 0xffff_ffff });

/** Parser of a port; several may be given. */
export function port(text: string, before: readonly number[]): readonly number[] {
  return [...before, integer("a port", { max: PORTS - 1 })(text)];
}

/** Parser of an instruction count. */
export const count: (text: string) => number = integer("a number of instructions", { min: 1 });

/** Parser of a code size. */
export function codeSize(text: string): 16 | 32 {
  if (text === "16") return 16;
  if (text === "32") return 32;
  throw new ValidationError("Expected 16 or 32.");
}

/** Parser of where to listen, `HOST:PORT` or `PORT`. */
export function listenAddress(text: string): { hostname: string; port: number } {
  const [, hostname = "127.0.0.1", digits] = /^(?:\[?([\w.:-]+?)\]?:)?(\d{1,5})$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) > 65535) {
    throw new ValidationError("Expected HOST:PORT or PORT, for example 127.0.0.1:1234.");
  }
  return { hostname, port: Number(digits) };
}

/** Parser of seconds. */
export function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 1e6) {
    throw new ValidationError("Expected seconds from above 0 to 1000000, for example 60 or 0.5.");
  }
  return value;
}

/** A file and where it goes. */
export interface PlacedFile {
  /** Path. */
  readonly path: string;
  /** Physical address. */
  readonly at: number;
}

/** Parser of `F@ADDR`; several may be given. */
export function placedFile(text: string, before: readonly PlacedFile[] = []): readonly PlacedFile[] {
  const cut = text.lastIndexOf("@");
  if (cut < 1 || cut === text.length - 1) throw new ValidationError("Expected FILE@ADDRESS, for example a.bin@0x7c00.");
  return [...before, { path: text.slice(0, cut), at: address(text.slice(cut + 1)) }];
}

/** Reads placed files; the result can be booted. */
export async function flatProgram(
  io: Io,
  files: readonly PlacedFile[],
  mode: "real" | "protected",
  entry: number = files[0].at,
): Promise<Bootable> {
  const parts = await Promise.all(files.map(async (f) => ({ ...f, bytes: await readInput(io, f.path, "image") })));
  return {
    name: "flat program",
    load: (target) => {
      for (const p of parts) target.place(p.at, p.bytes, p.path);
      return flatStart(mode, entry);
    },
  };
}

/** How a flat program is entered: the stack is below it if there is room, otherwise at the end of low memory. */
function flatStart(mode: "real" | "protected", entry: number): CpuStart {
  if (mode === "protected") return { mode: "flat32", entry, stack: entry >= 0x1000 ? (entry & ~0xf) >>> 0 : 0x9fff0 };
  if (entry <= 0xffff) return { mode: "real16", entry, stack: entry >= 0x1000 ? entry & 0xfff0 : 0xfff0 };
  if (entry > 0xfffff) {
    throw new ValidationError(`Entry 0x${entry.toString(16)} is out of real mode's reach; use --mode protected.`);
  }
  const segment = entry >>> 4;
  return { mode: "real16", entry: entry & 0xf, code: segment, data: segment, stack: 0xfff0 };
}
