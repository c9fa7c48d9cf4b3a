// deno-lint-ignore-file camelcase -- the names are those of v86
/**
 * v86, another x86 emulator in JavaScript, as a peer in benchmarks; only its parts that these use have types here. Cold.
 */
import { V86 as Emulator } from "npm:v86@0.5.462";

/** What is given to {@linkcode V86}. */
export interface V86Options {
  /** Path of its WebAssembly file. */
  readonly wasm_path: string;
  /** Bytes of RAM. */
  readonly memory_size: number;
  /** System BIOS. */
  readonly bios: { readonly buffer: ArrayBuffer };
  /** Video BIOS. */
  readonly vga_bios: { readonly buffer: ArrayBuffer };
  /** Multiboot kernel. */
  readonly multiboot?: { readonly buffer: ArrayBuffer };
  /** bzImage. */
  readonly bzimage?: { readonly buffer: ArrayBuffer };
  /** Initial RAM disk. */
  readonly initrd?: { readonly buffer: ArrayBuffer };
  /** Kernel command line. */
  readonly cmdline?: string;
  /** Start at once. */
  readonly autostart: boolean;
}

/** An emulated PC. */
export interface V86Machine {
  /** Calls `fn` with each byte written to the first serial port. */
  add_listener(event: "serial0-output-byte", fn: (byte: number) => void): void;
}

/** Makes a PC. */
export const V86: new (options: V86Options) => V86Machine = Emulator as unknown as new (
  options: V86Options,
) => V86Machine;

/** Where the package's files are. */
export const V86_FILES: URL = new URL("./", import.meta.resolve("npm:v86@0.5.462"));
