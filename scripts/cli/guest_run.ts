/**
 * Runs a guest for `boot` and `flat`: serial to the terminal, limits, progress, the closing report, the exit code. Cold.
 */
import { hex, type PcMachine, type StopReason } from "../../mod.ts";
import { Exit, type Io, json, UsageError } from "./io.ts";

/** How a guest is run. */
export interface GuestRun {
  /** Where its serial line goes. */
  readonly serial: "stdio" | "none";
  /** Ends the run when the serial output contains it. */
  readonly until?: string | undefined;
  /** Instructions at most. */
  readonly instructions: number;
  /** Seconds of host time at most. */
  readonly timeout?: number | undefined;
  /** Print figures at the end. */
  readonly stats?: boolean | undefined;
  /** Print the result as JSON; the serial line then goes to standard error. */
  readonly json?: boolean | undefined;
  /** A halt for good is a good end. */
  readonly haltIsEnd: boolean;
  /** More fields of the JSON result. */
  readonly extra?: () => object;
}

/** Milliseconds between two progress lines. */
const PROGRESS_EVERY = 5000;

/** Runs; returns the exit code. */
export async function runGuest(io: Io, m: PcMachine, run: GuestRun): Promise<number> {
  if (run.until === "") throw new UsageError("--until needs a text that is not empty");
  const began = io.now();
  let reported = began;
  const abort = new AbortController();
  const timer = run.timeout === undefined ? undefined : setTimeout(() => abort.abort(), run.timeout * 1000);
  const quiet = connect(io, m, run);
  try {
    const stop = await m.runAsync({
      instructions: run.instructions,
      signal: abort.signal,
      ...(run.until === undefined ? {} : { until: m.serial.contains(run.until) }),
      onProgress: (p) => {
        const now = io.now();
        if (now - reported < PROGRESS_EVERY) return;
        reported = now;
        io.err(`vmikit: ${millions(p.instructions)} instructions, ${Math.round((now - began) / 1000)} s\n`);
      },
    });
    const code = exitCode(stop, run);
    report(io, m, run, stop, code, (io.now() - began) / 1000);
    return code;
  } finally {
    clearTimeout(timer);
    await quiet();
  }
}

/** Exit code of a run's end. */
export function exitCode(stop: StopReason, run: Pick<GuestRun, "until" | "haltIsEnd">): number {
  switch (stop.kind) {
    case "until":
      return Exit.ok;
    case "power-off":
      return run.until === undefined ? Exit.ok : Exit.crash;
    case "halt":
      return run.until === undefined && run.haltIsEnd ? Exit.ok : Exit.crash;
    case "budget":
    case "stopped":
      return Exit.limit;
    default:
      return Exit.crash;
  }
}

/** A run's end in words. */
export function stopText(stop: StopReason): string {
  const at = `at EIP ${hex(stop.eip, 8)}`;
  switch (stop.kind) {
    case "halt":
      return `the guest halted for good ${at}`;
    case "budget":
      return `the budget of ${stop.instructions} instructions is used up ${at}; raise --instructions`;
    case "until":
      return `${stop.name} ${at}`;
    case "stopped":
      return `the time limit was reached ${at}; raise --timeout`;
    case "fault":
      return `no handler for fault ${stop.vector}, error code ${hex(stop.errorCode, 4)}, address ${
        hex(stop.linear, 8)
      }, ${at}`;
    case "reset":
      return `the guest asked for a reset ${at}`;
    case "power-off":
      return `the guest powered off ${at}`;
    case "killed":
      return `call ${stop.call} ended the guest (${stop.code}) ${at}`;
    case "unimplemented":
      return `${stop.what} is not emulated ${at}`;
    case "hook":
      return `hook ${stop.name} ended the run ${at}`;
  }
}

function report(io: Io, m: PcMachine, run: GuestRun, stop: StopReason, code: number, seconds: number): void {
  const instructions = m.cpus.reduce((sum, c) => sum + c.cpu.instructions, 0);
  if (run.json === true) {
    const stats = run.stats === true ? { stats: { instructions, ticks: m.now, seconds } } : {};
    io.out(json({ exit: code, stop, ...run.extra?.(), ...stats, serial: m.serial.text }));
    return;
  }
  const midLine = run.serial === "stdio" && /[^\n]$/.test(m.serial.tail(1));
  io.err(`${midLine ? "\n" : ""}vmikit: ${stopText(stop)}\n`);
  if (code === Exit.crash && run.until !== undefined) {
    io.err(`vmikit: the guest ended before ${JSON.stringify(run.until)} was seen\n`);
  }
  if (run.stats === true) {
    const mips = seconds > 0 ? (instructions / seconds / 1e6).toFixed(1) : "-";
    const virtual = (m.now / m.clock.hz).toFixed(3);
    io.err(`vmikit: ${instructions} instructions, ${virtual} s virtual, ${seconds.toFixed(2)} s host, ${mips} MIPS\n`);
  }
}

/** Connects the serial line; returns how to disconnect. */
function connect(io: Io, m: PcMachine, run: GuestRun): () => Promise<void> {
  if (run.serial === "none") return () => Promise.resolve();
  const to = run.json === true ? io.err : io.out;
  const decoder = new TextDecoder(); // a character may have several bytes
  const remove = m.serial.listen((byte) => {
    const text = decoder.decode(Uint8Array.of(byte), { stream: true });
    if (text !== "") to(text);
  });
  const reader = io.input?.().getReader();
  const pump = async (): Promise<void> => {
    while (reader !== undefined) {
      const { value, done } = await reader.read();
      if (done) return;
      m.serial.send(value);
    }
  };
  const pumping = pump().catch((error) => io.err(`vmikit: standard input: ${String(error)}\n`));
  return async () => {
    remove();
    await reader?.cancel();
    await pumping;
  };
}

function millions(n: number): string {
  return `${(n / 1e6).toFixed(0)} million`;
}
