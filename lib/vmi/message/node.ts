/**
 * A node of a job as the scheduler sees it: something with a next event that can be run up to a horizon. And the node
 * that runs a host-side program: an async function that is resumed, and the scheduler goes on when it waits again.
 * Warm.
 */
import type { EventQueue } from "./event_queue.ts";
import { type MessageEvent, settle } from "./events.ts";
import { MessageRank } from "./rank.ts";
import type { Runtime } from "./runtime.ts";

/** How a rank ended. */
export interface RankResult {
  /** Its number. */
  readonly rank: number;
  /** Done, failed by an error, blocked for ever or at the time limit, or killed. */
  readonly state: "done" | "failed" | "blocked" | "killed";
  /** What the program returned, or the guest's exit code. */
  readonly value: unknown;
  /** Text of the error, if it failed. */
  readonly error: string | undefined;
  /** When it ended, or how far it got; ns. */
  readonly time: number;
}

/** One node. */
export interface JobNode {
  /** Its runtime. */
  readonly runtime: Runtime;
  /** Its events. */
  readonly queue: EventQueue;
  /** Has its program ended? */
  readonly isDone: boolean;
  /** How it stands. */
  readonly result: RankResult;
  /** Earliest time at which it can do something, ns; `Infinity`: only a frame can wake it. */
  next(): number;
  /** Work done so far, in turns of the scheduler that it was worth, for nodes whose turns are long. */
  readonly effort?: number;
  /**
   * Runs until it can do nothing before the horizon, which may come closer meanwhile, or for a while.
   *
   * @param horizon What happens before it is known, ns.
   * @param ahead Up to here the node may run as long as nothing that comes could make a difference; 0: no further than
   * the horizon.
   */
  run(horizon: () => number, ahead: number): void | Promise<void>;
  /** An event of its runtime. */
  event(event: MessageEvent): void;
  /** It stops for good. */
  kill(): void;
}

/** A program of one rank. */
export type RankProgram = (rank: MessageRank) => unknown;

interface Blocked {
  readonly ready: () => boolean;
  readonly until: number;
  resume(): void;
}

/** A node with a host-side program. */
export class HostNode implements JobNode {
  readonly runtime: Runtime;
  readonly queue: EventQueue;
  /** What the program sees. */
  readonly rank: MessageRank;
  #blocked: Blocked | undefined;
  #yielded: (() => void) | undefined;
  #state: RankResult["state"] | "running" | "ready" = "ready";
  #value: unknown = undefined;
  #error: string | undefined;
  #ended = 0;
  readonly #program: RankProgram;

  /** Makes one. @param runtime Its runtime. @param queue Its events. @param program What it runs. @param log The log. */
  constructor(runtime: Runtime, queue: EventQueue, program: RankProgram, log: (text: string) => void) {
    this.runtime = runtime;
    this.queue = queue;
    this.#program = program;
    this.rank = new MessageRank(runtime, { block: (ready, until, resumed) => this.#block(ready, until, resumed), log });
  }

  get isDone(): boolean {
    return this.#state !== "ready" && this.#state !== "running";
  }

  get result(): RankResult {
    const isOver = this.isDone;
    return {
      rank: this.runtime.rank,
      state: isOver ? this.#state as RankResult["state"] : "blocked",
      value: this.#value,
      error: this.#error,
      time: isOver ? this.#ended : this.queue.time,
    };
  }

  next(): number {
    if (this.#state === "ready") return this.queue.time;
    const events = this.#state === "killed" ? Infinity : this.queue.next;
    const blocked = this.#blocked;
    if (blocked === undefined) return events;
    if (!blocked.ready()) return Math.min(events, Math.max(blocked.until, this.#free));
    return this.#free > this.queue.time ? Math.min(events, this.#free) : this.queue.time;
  }

  /** The program goes on no earlier. */
  get #free(): number {
    return this.runtime.busyUntil;
  }

  async run(horizon: () => number): Promise<void> {
    while (this.next() < horizon()) {
      const blocked = this.#blocked;
      if (this.#state === "ready") await this.#start();
      else if (blocked === undefined) this.queue.step(Infinity);
      else {
        const ready = blocked.ready();
        const at = Math.max(ready ? this.queue.time : blocked.until, this.#free);
        // What comes while the processor is busy comes before the program goes on.
        if ((!ready || at > this.queue.time) && this.queue.next <= at) this.queue.step(Infinity);
        else {
          if (at > this.queue.time) this.queue.advanceTo(at);
          this.#blocked = undefined;
          const yielded = this.#yield();
          blocked.resume();
          await yielded;
        }
      }
    }
  }

  event(event: MessageEvent): void {
    if (!this.isDone) this.rank.push(event);
    else if (event.kind === "request") event.connection.respond("error");
    else settle(event);
  }

  kill(): void {
    if (this.isDone) return;
    this.#end("killed");
    this.#blocked = undefined;
    this.runtime.close();
  }

  #end(state: RankResult["state"]): void {
    this.#state = state;
    this.#ended = Math.max(this.runtime.now(), this.#free);
    this.runtime.finalize();
  }

  async #start(): Promise<void> {
    this.#state = "running";
    const yielded = this.#yield();
    const finish = (state: "done" | "failed", error?: unknown): void => {
      if (this.isDone) return;
      if (state === "failed") this.#error = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
      this.#end(state);
      this.rank.discard();
      this.#yielded?.();
    };
    const run = async (): Promise<void> => {
      try {
        this.#value = await this.#program(this.rank);
        finish("done");
      } catch (e) {
        finish("failed", e);
      }
    };
    run();
    await yielded;
  }

  /** Resolved when the program waits again or ends. */
  #yield(): Promise<void> {
    return new Promise((resolve) => {
      this.#yielded = resolve;
    });
  }

  #block(ready: () => boolean, until: number, resumed: () => void): Promise<void> {
    return new Promise((resolve) => {
      const resume = (): void => {
        resumed();
        resolve();
      };
      this.#blocked = { ready, until: Number.isNaN(until) ? Infinity : until, resume };
      const yielded = this.#yielded;
      this.#yielded = undefined;
      yielded?.();
    });
  }
}
