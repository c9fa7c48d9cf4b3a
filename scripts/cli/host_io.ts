/**
 * The real world behind {@linkcode Io}: files, standard streams, the terminal. Files are opened once and then read, so
 * that nothing can change between a check and the use; what is read has a bound. The terminal is restored on every way
 * out. Cold.
 *
 * Not there: signals on Windows other than Ctrl-C.
 */
import { resolve, toFileUrl } from "../deps/std.ts";
import { Exit, type Io, type Terminal, TooLarge } from "./io.ts";

/** Largest file; more does not fit into a machine. */
export const MOST_BYTES: number = 2 ** 30;

/** Most that is read from pipes and devices, whose end cannot be known. */
export const MOST_STREAMED: number = 2 ** 28;

/** Reads a file or pipe whole. @throws {TooLarge} And the errors of the host. */
export async function readBounded(path: string): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path, { read: true });
  const info = await file.stat();
  if (info.isDirectory) throw new Deno.errors.IsADirectory(path);
  const limit = info.isFile ? MOST_BYTES : MOST_STREAMED;
  if (info.size > limit) throw new TooLarge(limit);
  let bytes = new Uint8Array(Math.max(info.size + 1, 0x10000));
  let used = 0;
  while (true) {
    if (used === bytes.length) {
      if (used > limit) throw new TooLarge(limit);
      const more = new Uint8Array(Math.min(2 * used, limit + 1));
      more.set(bytes);
      bytes = more;
    }
    const n = await file.read(bytes.subarray(used));
    if (n === null) return bytes.subarray(0, used);
    used += n;
  }
}

/** Restores the terminal; set while it is raw. */
let restore: (() => void) | undefined;

/** Restores the terminal if need be and ends the program. */
export function quit(code: number): never {
  restore?.();
  Deno.exit(code);
}

/** Writes all of a text; when nobody reads any more, the program ends. */
function writeAll(to: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(to.writeSync(bytes));
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) quit(Exit.limit);
    throw error;
  }
}

function raw(on: boolean): void {
  if (!on) return restore?.();
  if (restore !== undefined) return;
  Deno.stdin.setRaw(true);
  const ends = (["SIGTERM", "SIGHUP"] as const).map((name, i) => [name, () => quit(i === 0 ? 143 : 129)] as const);
  const known = Deno.build.os !== "windows";
  if (known) { for (const [name, end] of ends) Deno.addSignalListener(name, end); }
  restore = () => {
    restore = undefined;
    Deno.stdin.setRaw(false);
    if (known) { for (const [name, end] of ends) Deno.removeSignalListener(name, end); }
  };
}

function onInterrupt(fn: () => void): () => void {
  Deno.addSignalListener("SIGINT", fn);
  return () => Deno.removeSignalListener("SIGINT", fn);
}

/** The world of this process. */
export function hostIo(): Io {
  const terminal: Terminal = {
    input: Deno.stdin.isTerminal(),
    output: Deno.stdout.isTerminal(),
    error: Deno.stderr.isTerminal(),
    raw,
    onInterrupt,
  };
  return {
    out: (text) => writeAll(Deno.stdout, text),
    err: (text) => writeAll(Deno.stderr, text),
    read: readBounded,
    write: (path, bytes) => Deno.writeFile(path, bytes),
    load: (path) => import(toFileUrl(resolve(path)).href),
    now: () => performance.now(),
    input: () => Deno.stdin.readable,
    terminal,
  };
}
