/**
 * Virtual time for the nodes of one process, conservatively: no node runs past the earliest time at which a frame of
 * another could still reach it. With W the least latency of all networks, a node may run to W after the next event of
 * any other; when it sends itself, to W after the arrival. Several processes agree on windows of length W: each runs its
 * nodes to the window's end, then all exchange frames and the earliest next event. A node that cannot notice what comes
 * until it asks, as a machine that computes, runs on until it does: it waits there until all that came before is known.
 *
 * What a node sees depends only on the frames that reach it, in the order (arrival, source, count), never on how nodes
 * are spread over processes: results and times are the same on any number of them. Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import type { JobNode } from "./node.ts";
import { parseRecord, type SyncRecord, syncRecord, type Transport } from "./transport.ts";

/** What the scheduler needs. */
export interface SchedulerHost {
  /** Nodes of this process, by rank. */
  readonly nodes: readonly JobNode[];
  /** Least latency of all networks, ns. */
  readonly lookahead: number;
  /** Last time that may be reached, ns. */
  limit(): number;
  /** May nodes run ahead of the horizon while nothing that comes could make a difference? */
  mayRunAhead(): boolean;
  /** Connects the processes, if there are several. */
  readonly transport: Transport | undefined;
  /** A record from another process that is no sync. */
  record(from: number, record: ReturnType<typeof parseRecord>): void;
  /** Things to do at certain times, in order. */
  readonly agenda: { next(): number; run(time: number): void };
  /** Told now and then how far time is; the event loop gets a turn then. Absent: neither. */
  progress?(time: number): void;
}

/** Turns of the scheduler between two reports. */
const REPORT_EVERY = 4096;

/** Runs the nodes of one process in virtual time. */
export class Scheduler {
  readonly #h: SchedulerHost;
  #running = -1;
  #horizon = Infinity;
  #sentEarliest = Infinity;
  #round = 0;
  readonly #syncs: Map<number, SyncRecord>[] = [new Map(), new Map()];
  #stop = false;
  #turns = 0;

  /** Makes one. @param host Nodes and transport. */
  constructor(host: SchedulerHost) {
    this.#h = host;
  }

  /** Ends the run at the next opportunity. */
  stop(): void {
    this.#stop = true;
    this.#horizon = -Infinity;
  }

  /** A frame was sent by the node that runs, and arrives then. */
  sent(arrival: number): void {
    if (arrival < this.#sentEarliest) this.#sentEarliest = arrival;
    const bound = arrival + this.#h.lookahead;
    if (bound < this.#horizon) this.#horizon = bound;
  }

  /** Rank that runs now, or -1. */
  get running(): number {
    return this.#running;
  }

  /** The horizon of the node that runs now. */
  get horizon(): number {
    return this.#horizon;
  }

  /** Runs until all programs of the job ended, nothing can happen any more, or the limit. */
  async run(): Promise<void> {
    if (this.#h.transport !== undefined) return await this.#windows(this.#h.transport);
    await this.#window(this.#h.limit());
    if (this.#h.nodes.every((n) => n.isDone)) await this.#window(this.#ended() + 1, true);
  }

  #ended(): number {
    return this.#h.nodes.reduce((t, n) => n.isDone ? Math.max(t, n.result.time) : t, 0);
  }

  /** Runs all nodes to `end`, not included. */
  async #window(end: number, drain = false): Promise<void> {
    const { nodes, lookahead, agenda } = this.#h;
    const mayRunAhead = this.#h.mayRunAhead();
    while (!this.#stop) {
      let [first, second, at] = [Infinity, Infinity, -1];
      let live = false;
      for (let i = 0; i < nodes.length; i++) {
        const t = nodes[i].next();
        live ||= !nodes[i].isDone;
        if (t < first) [first, second, at] = [t, first, i];
        else if (t < second) second = t;
      }
      if (++this.#turns >= REPORT_EVERY) await this.#report(first);
      const plan = agenda.next();
      if (plan <= first && plan < end) {
        agenda.run(plan);
        continue;
      }
      if (at < 0 || first >= end || (!live && !drain)) return;
      this.#horizon = Math.min(end, second + lookahead, plan);
      this.#running = nodes[at].runtime.rank;
      const before = nodes[at].effort ?? 0;
      await nodes[at].run(() => this.#horizon, mayRunAhead ? Math.min(this.#h.limit(), plan) : 0);
      this.#turns += (nodes[at].effort ?? 0) - before;
      this.#running = -1;
    }
  }

  async #report(time: number): Promise<void> {
    this.#turns = 0;
    if (this.#h.progress === undefined || time === Infinity) return;
    this.#h.progress(time);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }

  async #windows(transport: Transport): Promise<void> {
    let limit = this.#h.limit();
    while (!this.#stop) {
      const mine: SyncRecord = {
        round: this.#round,
        next: Math.min(this.#sentEarliest, this.#h.agenda.next(), ...this.#h.nodes.map((n) => n.next())),
        live: this.#h.nodes.filter((n) => !n.isDone).length,
        ended: this.#ended(),
      };
      this.#sentEarliest = Infinity;
      const all = await this.#agree(transport, mine);
      const next = Math.min(...all.map((s) => s.next));
      if (all.every((s) => s.live === 0)) limit = Math.min(limit, Math.max(...all.map((s) => s.ended)) + 1);
      if (next >= limit) return;
      await this.#window(Math.min(limit, next + this.#h.lookahead), true);
    }
  }

  /** Sends this window's end to all and waits for theirs; frames sent before come before. */
  async #agree(transport: Transport, mine: SyncRecord): Promise<SyncRecord[]> {
    const record = syncRecord(mine);
    for (let p = 0; p < transport.processes; p++) if (p !== transport.process) transport.send(p, record);
    const got = this.#syncs[this.#round & 1];
    while (got.size < transport.processes - 1) {
      const moved = transport.poll((from, bytes) => this.#take(from, bytes));
      if (got.size >= transport.processes - 1) break;
      if (transport.broken !== undefined) throw new ConfigError("message-transport", transport.broken);
      if (moved === 0) await transport.sleep(1000);
    }
    this.#syncs[this.#round & 1] = new Map();
    this.#round++;
    return [mine, ...got.values()];
  }

  #take(from: number, bytes: Uint8Array): void {
    const record = parseRecord(bytes);
    if (record.kind !== "sync") return this.#h.record(from, record);
    if (record.value.round < this.#round || record.value.round > this.#round + 1) {
      throw new ConfigError(
        "message-transport",
        `Process ${from} is in window ${record.value.round}, this one in ${this.#round}; do all run the same job`,
      );
    }
    this.#syncs[record.value.round & 1].set(from, record.value);
  }
}
