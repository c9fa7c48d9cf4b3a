/**
 * The life of a machine on one page: fire what is due, run a CPU up to the next event, look why it came back, repeat.
 *
 * Invariants: events fire only between two instructions; time stands still while nothing runs, except that it jumps to
 * the next event when all CPUs are idle; the same machine makes the same steps however the run is cut into calls of
 * {@linkcode RunLoop.run}.
 *
 * A turn ends between two instructions, so to the other CPUs each instruction is one step, with LOCK or without.
 * Several busy CPUs take turns in rounds: each runs a quantum over the same span of virtual time, then time moves on and
 * events fire; an idle CPU's turn is passed over. Time never goes back: in its turn a CPU sees at least the latest time
 * any has come to in the round, so time stamps agree with the order in which things happen. While one CPU alone is busy
 * there are no rounds: it runs up to the next event, or until it wakes another. What an instruction costs beyond the end
 * of a round is a debt: the CPU begins the next one late by it. Warm: once a slice.
 */
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
  /** Virtual time. */
  readonly clock: Clock;
  /** Instructions a turn. */
  readonly quantum: number;
  /** Is a stop asked for? */
  readonly requested: () => boolean;
  /** CPU `index` is about to execute. */
  readonly begins: (index: number) => void;
}

/** Run loop of one machine. */
export class RunLoop {
  readonly #p: LoopParts;
  /** Round in progress: its length in ticks (0: none), whose turn, what that CPU has done of it, the most any has. */
  #span = 0;
  #turn = 0;
  #done = 0;
  #most = 0;
  /** By how much each CPU begins the next round late. */
  readonly #debts: number[];
  /** The most time any CPU has seen of the next round. */
  #ahead = 0;
  /** One CPU alone is busy: time follows it at once. */
  #alone = false;
  #deadline = Infinity;
  /** Ticks added by the cost model in the running slice. */
  #extra = 0;
  #paused = false;
  #running: Cpu | undefined = undefined;
  #executed = 0;
  #last = 0;

  /** @param parts What it drives. */
  constructor(parts: LoopParts) {
    this.#p = parts;
    this.#debts = parts.cpus.map(() => 0);
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
    const { clock } = this.#p;
    const cpu = this.#running;
    if (cpu === undefined) {
      clock.advance(ticks);
      return;
    }
    this.#extra += ticks;
    const left = this.#alone
      ? Math.min(clock.nextEvent, this.#deadline) - clock.now
      : this.#span - this.#done - this.#extra - cpu.elapsed();
    if (left < LONGEST) cpu.shorten(Math.max(0, Math.ceil(left)) + cpu.elapsed());
  }

  /** The running CPU spins: with others busy, the rest of its turn passes as if it had spun on. */
  pause(): void {
    if (this.#running === undefined || this.#alone) return;
    this.#paused = true;
    this.#running.interruptSlice();
  }

  /** Makes every CPU look at its interrupts and at requests again. */
  attention(): void {
    for (const cpu of this.#p.cpus) cpu.interruptSlice();
  }

  /** Runs until a limit, a request, or the end of all activity. */
  run(limits: Limits): LoopEnd {
    this.#executed = 0;
    this.#deadline = limits.deadline;
    const { clock, cpus, requested } = this.#p;
    let idleSince = clock.now;
    let stuck = 0;
    while (true) {
      if (this.#span === 0) clock.fireDue();
      if (requested()) return "request";
      if (limits.poll?.() === true) return "polled";
      const left = Math.min(limits.instructions - this.#executed, limits.every, LONGEST);
      const until = Math.ceil(limits.deadline - clock.now);
      if (limits.instructions - this.#executed <= 0 || until <= 0) return "budget";
      const busy = this.#choose();
      if (busy === "none" && !this.#sleep(limits.deadline, idleSince)) return requested() ? "request" : "halt";
      if (busy !== "one") continue;
      const [exit, ran] = this.#slice(cpus[this.#turn], Math.min(left, until, this.#room()));
      if (ran > 0) idleSince = clock.now;
      if (exit === "shutdown") return "shutdown";
      stuck = ran > 0 || cpus[this.#turn].idle ? 0 : stuck + 1;
      if (stuck > 1000 && !requested()) throw new InternalError(`CPU ${cpus[this.#turn].name} makes no progress`);
    }
  }

  /** Ends a round in progress: at reset and restore. */
  reset(): void {
    this.#endRound(Math.max(this.#most, this.#done));
    this.#payAll();
  }

  /** The round in progress, for a snapshot. */
  save(): { readonly [name: string]: FieldValue } {
    const owed: { readonly [name: string]: FieldValue } = this.#ahead > 0 || this.#debts.some((d) => d > 0)
      ? { ahead: this.#ahead, debts: [...this.#debts] }
      : {};
    return { span: this.#span, turn: this.#turn, done: this.#done, most: this.#most, ...owed };
  }

  /** Restores it. */
  load(fields: FieldValue): void {
    const f = fields as { span: number; turn: number; done: number; most: number; ahead?: number; debts?: number[] };
    this.#ahead = f.ahead ?? 0;
    this.#debts.forEach((_, i) => this.#debts[i] = f.debts?.[i] ?? 0);
    [this.#span, this.#turn, this.#done, this.#most] = [f.span, f.turn, f.done, f.most];
    this.#showRound();
  }

  /** Whose turn it is, in `#turn`; `none`: all CPUs are idle, `over`: a round just ended. */
  #choose(): "one" | "none" | "over" {
    const { cpus } = this.#p;
    if (this.#span === 0) {
      const first = cpus.findIndex((c) => !c.idle);
      if (first < 0) return "none";
      this.#turn = first;
      this.#alone = !cpus.some((c, i) => i > first && !c.idle);
      if (this.#alone && this.#ahead === 0) return "one";
      if (this.#alone) {
        this.#payAll(); // events may be due
        return "over";
      }
      this.#beginRound();
    }
    this.#alone = false;
    while (this.#turn < cpus.length) {
      if (this.#done < this.#span && !cpus[this.#turn].idle) return "one";
      this.#nextTurn();
    }
    const isIdle = cpus.every((c) => c.idle);
    this.#endRound(isIdle ? this.#most : this.#span);
    if (isIdle) this.#payAll();
    return "over";
  }

  /** The CPU's part of the round is over; what it did beyond is a debt, and the next CPU begins with its own. */
  #nextTurn(): void {
    this.#debts[this.#turn] = Math.max(0, this.#done - this.#span);
    this.#turn++;
    this.#done = this.#debts[this.#turn] ?? 0;
  }

  /** Time goes on to the most that any CPU has seen; nobody is late then. */
  #payAll(): void {
    if (this.#ahead > 0) this.#p.clock.advance(this.#ahead);
    this.#ahead = 0;
    this.#debts.fill(0);
  }

  #beginRound(): void {
    const { clock, quantum } = this.#p;
    this.#span = Math.max(1, Math.min(Math.ceil(clock.nextEvent - clock.now), quantum));
    this.#turn = 0;
    this.#done = this.#debts[0];
    this.#most = this.#ahead;
    this.#ahead = 0;
    this.#showRound();
  }

  #endRound(ticks: number): void {
    const { clock } = this.#p;
    if (this.#span !== 0) {
      clock.setProgress(undefined);
      clock.advance(ticks);
      this.#ahead = Math.max(0, this.#most - ticks);
    }
    this.#span =
      this.#turn =
      this.#done =
      this.#most =
        0;
  }

  /** Ticks the CPU may run now. */
  #room(): number {
    const { clock } = this.#p;
    return this.#alone ? Math.ceil(clock.nextEvent - clock.now) : this.#span - this.#done;
  }

  #slice(cpu: Cpu, limit: number): [exit: CpuExit, ran: number] {
    const { clock } = this.#p;
    const before = this.#done;
    this.#extra = 0;
    this.#paused = false;
    this.#running = cpu;
    this.#last = this.#turn;
    this.#p.begins(this.#turn);
    const start = cpu.instructions;
    clock.setProgress({
      elapsed: () => Math.max(this.#most, before + cpu.elapsed() + this.#extra),
      shorten: (ticks) => {
        if (!this.#alone) this.#cut(ticks, before + cpu.elapsed() + this.#extra);
        const end = this.#alone ? Math.ceil(ticks) : this.#span;
        cpu.shorten(Math.max(0, end - before - this.#extra));
      },
    });
    try {
      const exit = cpu.run(Math.max(1, limit));
      return [exit, cpu.instructions - start];
    } finally {
      const ran = cpu.instructions - start;
      this.#running = undefined;
      this.#executed += ran;
      this.#endSlice(ran + this.#extra);
    }
  }

  /** Alone: time follows at once. In a round: the others still have to pass through the same span. */
  #endSlice(ticks: number): void {
    if (this.#alone) {
      this.#p.clock.setProgress(undefined);
      this.#p.clock.advance(ticks);
      return;
    }
    this.#done += ticks;
    if (this.#paused) this.#done = Math.max(this.#done, this.#span);
    this.#most = Math.max(this.#most, this.#done);
    this.#showRound();
  }

  /** An event is due `ticks` after the round began: ends the round there, but not before where any CPU has come. */
  #cut(ticks: number, done: number): void {
    this.#span = Math.min(this.#span, Math.max(1, Math.ceil(ticks), Math.ceil(done), this.#most));
  }

  /** Lets the clock show the time of the CPU whose turn it is, between two slices of a round. */
  #showRound(): void {
    const { clock } = this.#p;
    if (this.#span === 0) clock.setProgress(undefined);
    else clock.setProgress({ elapsed: () => this.#most, shorten: (ticks) => this.#cut(ticks, this.#most) });
  }

  /** All CPUs are idle: jumps to the next event; false: nothing will wake them. */
  #sleep(deadline: number, idleSince: number): boolean {
    const { clock, cpus } = this.#p;
    if (clock.nextEvent === Infinity || cpus.every((c) => c.wakeable === false)) return false;
    if (clock.now - idleSince > clock.hz * IDLE_SECONDS) return false;
    clock.advance(Math.max(0, Math.ceil(Math.min(clock.nextEvent, deadline) - clock.now)));
    return true;
  }
}
