/**
 * Medium `mpi`: a real MPI library through FFI, so that `mpirun -n H deno run --allow-ffi ...` makes one job of H
 * processes. Every record is one message to the other process; what has come is found by probing. The thread that polls
 * makes all calls.
 *
 * Spoken: the ABI of MPICH and its descendants (handles are ints), version 3 and 4. Not spoken: Open MPI's own ABI and
 * the standard ABI of MPI 5. MPI has no fail-over: when a process dies the launcher ends all of them. Hot.
 */
import { setImmediate } from "node:timers";
import { ConfigError } from "../../core/errors.ts";
import { Patience } from "./patience.ts";
import type { Transport } from "../../vmi/message/transport.ts";

const SYMBOLS = {
  MPI_Init_thread: { parameters: ["pointer", "pointer", "i32", "buffer"], result: "i32" },
  MPI_Comm_set_errhandler: { parameters: ["i32", "i32"], result: "i32" },
  MPI_Comm_dup: { parameters: ["i32", "buffer"], result: "i32" },
  MPI_Comm_rank: { parameters: ["i32", "buffer"], result: "i32" },
  MPI_Comm_size: { parameters: ["i32", "buffer"], result: "i32" },
  MPI_Iprobe: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  MPI_Recv: { parameters: ["buffer", "i32", "i32", "i32", "i32", "i32", "pointer"], result: "i32" },
  MPI_Isend: { parameters: ["buffer", "i32", "i32", "i32", "i32", "i32", "buffer"], result: "i32" },
  MPI_Test: { parameters: ["buffer", "buffer", "pointer"], result: "i32" },
  MPI_Ibarrier: { parameters: ["i32", "buffer"], result: "i32" },
  MPI_Finalize: { parameters: [], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Constants of MPICH's ABI. */
const Mpich = {
  commWorld: 0x44000000,
  byte: 0x4c00010d,
  errorsReturn: 0x54000001,
  anySource: -2,
  threadMultiple: 3,
  /** MPI_Status: count in bytes, its upper half and whether cancelled, source, tag, error. */
  statusWords: 5,
  statusCount: 0,
  statusSource: 2,
} as const;

/** MPI_STATUS_IGNORE. */
const IGNORE = 1n;
const TAG = 1;
/** Longest look before a nap, us: a nap takes some 70 at least. */
const LOOK_US = 200;
/** Looks in vain after which a whole one is tried: two that nap by turns would else long find one another napping. */
const TRY_AGAIN = 16;
/** Shortest nap, and the one from which the event loop sleeps instead; ms. */
const NAP_MS = 0.01;
const LONG_NAP_MS = 2;
/** So many naps are short; then they double as long as nothing comes. */
const SHORT_NAPS = 24;

/** Libraries that are tried, in order. */
export const MPI_LIBRARIES: readonly string[] = ["libmpich.so.12", "libmpich.so", "libmpi.so.12"];

interface Sending {
  readonly request: Int32Array<ArrayBuffer>;
  /** Kept until the message has left. */
  readonly record: Uint8Array;
}

/** Transport between MPI processes. */
export class MpiTransport implements Transport {
  /** Name of the medium. */
  readonly medium = "mpi";
  /** This process: its rank in the world. */
  readonly process: number;
  /** All processes. */
  readonly processes: number;
  readonly #lib: Deno.DynamicLibrary<typeof SYMBOLS>;
  readonly #comm: number;
  readonly #flag: Int32Array<ArrayBuffer> = new Int32Array(1);
  readonly #status: Int32Array<ArrayBuffer> = new Int32Array(Mpich.statusWords);
  readonly #request: Int32Array<ArrayBuffer> = new Int32Array(1);
  readonly #ignore: Deno.PointerValue;
  readonly #sending: Sending[] = [];
  readonly #patience: Patience;
  readonly #has = (): boolean => this.#probe() && this.#flag[0] !== 0;
  /** Nobody rings it: waiting on it is a nap of this thread, much shorter than the shortest of the event loop. */
  readonly #bell: Int32Array = new Int32Array(new SharedArrayBuffer(4));
  /** Naps since something came. */
  #naps = 0;
  #broken: string | undefined;

  /** Initialises MPI. @param library File name of the library. @throws {ConfigError} message-mpi */
  constructor(library: string) {
    try {
      this.#lib = Deno.dlopen(library, SYMBOLS);
    } catch (e) {
      throw new ConfigError("message-mpi", `Cannot load ${library}: ${e instanceof Error ? e.message : String(e)}`);
    }
    this.#ignore = Deno.UnsafePointer.create(IGNORE);
    const s = this.#lib.symbols;
    const out = new Int32Array(1);
    this.#check("MPI_Init_thread", s.MPI_Init_thread(null, null, Mpich.threadMultiple, out));
    this.#check("MPI_Comm_set_errhandler", s.MPI_Comm_set_errhandler(Mpich.commWorld, Mpich.errorsReturn));
    this.#check("MPI_Comm_dup", s.MPI_Comm_dup(Mpich.commWorld, out));
    this.#comm = out[0];
    this.#check("MPI_Comm_rank", s.MPI_Comm_rank(this.#comm, out));
    this.process = out[0];
    this.#check("MPI_Comm_size", s.MPI_Comm_size(this.#comm, out));
    this.processes = out[0];
    this.#patience = new Patience(this.processes <= navigator.hardwareConcurrency ? LOOK_US : 0, TRY_AGAIN);
  }

  /** Bytes that have not left. */
  get queued(): number {
    return this.#sending.reduce((n, s) => n + s.record.length, 0);
  }

  /** The first call that failed. */
  get broken(): string | undefined {
    return this.#broken;
  }

  /** See {@linkcode Transport.send}. */
  send(to: number, record: Uint8Array): void {
    const request = new Int32Array(1);
    const bytes = record as Uint8Array<ArrayBuffer>;
    const code = this.#lib.symbols.MPI_Isend(bytes, record.length, Mpich.byte, to, TAG, this.#comm, request);
    if (code !== 0) this.#broken ??= `MPI_Isend failed with code ${code}`;
    else this.#sending.push({ request, record });
    if (this.#sending.length > 32) this.#sweep();
  }

  /** See {@linkcode Transport.poll}. */
  poll(deliver: (from: number, record: Uint8Array) => void): number {
    const s = this.#lib.symbols;
    let count = 0;
    while (count < 256 && this.#has()) {
      const from = this.#status[Mpich.statusSource];
      const record = new Uint8Array(this.#status[Mpich.statusCount]);
      const got = s.MPI_Recv(record, record.length, Mpich.byte, from, TAG, this.#comm, this.#ignore);
      if (got !== 0) {
        this.#broken ??= `MPI_Recv failed with code ${got}`;
        break;
      }
      count++;
      deliver(from, record);
    }
    if (this.#sending.length > 0) this.#sweep();
    if (count > 0) this.#naps = 0;
    return count;
  }

  /** Looks for a while, then naps, longer each time, and lets the event loop run. */
  async sleep(ms: number): Promise<void> {
    if (this.#patience.look(this.#has)) return;
    const nap = Math.min(NAP_MS * 2 ** Math.max(0, this.#naps++ - SHORT_NAPS), LONG_NAP_MS, ms);
    if (nap < LONG_NAP_MS) {
      Atomics.wait(this.#bell, 0, 0, nap);
      await new Promise((resolve) => setImmediate(resolve));
    } else await new Promise((resolve) => setTimeout(resolve, nap));
  }

  /**
   * Waits until everything has left and all processes came here, and ends MPI. What still comes is taken and thrown away:
   * a large message leaves only when its receiver takes it.
   */
  async close(): Promise<void> {
    const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
    const drain = (): void => {
      while (this.#broken === undefined && this.poll(() => {}) > 0);
    };
    while (this.#sending.length > 0 && this.#broken === undefined) {
      drain();
      if (this.#sending.length > 0) await turn();
    }
    const s = this.#lib.symbols;
    if (this.#broken === undefined && s.MPI_Ibarrier(this.#comm, this.#request) === 0) {
      while (true) {
        s.MPI_Test(this.#request, this.#flag, this.#ignore);
        if (this.#flag[0] !== 0) break;
        drain();
        await turn();
      }
      drain();
    }
    s.MPI_Finalize();
    this.#lib.close();
  }

  /** Looks for a message; false: the call failed. */
  #probe(): boolean {
    const code = this.#lib.symbols.MPI_Iprobe(Mpich.anySource, TAG, this.#comm, this.#flag, this.#status);
    if (code !== 0) this.#broken ??= `MPI_Iprobe failed with code ${code}`;
    return code === 0;
  }

  #sweep(): void {
    let kept = 0;
    for (const sending of this.#sending) {
      this.#lib.symbols.MPI_Test(sending.request, this.#flag, this.#ignore);
      if (this.#flag[0] === 0) this.#sending[kept++] = sending;
    }
    this.#sending.length = kept;
  }

  #check(name: string, code: number): void {
    if (code !== 0) throw new ConfigError("message-mpi", `${name} failed with code ${code}`);
  }
}

/**
 * Joins the processes that `mpirun` started.
 * @param library File name; default: the first of {@linkcode MPI_LIBRARIES} that can be loaded.
 * @throws {ConfigError} message-mpi: there is no MPI library, or it is none that is spoken.
 */
export function joinMpi(library?: string): MpiTransport {
  const names = library === undefined ? MPI_LIBRARIES : [library];
  let first: unknown;
  for (const name of names) {
    try {
      return new MpiTransport(name);
    } catch (e) {
      first ??= e;
    }
  }
  throw first;
}
