/**
 * The life of a machine on one page: fire what is due, run a CPU up to the next event, look why it came back, repeat.
 *
 * Invariants: events fire only between two instructions; time stands still while nothing runs, except that it jumps to
 * the next event when all CPUs are halted; the same machine makes the same steps however the run is cut into calls of
 * {@linkcode RunLoop.run}. With several CPUs each runs a quantum in turn over the same span of virtual time; events fire
 * at the end of the round. Warm: once a slice, not once an instruction.
 */
import type { InterruptController } from "../core/bus.ts";
import type { Clock } from "../core/clock.ts";
import type { FieldValue } from "../core/component.ts";
import type { Cpu, CpuExit } from "../core/cpu.ts";
import { InternalError } from "../core/errors.ts";
import type { StopReason } from "../core/stop.ts";

/** A stop reason without its program counter, which is filled in at the boundary. */
export type StopDraft = StopReason extends infer R ? R extends StopReason ? Omit<R, "eip"> & { readonly eip?: number }
  : never
  : never;

/** Limits of one run. */
export interface Limits {
  /** Instructions of all CPUs together. */
  readonly instructions: number;
  /** Absolute tick at which the run ends. */
  readonly deadline: number;
  /** Asked at least every {@linkcode Limits.every} instructions and at each event; true: done. */
  readonly poll: (() => boolean) | undefined;
  /** Instructions between two polls. */
  readonly every: number;
}

/** Why {@linkcode RunLoop.run} came back. */
export type LoopEnd = "request" | "halt" | "budget" | "polled" | "shutdown";

/** Longest slice; the CPU counts in i32. */
const LONGEST = 1 << 30;

/** Virtual seconds without one instruction after which a halted machine counts as halted for good. */
const IDLE_SECONDS = 600;

/** The parts the loop drives. */
export interface LoopParts {
  /** CPUs, in turn order. */
  readonly cpus: readonly Cpu[];
  /** Controllers by CPU. */
  readonly controllers: readonly (InterruptController | undefined)[];
  /** Virtual time. */
  readonly clock: Clock;
  /** Instructions a turn. */
  readonly quantum: number;
  /** Is a stop asked for? */
  readonly requested: () => boolean;
}

/** Run loop of one machine. */
export class RunLoop {
  readonly #p: LoopParts;
  /** Round in progress: its length in ticks (0: none), whose turn, and what that CPU has done of it. */
  #span = 0;
  #turn = 0;
  #done = 0;
  #halted = 0;
  /** Ticks added by the cost model in the running slice. */
  #extra = 0;
  #running: Cpu | undefined = undefined;
  #executed = 0;
  #last = 0;

  /** @param parts What it drives. */
  constructor(parts: LoopParts) {
    this.#p = parts;
  }

  /** Instructions executed by the last or running {@linkcode RunLoop.run}. */
  get executed(): number {
    return this.#executed + (this.#running === undefined ? 0 : this.#running.elapsed());
  }

  /** The CPU that ran last or runs now. */
  get current(): number {
    return this.#last;
  }

  /** Is a CPU executing? */
  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Adds virtual cycles at the current instruction. */
  charge(ticks: number): void {
    if (this.#running === undefined) {
      this.#p.clock.advance(ticks);
      return;
    }
    this.#extra += ticks;
    const left = this.#p.clock.nextEvent - this.#p.clock.now;
    if (left < LONGEST) this.#running.shorten(Math.max(0, Math.ceil(left) + this.#running.elapsed()));
  }

  /** Makes every CPU look at its interrupts and at requests again. */
  attention(): void {
    for (const cpu of this.#p.cpus) cpu.interruptSlice();
  }

  /** Runs until a limit, a request, or the end of all activity. */
  run(limits: Limits): LoopEnd {
    this.#executed = 0;
    const { clock, requested } = this.#p;
    let idleSince = clock.now;
    let stuck = 0;
    while (true) {
      if (this.#span === 0) clock.fireDue();
      if (requested()) return "request";
      if (limits.poll?.() === true) return "polled";
      const left = Math.min(limits.instructions - this.#executed, limits.every, LONGEST);
      if (limits.instructions - this.#executed <= 0 || limits.deadline - clock.now <= 0) return "budget";
      if (this.#span === 0) this.#beginRound(limits.deadline);
      const cpu = this.#p.cpus[this.#turn];
      const [exit, ran] = this.#slice(cpu, Math.min(left, this.#span - this.#done));
      if (ran > 0) idleSince = clock.now;
      if (exit === "shutdown") return "shutdown";
      stuck = ran > 0 || exit === "halted" ? 0 : stuck + 1;
      if (stuck > 1000 && !requested()) throw new InternalError(`CPU ${cpu.name} makes no progress`);
      const all = this.#endTurn(exit);
      if (!all || requested()) continue;
      if (!this.#sleep(limits.deadline, idleSince)) return requested() ? "request" : "halt";
    }
  }

  /** Forgets a round in progress: after reset and restore. */
  reset(): void {
    this.#span =
      this.#turn =
      this.#done =
      this.#halted =
        0;
  }

  /** The round in progress, for a snapshot. */
  save(): { readonly [name: string]: FieldValue } {
    return { span: this.#span, turn: this.#turn, done: this.#done, halted: this.#halted };
  }

  /** Restores it. */
  load(fields: FieldValue): void {
    const f = fields as { span: number; turn: number; done: number; halted: number };
    [this.#span, this.#turn, this.#done, this.#halted] = [f.span, f.turn, f.done, f.halted];
    const done = f.done;
    this.#p.clock.setProgress(f.span === 0 ? undefined : { elapsed: () => done, shorten: () => {} });
  }

  #beginRound(deadline: number): void {
    const { clock, cpus, quantum } = this.#p;
    const next = Math.ceil(Math.min(clock.nextEvent, deadline) - clock.now);
    this.#span = Math.max(1, Math.min(next, cpus.length === 1 ? LONGEST : quantum));
    this.#turn = this.#done = this.#halted = 0;
  }

  #slice(cpu: Cpu, limit: number): [exit: CpuExit, ran: number] {
    const { clock } = this.#p;
    const before = this.#done;
    this.#extra = 0;
    this.#running = cpu;
    this.#last = this.#turn;
    const alone = this.#p.cpus.length === 1;
    const start = cpu.instructions;
    clock.setProgress({
      elapsed: () => before + cpu.elapsed() + this.#extra,
      shorten: (ticks) => {
        if (alone) cpu.shorten(Math.max(0, Math.ceil(ticks) - this.#extra));
      },
    });
    try {
      const exit = cpu.run(Math.max(1, limit));
      return [exit, cpu.instructions - start];
    } finally {
      const ran = cpu.instructions - start;
      this.#running = undefined;
      this.#executed += ran;
      this.#done += ran + this.#extra;
      clock.setProgress(undefined);
      // One CPU: time follows it at once. Several: the others still have to pass through the same span.
      if (alone) {
        clock.advance(this.#done);
        this.#done = 0;
        this.#span = 0;
      } else {
        const done = this.#done;
        clock.setProgress({ elapsed: () => done, shorten: () => {} });
      }
    }
  }

  /** Passes the turn on; true: all CPUs are halted and nothing waits. */
  #endTurn(exit: CpuExit): boolean {
    const { cpus, clock } = this.#p;
    if (cpus.length === 1) return exit === "halted" && !this.#interruptible(0);
    if (exit !== "halted" && this.#done < this.#span) return false;
    if (exit === "halted") this.#halted++;
    this.#turn++;
    this.#done = 0;
    clock.setProgress(undefined);
    if (this.#turn < cpus.length) return false;
    const all = this.#halted === cpus.length && cpus.every((_, i) => !this.#interruptible(i));
    if (!all) clock.advance(this.#span);
    this.reset();
    return all;
  }

  /** All CPUs are halted: jumps to the next event; false: nothing will wake them. */
  #sleep(deadline: number, idleSince: number): boolean {
    const { clock, cpus } = this.#p;
    if (clock.nextEvent === Infinity || cpus.every((c) => c.wakeable === false)) return false;
    if (clock.now - idleSince > clock.hz * IDLE_SECONDS) return false;
    clock.advance(Math.max(0, Math.ceil(Math.min(clock.nextEvent, deadline) - clock.now)));
    return true;
  }

  #interruptible(index: number): boolean {
    return this.#p.controllers[index]?.pending === true && this.#p.cpus[index].wakeable !== false;
  }
}
