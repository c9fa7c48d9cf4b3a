/**
 * Real time for the nodes of one process: events are handled when the host's clock has reached them, frames arrive as
 * soon as they are carried. Nothing repeats exactly in this mode. Warm.
 */
import { ConfigError } from "../../core/errors.ts";
import type { JobNode } from "./node.ts";
import { parseRecord, type Transport } from "./transport.ts";

/** The host's clock. */
export interface HostClock {
  /** ns since the job began; never runs backwards. */
  now(): number;
  /** Waits, at least to the next turn of the event loop. */
  sleep(ms: number): Promise<void>;
  /** Lets the event loop do what is due, and comes back at once. Absent: `sleep(0)` does. */
  turn?(): Promise<void>;
}

/** What real time needs. */
export interface RealTimeHost {
  /** Nodes of this process. */
  readonly nodes: readonly JobNode[];
  /** The host's clock. */
  readonly clock: HostClock;
  /** Connects the processes, if there are several. */
  readonly transport: Transport | undefined;
  /** Last time that may be reached, ns. */
  readonly limit: number;
  /** A record from another process. */
  record(from: number, record: ReturnType<typeof parseRecord>): void;
  /** Things to do at certain times. */
  readonly agenda: { next(): number; run(time: number): void };
  /** Has every process said that its programs ended? */
  isOver(): boolean;
  /** Another process was lost; does the job go on without it? */
  survives(): boolean;
  /** Called once, when the programs of this process have ended. */
  ended(): void;
  /** Told at every turn what time it is, ns. */
  turn(now: number): void;
  /** Told now and then how far time is. */
  progress(now: number): void;
  /** Should the run end? */
  isStopped(): boolean;
}

/** Turns without work before the event loop may sleep. */
const SPINS = 20;
/** Longest sleep, so that a limit or a stop is noticed; ms. */
const LONGEST_MS = 50;

/** Longest time that nodes at work keep the event loop, which may carry their frames, from its own; ns. */
const TURN_NS = 1e6;
/** Time between two reports, ns. */
const REPORT_NS = 1e8;

/** Runs until all programs of the job ended, or the limit. */
export async function runRealTime(h: RealTimeHost): Promise<void> {
  const { nodes, clock, transport, agenda } = h;
  let told = false;
  let idle = 0;
  let reported = 0;
  let turned = 0;
  const take = (from: number, bytes: Uint8Array): void => h.record(from, parseRecord(bytes));
  while (!h.isStopped()) {
    const now = clock.now();
    if (now >= h.limit) return;
    h.turn(now);
    if (now - reported >= REPORT_NS) h.progress(reported = now);
    let moved = transport?.poll(take) ?? 0;
    while (agenda.next() <= now) agenda.run(agenda.next());
    for (const node of nodes) {
      if (node.next() > now) continue;
      moved++;
      node.queue.runTo(now);
      await node.run(() => now + 1, 0);
    }
    if (!told && nodes.every((n) => n.isDone)) {
      told = true;
      h.ended();
    }
    if (told && h.isOver()) return;
    if (transport?.broken !== undefined && !h.isOver() && !h.survives()) {
      throw new ConfigError("message-transport", transport.broken);
    }
    idle = moved > 0 ? 0 : idle + 1;
    if (moved > 0 && now - turned >= TURN_NS) {
      await (clock.turn?.() ?? clock.sleep(0));
      turned = clock.now();
    }
    if (idle < (transport === undefined ? SPINS : 1)) continue;
    let next = Math.min(agenda.next(), h.limit);
    for (const node of nodes) next = Math.min(next, node.next());
    const ms = Math.min(LONGEST_MS, Math.max(0, (next - clock.now()) / 1e6));
    if (transport !== undefined) await transport.sleep(ms);
    else if (next === Infinity && !nodes.every((n) => n.isDone)) return; // nothing can ever happen
    else await clock.sleep(ms);
  }
}
