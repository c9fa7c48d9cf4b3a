/**
 * Runs a guest for `boot` and `flat`: serial to the terminal, limits, progress, the closing report, the exit code. Cold.
 */
import {
  type CallCounts,
  type EngineName,
  hex,
  type HypercallStats,
  type PcMachine,
  type PersonalityPcMachine,
  type StopReason,
  type VmiPcMachine,
} from "../../mod.ts";
import { KeyFilter, KEYS, Progress } from "./console.ts";
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
  /** Who executes. */
  readonly engine: EngineName;
  /** Print figures at the end. */
  readonly stats?: boolean | undefined;
  /** Print the text screen at the end. */
  readonly screen?: boolean | undefined;
  /** Print the result as JSON; the serial line then goes to standard error. */
  readonly json?: boolean | undefined;
  /** A halt for good is a good end. */
  readonly haltIsEnd: boolean;
  /** More fields of the JSON result. */
  readonly extra?: () => object;
}

/** Why a run was ended from outside. */
type Ended = "time" | "interrupt";

/** A run in progress. */
interface Session {
  readonly io: Io;
  readonly m: PcMachine;
  readonly run: GuestRun;
  readonly progress: Progress;
  /** Ends the run; the first cause counts. */
  readonly end: (why: Ended) => void;
}

/** Instructions between two looks at clock and keys: some ten milliseconds. */
const PIECE: Readonly<Record<EngineName, number>> = { interpreter: 4_000_000, jit: 4_000_000, reference: 50_000 };

/** Runs; returns the exit code. */
export async function runGuest(io: Io, m: PcMachine, run: GuestRun): Promise<number> {
  if (run.until === "") throw new UsageError("--until needs a text that is not empty");
  const began = io.now();
  const abort = new AbortController();
  let ended: Ended | undefined;
  const end = (why: Ended): void => {
    ended ??= why;
    abort.abort();
  };
  const progress = new Progress(io);
  const timer = run.timeout === undefined ? undefined : setTimeout(() => end("time"), run.timeout * 1000);
  const quiet = connect({ io, m, run, progress, end });
  const made = run.stats === true ? paravirtOf(m)?.countCalls() : undefined;
  let stop: StopReason;
  try {
    stop = await m.runAsync({
      instructions: run.instructions,
      piece: PIECE[run.engine],
      signal: abort.signal,
      ...(run.until === undefined ? {} : { until: m.serial.contains(utf8(run.until)) }),
      onProgress: (p) => progress.update(() => `${millions(p.instructions)} instructions, ${since(io, began)} s`),
    });
  } finally {
    clearTimeout(timer);
    progress.clear();
    await quiet();
  }
  const code = ended === "interrupt" ? Exit.interrupted : exitCode(stop, run);
  report(io, m, run, { stop, code, seconds: (io.now() - began) / 1000, ended, made });
  return code;
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

/** How a run ended. */
interface RunEnd {
  readonly stop: StopReason;
  readonly code: number;
  readonly seconds: number;
  readonly ended: Ended | undefined;
  readonly made: CallCounts | undefined;
}

function report(io: Io, m: PcMachine, run: GuestRun, { stop, code, seconds, ended, made }: RunEnd): void {
  const instructions = m.cpus.reduce((sum, c) => sum + c.cpu.instructions, 0);
  if (run.json === true) {
    const paravirt = paravirtOf(m)?.stats(), hypercalls = hypercallStats(m);
    const figures = {
      ...{ instructions, ticks: m.now, seconds },
      ...(paravirt === undefined ? {} : { paravirt: { ...paravirt, made: made?.byName ?? {} } }),
      ...(hypercalls === undefined ? {} : { hypercalls }),
    };
    const stats = run.stats === true ? { stats: figures } : {};
    const use = paravirtUse(m);
    const screen = run.screen === true ? { screen: m.screen.text() } : {};
    io.out(
      json({
        exit: code,
        stop,
        ...run.extra?.(),
        ...(use === undefined ? {} : { paravirt: use }),
        ...stats,
        ...screen,
        serial: text(m.serial.text),
      }),
    );
    return;
  }
  const midLine = run.serial === "stdio" && /[^\n]$/.test(m.serial.tail(1));
  const said = ended === "interrupt" ? `ended from the keyboard at EIP ${hex(stop.eip, 8)}` : stopText(stop);
  if (midLine) io.err("\n");
  if (run.screen === true) io.out(`${m.screen.text()}\n`);
  io.err(`vmikit: ${said}\n`);
  if (code === Exit.crash && run.until !== undefined) {
    io.err(`vmikit: the guest ended before ${JSON.stringify(run.until)} was seen\n`);
  }
  const use = paravirtUse(m);
  if (use?.used === false) {
    io.err(
      `vmikit: the guest ran natively, in full possession of the processor: it has not called Init of the ROM, so ` +
        `backend ${use.backend} had nothing to do; is the kernel built with VMI support (CONFIG_VMI, Linux 2.6.21 to 2.6.36)?\n`,
    );
  }
  if (run.stats === true) {
    const mips = seconds > 0 ? (instructions / seconds / 1e6).toFixed(1) : "-";
    const virtual = (m.now / m.clock.hz).toFixed(3);
    io.err(`vmikit: ${instructions} instructions, ${virtual} s virtual, ${seconds.toFixed(2)} s host, ${mips} MIPS\n`);
    io.err(counterText("hypercalls", hypercallStats(m)?.calls ?? {}));
    const paravirt = paravirtOf(m)?.stats();
    if (paravirt === undefined) return;
    io.err(counterText("paravirtual calls", made?.byName ?? {}));
    io.err(counterText("paravirtual calls that trapped", paravirt.calls));
    io.err(counterText("hypervisor", paravirt.backend));
  }
}

/** The paravirtual interface, if the machine has one. */
function paravirtOf(m: PcMachine): VmiPcMachine["paravirt"] | undefined {
  return (m as { readonly paravirt?: VmiPcMachine["paravirt"] }).paravirt;
}

/** Which backend's ROM the guest was shown, and whether it called Init; `undefined`: none, or one that is not told of. */
function paravirtUse(m: PcMachine): { readonly backend: string; readonly used: boolean } | undefined {
  const paravirt = paravirtOf(m);
  if (paravirt === undefined || paravirt.backend.hidden === true) return undefined;
  return { backend: paravirt.backend.name, used: (paravirt.stats().calls.Init ?? 0) > 0 };
}

/** What a hypervisor of today has counted, if the guest has one. */
function hypercallStats(m: PcMachine): HypercallStats | undefined {
  return (m as { readonly hypercalls?: PersonalityPcMachine["hypercalls"] }).hypercalls?.stats();
}

/** Counters, a line each; nothing if there are none. */
function counterText(title: string, counters: Readonly<Record<string, number>>): string {
  const all = Object.entries(counters);
  if (all.length === 0) return "";
  const lines = all.map(([name, n]) => `  ${String(n).padStart(12)}  ${name}\n`);
  return `vmikit: ${title}\n${lines.join("")}`;
}

/** Connects serial line, keyboard and Ctrl-C; returns how to disconnect. */
function connect(session: Session): () => Promise<void> {
  const { io, m, run, progress, end } = session;
  const interactive = run.serial === "stdio" && run.json !== true && io.terminal?.input === true;
  const ignore = interactive ? undefined : io.terminal?.onInterrupt(() => end("interrupt"));
  if (run.serial === "none") return () => Promise.resolve(ignore?.());
  const to = run.json === true ? io.err : io.out;
  const decoder = new TextDecoder(); // a character may have several bytes
  const remove = m.serial.listen((byte) => {
    const text = decoder.decode(Uint8Array.of(byte), { stream: true });
    if (text === "") return;
    progress.before(text);
    to(text);
  });
  if (interactive) {
    io.err(`vmikit: ${KEYS}\n`);
    io.terminal?.raw(true);
  }
  const stopKeys = pumpKeys(session, interactive ? new KeyFilter() : undefined);
  return async () => {
    if (interactive) io.terminal?.raw(false);
    ignore?.();
    remove();
    await stopKeys();
  };
}

/** Types what comes from standard input; returns how to end that. */
function pumpKeys({ io, m, end }: Session, filter: KeyFilter | undefined): () => Promise<void> {
  const reader = io.input?.().getReader();
  const pump = async (): Promise<void> => {
    while (reader !== undefined) {
      const { value, done } = await reader.read();
      if (done) return;
      const { bytes, quit, help } = filter?.take(value) ?? { bytes: value, quit: false, help: false };
      m.serial.send(bytes);
      if (help) io.err(`\r\nvmikit: ${KEYS}\r\n`);
      if (quit) return end("interrupt");
    }
  };
  const pumping = pump().catch((error) => io.err(`vmikit: standard input: ${String(error)}\n`));
  return async () => {
    await reader?.cancel();
    await pumping;
  };
}

/** A text as the bytes a guest writes, one character each. */
function utf8(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

/** The other way: what a guest wrote as text. */
function text(bytes: string): string {
  return new TextDecoder().decode(Uint8Array.from(bytes, (c) => c.charCodeAt(0)));
}

function millions(n: number): string {
  return `${(n / 1e6).toFixed(0)} million`;
}

function since(io: Io, began: number): number {
  return Math.round((io.now() - began) / 1000);
}
