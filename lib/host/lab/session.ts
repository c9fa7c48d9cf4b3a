/**
 * What the lab page asks, done to one machine: run in pieces, so that the page stays alive, step, go back, type. Going back
 * is {@linkcode History}: what was typed is typed again on the way. Cold.
 */
import { hex32 } from "../../base/hex.ts";
import type { EngineName } from "../../cpu/i386/factory.ts";
import { ConfigError } from "../../core/errors.ts";
import type { StopReason } from "../../core/stop.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import type { Keyboard } from "../../machine/keyboard.ts";
import type { Machine } from "../../machine/machine.ts";
import type { SerialConsole } from "../../machine/serial_console.ts";
import type { Snapshot } from "../../machine/snapshot.ts";
import { History } from "../gdb/history.ts";
import { stopWords } from "../gdb/words.ts";
import { LabBreakpoints } from "./breakpoints.ts";
import { CallLog } from "./call_log.ts";
import { pageMap } from "./page_map.ts";
import type { LabRequest, LabState } from "./protocol.ts";
import { codeOf, flagsOf, memoryOf, registersOf, screenOf } from "./view.ts";

/** Something that the lab page looks at and drives. */
export interface LabSubject {
  /** Does what a request asks; resolves when it is done. Requests that come meanwhile are done meanwhile. */
  handle(request: LabRequest): Promise<void>;
  /** What the page shows. */
  state(): LabState;
  /** Output of the serial line; `undefined`: there is no such line. */
  readonly serial: SerialConsole | undefined;
  /** Counts how often the past was changed: a page that has seen another number forgets what it shows. */
  readonly era: number;
  /** Ends what runs. */
  close(): Promise<void>;
}

/** Instructions between two looks at the page: some ten milliseconds. */
const PIECE: Readonly<Record<EngineName, number>> = { interpreter: 2_000_000, jit: 2_000_000, reference: 50_000 };
/** Typed bytes or keys that a guest has not taken before no more are. */
const MOST_WAITING = 65_536;
/** Instructions a step of one CPU may take the others. */
const STEP_BOUND = 1_000_000;

/** One machine in the lab. */
export class LabSession implements LabSubject {
  /** See {@linkcode LabSubject.serial}. */
  readonly serial: SerialConsole | undefined;
  /** See {@linkcode LabSubject.era}. */
  era = 0;
  readonly #m: Machine;
  readonly #start: Snapshot;
  readonly #history: History;
  readonly #calls: CallLog;
  readonly #breakpoints: LabBreakpoints;
  #run: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  #said = "at the beginning";
  #at = 0;
  #entry = -1;
  #memory = 0;

  /** Begins where the machine is now. Nobody else may run it meanwhile. */
  constructor(m: Machine) {
    this.#m = m;
    this.serial = serialOf(m);
    this.#start = m.snapshot();
    this.#history = new History(m);
    this.#calls = new CallLog(m);
    this.#breakpoints = new LabBreakpoints(m);
  }

  /** See {@linkcode LabSubject.handle}. */
  async handle(request: LabRequest): Promise<void> {
    switch (request.do) {
      case "run":
        return await this.#begin(Infinity);
      case "pause":
        return await this.#pause();
      case "type":
        if (this.serial === undefined || this.serial.waiting > MOST_WAITING) return;
        return this.#history.input(() => this.serial?.send(request.text));
      case "key": {
        const { keyboard } = this.#m as { readonly keyboard?: Keyboard };
        if (keyboard === undefined || keyboard.waiting > MOST_WAITING) return;
        return this.#history.input(() => keyboard.type(request.text));
      }
      case "look":
        this.#at = Math.min(request.at, this.#m.cpus.length - 1);
        return;
      case "pages":
        this.#entry = request.entry;
        return;
      case "memory":
        this.#memory = request.at;
        return;
      case "breakpoint":
        this.#breakpoints.toggle(request.at);
        return;
    }
    await this.#pause(); // the others need a machine that stands
    if (request.do === "step") return request.count === 1 ? this.#step() : await this.#begin(request.count);
    if (request.do === "back") this.#back(request.count);
    else this.#restart();
  }

  /** See {@linkcode LabSubject.state}. */
  state(): LabState {
    const m = this.#m;
    const cpu = this.#cpu;
    return {
      kind: "state",
      running: this.#run !== undefined,
      said: this.#said,
      position: this.#history.position,
      seconds: m.now / m.clock.hz,
      at: this.#at,
      choices: m.cpus.map((c) => c.name),
      registers: registersOf(cpu),
      flags: flagsOf(cpu),
      code: codeOf(m, cpu),
      breakpoints: this.#breakpoints.list.map(hex32),
      memory: memoryOf(m, cpu, this.#memory),
      pages: pageMap(m, cpu, this.#entry),
      screen: screenOf(m),
      hypervisor: this.#calls.hypervisor,
      callCount: Number.isNaN(this.#calls.count) ? null : this.#calls.count,
      calls: this.#calls.last,
    };
  }

  /** See {@linkcode LabSubject.close}. */
  async close(): Promise<void> {
    await this.#pause();
    this.#calls.stop();
  }

  get #cpu(): CpuView {
    return this.#m.cpus[this.#at];
  }

  /** Runs so many instructions, in pieces. */
  async #begin(count: number): Promise<void> {
    if (this.#run !== undefined) return;
    const abort = new AbortController();
    this.#said = "running";
    const done = this.#goOn(abort.signal, count);
    this.#run = { abort, done };
    await done;
  }

  async #goOn(signal: AbortSignal, count: number): Promise<void> {
    const piece = PIECE[this.#m.cpu.engine as EngineName] ?? PIECE.reference;
    const end = this.#history.position + count;
    let stop: StopReason;
    try {
      if (this.#breakpoints.isAt(this.#at)) this.#step(); // away from the one at this very place
      this.#said = "running";
      this.#breakpoints.arm();
      do {
        await new Promise((resolve) => setTimeout(resolve, 0)); // a short piece has no pause of its own
        stop = await this.#m.runAsync({
          instructions: Math.min(this.#history.room, end - this.#history.position),
          piece,
          signal,
          onProgress: () => this.#calls.trim(),
        });
        this.#history.advance();
        this.#calls.trim();
      } while (stop.kind === "budget" && this.#history.position < end);
    } finally {
      this.#breakpoints.disarm();
      this.#run = undefined;
    }
    if (this.#breakpoints.met >= 0) this.#at = this.#breakpoints.met;
    const words = stop.kind === "budget" ? `stepped ${count} instructions` : stopWords(stop);
    this.#said = stop.kind === "stopped" ? "paused" : words;
  }

  async #pause(): Promise<void> {
    while (this.#run !== undefined) {
      this.#run.abort.abort();
      await this.#run.done;
    }
  }

  /** One instruction of the CPU that is shown; others may have their turns before it. */
  #step(): void {
    const cpu = this.#cpu;
    const before = cpu.instructions;
    let stop = this.#m.run({ instructions: 1 });
    for (let n = 0; n < STEP_BOUND && cpu.instructions === before && stop.kind === "budget"; n++) {
      stop = this.#m.run({ instructions: 1 });
    }
    this.#history.advance();
    this.#calls.trim();
    this.#said = stop.kind === "budget" ? "stepped one instruction" : stopWords(stop);
  }

  #back(count: number): void {
    const to = this.#history.position - count;
    let there = false;
    this.#calls.goingBack(() => there = this.#history.goTo(to), () => this.#m.now);
    if (!there) return this.#restart();
    this.era++;
    this.#said = `went back ${count === 1 ? "one instruction" : `${count} instructions`}`;
  }

  #restart(): void {
    this.#m.restore(this.#start);
    this.#history.begin();
    this.#calls.restart();
    this.era++;
    this.#said = "at the beginning";
  }
}

function serialOf(m: Machine): SerialConsole | undefined {
  try {
    return m.serial;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}
