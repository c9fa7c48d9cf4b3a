/**
 * A node of a job that is an emulated machine. Its clock is the machine's: retired instructions, scaled to nanoseconds.
 * Frames and timers of its message layer become due at the first instruction boundary at or after their time; a guest
 * that waits or halts lets its clock jump to the next event. So a job of machines repeats exactly, and does not depend
 * on where the scheduler cuts a run into pieces.
 *
 * A machine that uses the card by hypercalls alone, and has lent no memory, cannot notice a frame before its next call.
 * It runs ahead to that call, whatever the horizon; the call is answered when all that came before it is known.
 *
 * In real time the message layer's clock is the host's. The machine executes as fast as it can, in short pieces between
 * which frames are taken; its own clock counts instructions as always, and moves on with the host's while it idles.
 * Warm.
 */
import type { Timer } from "../../core/clock.ts";
import { ConfigError } from "../../core/errors.ts";
import type { StopReason } from "../../core/stop.ts";
import type { EventQueue } from "../../vmi/message/event_queue.ts";
import { type MessageEvent, settle } from "../../vmi/message/events.ts";
import { MessageCard } from "../../vmi/message/guest/card.ts";
import type { JobNode, RankResult } from "../../vmi/message/node.ts";
import type { Runtime } from "../../vmi/message/runtime.ts";
import type { Machine } from "../machine.ts";
import { guestRam } from "./guest_ram.ts";

/** Name of the stops the node asks for itself. */
const STOP = "message";
/** Longest piece of a run, ticks. */
const PIECE = 20_000_000;
/** The same in real time, where other nodes and the network wait meanwhile. */
const REAL_PIECE = 50_000;
/** Ticks that are worth a turn of the scheduler. */
const TURN = 5000;

/** A node with a machine. */
export class GuestNode implements JobNode {
  readonly runtime: Runtime;
  readonly queue: EventQueue;
  /** The machine's message card. */
  readonly card: MessageCard;
  /** See {@linkcode JobNode.effort}. */
  effort = 0;
  readonly #log: (text: string) => void;
  #machine: Machine | undefined;
  #timer: Timer | undefined;
  #horizon: () => number = () => Infinity;
  #planned = 0;
  #waitUntil: number | undefined;
  #halted = false;
  #syncing = false;
  #state: RankResult["state"] | "running" = "running";
  #value: unknown = undefined;
  #error: string | undefined;
  #ended = 0;
  /** Real time: when the machine had nothing more to do, ns. */
  #idleSince = 0;
  #exit: { readonly code: number; readonly failed: boolean } | undefined;
  readonly #runsAhead: boolean;
  /** How far the machine may run ahead, ns. */
  #limit = 0;
  /** The machine may have gone past events that it cannot notice; they are handled before it goes on. */
  #isAhead = false;
  /** What happens at the machine's time as soon as everything that came before is known: a call, the end of a run. */
  #held: (() => void) | undefined;

  /**
   * Makes one.
   *
   * @param runtime Its runtime.
   * @param queue Its events.
   * @param log The job's log.
   * @param runsAhead May the machine run ahead of what it cannot notice? Where it stops, and what it sees, is the same.
   */
  constructor(runtime: Runtime, queue: EventQueue, log: (text: string) => void, runsAhead = false) {
    this.runtime = runtime;
    this.queue = queue;
    this.#log = log;
    this.#runsAhead = runsAhead;
    this.card = new MessageCard(runtime, guestRam(() => this.#machine?.space), {
      sync: () => this.#sync(),
      touched: () => this.#touched(),
      holds: (answer) => this.#holds(answer),
      wait: (until) => this.#wait(until),
      exit: (code, failed) => this.#leave(code, failed),
      log,
    });
  }

  /** The machine. @throws {ConfigError} message-machine: none was given yet. */
  get machine(): Machine {
    if (this.#machine === undefined) throw new ConfigError("message-machine", "The node has no machine yet");
    return this.#machine;
  }

  /** Gives the node its machine, which has the card as a device. */
  plug(machine: Machine): void {
    this.#machine = machine;
    this.#timer = machine.clock.timer("message-events", () => this.#sync());
  }

  get isDone(): boolean {
    return this.#state !== "running";
  }

  get result(): RankResult {
    return {
      rank: this.runtime.rank,
      state: this.isDone ? this.#state as RankResult["state"] : "blocked",
      value: this.#value,
      error: this.#error,
      time: this.isDone ? this.#ended : this.#time(),
    };
  }

  next(): number {
    if (this.#state === "killed") return Infinity;
    if (this.isDone) return this.queue.next;
    if (!this.runtime.isVirtual) return this.#nextReal();
    const now = this.#now();
    if (this.#isAhead) return Math.min(this.queue.next, now);
    const { busyUntil } = this.runtime;
    const isBusy = busyUntil > now;
    if (!isBusy) {
      if (this.#waitUntil !== undefined) {
        if (this.card.hasNews) return now;
      } else if (!this.#halted) return now;
    }
    // The boundary at which the machine takes it, so that all that is due there is known when it does.
    const until = isBusy ? busyUntil : this.#waitUntil ?? Infinity;
    const next = Math.min(this.queue.next, until, this.#nextTimer());
    return next === Infinity ? Infinity : Math.max(now, this.#ns(this.#ticks(next)));
  }

  run(horizon: () => number, ahead: number): void {
    if (!this.runtime.isVirtual) return this.#runReal();
    this.#horizon = horizon;
    this.#limit = this.#runsAhead && this.machine.cpus.length === 1 ? ahead : 0;
    const start = this.machine.clock.now;
    while (this.next() < horizon() && this.machine.clock.now - start < PIECE) {
      if (this.isDone) this.queue.step(Infinity);
      else if (this.#isAhead) this.#catchUp();
      else if (this.runtime.busyUntil > this.#now()) this.#jump(this.runtime.busyUntil);
      else if (this.#waitUntil !== undefined) this.#passTime();
      else this.#execute(horizon());
    }
    this.#horizon = () => Infinity;
  }

  event(event: MessageEvent): void {
    if (!this.isDone) this.card.event(event);
    else if (event.kind === "request") event.connection.respond("error");
    else settle(event);
  }

  kill(): void {
    if (this.isDone) return;
    this.#end("killed");
    this.runtime.close();
  }

  /** As `next`, of the host's clock. */
  #nextReal(): number {
    if (this.#waitUntil === undefined && !this.#halted) return 0;
    if (this.card.hasNews && this.#waitUntil !== undefined) return 0;
    const { nextEvent, now } = this.machine.clock;
    const timer = nextEvent === Infinity ? Infinity : this.#idleSince + this.#ns(nextEvent - now);
    return Math.min(this.queue.next, this.#waitUntil ?? Infinity, timer);
  }

  /** One piece; events that are due were handled. */
  #runReal(): void {
    this.#sync();
    if (this.isDone) return;
    if (this.#waitUntil !== undefined || this.#halted) this.#idled();
    if (this.#waitUntil !== undefined) {
      if (!this.card.hasNews && this.#time() < this.#waitUntil) return;
      this.#waitUntil = undefined;
      this.card.woken();
    }
    // A halted machine takes one step: has something woken it?
    const ticks = this.#halted ? 1 : REAL_PIECE;
    this.#halted = false;
    this.#after(this.machine.run({ ticks }));
    if (this.#waitUntil !== undefined || this.#halted) this.#idleSince = this.#time();
  }

  /** The machine's clock moves on by the time it idled, to its next timer at most. */
  #idled(): void {
    const { clock } = this.machine;
    const since = this.#time();
    const ticks = Math.floor(((since - this.#idleSince) * clock.hz) / 1e9);
    this.#idleSince = since;
    clock.advance(Math.max(0, Math.min(ticks, clock.nextEvent - clock.now)));
    clock.fireDue();
  }

  /** Time of the message layer, ns. */
  #time(): number {
    return this.runtime.isVirtual ? this.#now() : this.runtime.now();
  }

  #ns(ticks: number): number {
    return Math.floor((ticks * 1e9) / this.machine.clock.hz);
  }

  #now(): number {
    return this.#ns(this.machine.clock.now);
  }

  #ticks(ns: number): number {
    return Math.ceil((ns * this.machine.clock.hz) / 1e9);
  }

  /** Earliest timer of the machine that is not ours, ns. */
  #nextTimer(): number {
    const { nextEvent } = this.machine.clock;
    return nextEvent === Infinity ? Infinity : this.#ns(nextEvent);
  }

  /** Handles everything that is due, and arms the machine's clock for the next event. */
  #sync(): void {
    if (this.#syncing) return;
    this.#syncing = true;
    try {
      this.queue.runTo(Math.max(this.queue.time, this.#time()));
    } finally {
      this.#syncing = false;
    }
    this.#arm();
  }

  #arm(): void {
    const { next } = this.queue;
    if (this.#timer === undefined || !this.runtime.isVirtual || this.#isAhead) return;
    if (next === Infinity) this.#timer.cancel();
    else if (this.#timer.deadline !== this.#ticks(next)) this.#timer.armAt(this.#ticks(next));
  }

  /** The guest did something: a frame it sent may be answered before the run was to end. */
  #touched(): void {
    if (this.#machine === undefined) return; // power-on
    if (this.#isAhead) {
      if (!this.card.isQuiet) this.machine.stop(STOP);
      return;
    }
    this.#arm();
    const isBusy = this.runtime.isVirtual && this.runtime.busyUntil > this.#now();
    if (this.#horizon() < this.#planned || isBusy) this.machine.stop(STOP);
  }

  #wait(until: number): void {
    this.#waitUntil = until;
    this.machine.stop(STOP);
  }

  #leave(code: number, failed: boolean): void {
    this.#exit = { code, failed };
    this.machine.stop(STOP);
  }

  /** While the machine is ahead, calls are answered when all that came before is known. */
  #holds(answer: () => void): boolean {
    if (!this.#isAhead) return false;
    const now = this.#now();
    if (now < this.#horizon() && this.queue.next > now) return false;
    this.#held = answer;
    this.machine.stop(STOP);
    return true;
  }

  /** One event the machine has gone past; if there is none, it goes on. */
  #catchUp(): void {
    const now = this.#now();
    if (this.queue.next <= now) return void this.queue.step(Infinity);
    const held = this.#held;
    this.#held = undefined;
    this.#isAhead = false;
    this.#sync();
    held?.();
  }

  #execute(horizon: number): void {
    const m = this.machine;
    this.#isAhead = this.#limit > horizon && this.card.isQuiet;
    if (this.#isAhead) this.#timer?.cancel();
    this.#arm();
    const end = this.#isAhead ? this.#limit : horizon;
    const until = Math.min(this.#ticks(Math.min(end, 2 ** 52)), m.clock.now + PIECE);
    this.#planned = horizon;
    this.#halted = false;
    const from = m.clock.now;
    const stop = m.run({ ticks: Math.max(1, Math.ceil(until - m.clock.now)) });
    this.#planned = 0;
    this.effort += (m.clock.now - from) / TURN;
    if (!this.#isAhead) return this.#after(stop);
    const held = this.#held;
    this.#held = (): void => {
      held?.();
      this.#after(stop);
    };
  }

  #after(stop: StopReason): void {
    const exit = this.#exit;
    if (exit !== undefined) {
      this.#value = exit.code;
      if (exit.failed) this.#error = `Guest aborted with code ${exit.code}`;
      return this.#end(exit.failed ? "failed" : "done");
    }
    switch (stop.kind) {
      case "budget":
        this.#halted = this.machine.cpus.every((c) => c.cpu.idle);
        return;
      case "stopped":
        if (stop.name !== STOP) this.#fail(stop);
        return;
      case "halt":
        // Halted with interrupts off: the program's end. Otherwise a frame may wake it.
        if (this.machine.cpus.every((c) => c.cpu.wakeable === false)) this.#end("done");
        else this.#halted = true;
        return;
      case "power-off":
        return this.#end("done");
      default:
        return this.#fail(stop);
    }
  }

  #fail(stop: StopReason): void {
    this.#error = `Machine stopped: ${JSON.stringify(stop)}`;
    this.#end("failed");
  }

  #end(state: RankResult["state"]): void {
    this.#state = state;
    this.#ended = this.#time();
    if (this.queue.time < this.#ended) this.queue.runTo(this.#ended);
    this.#timer?.cancel();
    this.#held = undefined;
    this.runtime.finalize();
    if (this.#error !== undefined) this.#log(this.#error);
  }

  /** The guest waits: time goes to the next event, and on to the guest if there is news or its time has come. */
  #passTime(): void {
    const until = this.#waitUntil ?? Infinity;
    if (!this.card.hasNews) this.#jump(until);
    if (!this.card.hasNews && this.#now() < until) return;
    this.#waitUntil = undefined;
    this.card.woken();
  }

  /** Time goes to the next thing that happens, at most to `until`, without the guest. */
  #jump(until: number): void {
    const { clock } = this.machine;
    const to = this.#ticks(Math.min(this.queue.next, until, this.#nextTimer()));
    this.#timer?.cancel();
    clock.advance(Math.max(0, to - clock.now));
    clock.fireDue();
    this.#sync();
  }
}
