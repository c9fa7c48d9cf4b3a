/**
 * What the command line needs of the world, as one object, so that tests drive the program without a process: output,
 * files, time, input. Exit codes and the error for wrong usage are here too. Cold.
 */

/** Exit codes of all commands. */
export const Exit = {
  /** What was asked for happened. */
  ok: 0,
  /** A script that `run` started threw an error. */
  script: 1,
  /** A budget or a time limit ended the run. */
  limit: 2,
  /** The guest crashed, or ended without the text that was asked for. */
  crash: 3,
  /** Ctrl-C, or Ctrl-A x at the guest's console. */
  interrupted: 130,
  /** Wrong usage: options, files, sources, or something that is not there yet. */
  usage: 64,
  /** A bug of vmikit. */
  internal: 70,
} as const;

/** The world of the program. */
export interface Io {
  /** Writes to standard output. */
  out(text: string): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Reads a file. */
  read(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** Writes a file. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Imports a script by path. */
  load(path: string): Promise<unknown>;
  /** Milliseconds of some steady clock. */
  now(): number;
  /** What is typed to the guest's serial port; absent: nothing. */
  readonly input?: () => ReadableStream<Uint8Array>;
  /** What is known of the terminal; absent: there is none. */
  readonly terminal?: Terminal;
}

/** The terminal a person sits at. */
export interface Terminal {
  /** Is standard input the terminal? */
  readonly input: boolean;
  /** Is standard output? */
  readonly output: boolean;
  /** Is standard error? Progress is shown only there. */
  readonly error: boolean;
  /** Every key reaches the program at once, Ctrl-C too; `false` restores the terminal, however often it is called. */
  raw(on: boolean): void;
  /** Calls `fn` at Ctrl-C instead of ending the program. @returns Ends that. */
  onInterrupt(fn: () => void): () => void;
}

/** The user's mistake; the message says what, where, and how to mend it. */
export class UsageError extends Error {
  /** Makes the error. @param message Sentence case, no full stop. */
  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** A file larger than anything a guest could take. */
export class TooLarge extends Error {
  /** Bytes that would have been accepted. */
  readonly limit: number;

  /** Makes the error. @param limit Bytes that would have been accepted. */
  constructor(limit: number) {
    super(`more than ${limit} bytes`);
    this.name = "TooLarge";
    this.limit = limit;
  }
}

/** Reads a file the user named; `what` says what it is for. @throws {UsageError} */
export async function readInput(io: Io, path: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await io.read(path);
  } catch (error) {
    throw new UsageError(`Cannot read ${what} "${path}": ${reason(error)}`);
  }
}

/** Writes a file the user named. @throws {UsageError} */
export async function writeOutput(io: Io, path: string, bytes: Uint8Array, what: string): Promise<void> {
  try {
    await io.write(path, bytes);
  } catch (error) {
    throw new UsageError(`Cannot write ${what} "${path}": ${reason(error)}`);
  }
}

/** Why a file could not be used, and what to do. */
function reason(error: unknown): string {
  if (error instanceof TooLarge) return `it has more than ${error.limit / 2 ** 20} MiB; is it the right file`;
  if (error instanceof Deno.errors.NotFound) return "no such file or directory; check the path";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory; name a file";
  if (error instanceof Deno.errors.PermissionDenied) return "not permitted; check the rights of the file";
  if (error instanceof Deno.errors.NotCapable) return "Deno was started without this permission; use deno task vmikit";
  return error instanceof Error ? error.message : String(error);
}

/** A value as JSON text, bigints as decimal strings. */
export function json(value: unknown): string {
  return JSON.stringify(value, (_key, v) => typeof v === "bigint" ? String(v) : v, 2) + "\n";
}
