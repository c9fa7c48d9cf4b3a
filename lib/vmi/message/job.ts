/**
 * Job: ranks, a spec of devices and chains, and a clock. The ranks are host-side programs here; emulated machines join
 * as nodes of their own. In virtual time a job gives the same results, times and message order on every run and on any
 * number of processes; in real time it is as fast as the host. Cold; what runs per message is in scheduler.ts.
 */
import { ConfigError } from "../../core/errors.ts";
import { modulesByName } from "./builtins.ts";
import { EventQueue } from "./event_queue.ts";
import { copyBytes, type Frame } from "./frame.ts";
import type { MessageModule, NetAddress, TraceRecord } from "./module.ts";
import {
  checkJob,
  defaultSpec,
  type JobOptions,
  type JobResult,
  type JobRunOptions,
  placeRanks,
  programOf,
} from "./job_options.ts";
import { type LinkReport, linksOf } from "./links.ts";
import { HostNode, type JobNode, type RankResult } from "./node.ts";
import { runRealTime } from "./real_time.ts";
import { DEFAULT_LIMITS, Runtime } from "./runtime.ts";
import { Scheduler } from "./scheduler.ts";
import { type CheckedSpec, checkSpec, networksOf } from "./spec.ts";
import { frameRecord, parseRecord, resultRecord, type Transport } from "./transport.ts";

export { defaultSpec, MAX_RANKS } from "./job_options.ts";
export type { JobOptions, JobProgress, JobResult, JobRunOptions, NodeContext, NodeMaker } from "./job_options.ts";

/** Characters of the log. */
const LOG_LIMIT = 1 << 24;
/** What a line counts beside its characters. */
const LINE_COST = 64;

/** What processes tell each other at the end. */
interface PartResult {
  readonly ranks: readonly RankResult[];
  readonly links: readonly LinkReport[];
}

/** One job, or this process's part of it. */
export class Job {
  /** Nodes of this process, by rank. */
  readonly nodes: readonly JobNode[];
  /** Where all ranks are. */
  readonly addresses: readonly NetAddress[];
  /** Devices and chains. */
  readonly spec: CheckedSpec;
  readonly #options: JobOptions;
  readonly #networks: readonly string[];
  readonly #byRank: Map<number, JobNode> = new Map();
  readonly #log: string[] = [];
  #logged = 0;
  #unlogged = 0;
  readonly #trace: TraceRecord[] = [];
  readonly #agenda: { readonly time: number; readonly run: () => void }[] = [];
  readonly #results: Map<number, RankResult> = new Map();
  readonly #links: LinkReport[] = [];
  readonly #heard: Set<number> = new Set();
  readonly #scheduler: Scheduler | undefined;
  readonly #orders: number[] = [];
  readonly #scratch: Uint8Array = new Uint8Array(4096);
  #limit = Infinity;
  /** Real time: when the loop last looked, ns. */
  #turn = 0;
  #onProgress: JobRunOptions["onProgress"];
  #ran = false;
  /** Does a script do things meanwhile that may change anything? */
  #isDirected = false;
  #stopped = false;
  #bad = 0;

  /** Makes a job. @param options What it is. @throws {ConfigError} For everything that is wrong with it. */
  constructor(options: JobOptions) {
    this.#options = checkJob(options);
    const { ranks, transport } = options;
    const modules = modulesByName(options.modules ?? []);
    this.spec = checkSpec(options.spec === undefined ? defaultSpec(transport?.medium) : options.spec, modules, ranks);
    this.#networks = networksOf(this.spec);
    this.addresses = placeRanks(options);
    const here = transport?.process ?? 0;
    const nodes: JobNode[] = [];
    for (let rank = 0; rank < ranks; rank++) {
      this.#orders.push(0);
      if (this.addresses[rank].process !== here) continue;
      const node = this.#make(rank, modules);
      nodes.push(node);
      this.#byRank.set(rank, node);
    }
    this.nodes = nodes;
    if (this.isVirtual) this.#scheduler = this.#makeScheduler();
  }

  /** Is time virtual? */
  get isVirtual(): boolean {
    return this.#options.time !== "real";
  }

  /** What trace filters of this process have seen so far; do not change it. */
  get seen(): readonly TraceRecord[] {
    return this.#trace;
  }

  /** Records from other processes that were not understood. */
  get malformedRecords(): number {
    return this.#bad;
  }

  /** The node of a rank of this process. @throws {ConfigError} message-rank */
  node(rank: number): JobNode {
    const node = this.#byRank.get(rank);
    if (node !== undefined) return node;
    throw new ConfigError("message-rank", `This process has no rank ${rank}`);
  }

  /** Does something at a time; things of the same time are done in the order given. */
  at(timeNs: number, what: () => void): this {
    this.#isDirected = true;
    return this.#plan(timeNs, what);
  }

  /** A rank dies at a time: its program and its devices stop. */
  kill(rank: number, timeNs: number): this {
    return this.#plan(timeNs, () => this.#byRank.get(rank)?.kill());
  }

  /** Ends the run as soon as possible. */
  stop(): void {
    this.#stopped = true;
    this.#scheduler?.stop();
  }

  /** Runs the job, once. @throws {ConfigError} message-job: it ran already. */
  async run(options: JobRunOptions = {}): Promise<JobResult> {
    if (this.#ran) throw new ConfigError("message-job", "This job ran already; make another one");
    this.#ran = true;
    this.#limit = options.untilNs ?? Infinity;
    this.#onProgress = options.onProgress;
    const { transport } = this.#options;
    try {
      if (this.#scheduler !== undefined) await this.#scheduler.run();
      else await this.#real();
      for (const n of this.nodes) this.#results.set(n.runtime.rank, n.result);
      this.#links.push(...linksOf(this.nodes));
      // All processes see values as they travel: as plain data.
      if (transport !== undefined) { for (const r of this.#plain()) this.#results.set(r.rank, r); }
      if (transport !== undefined) await this.#gather(transport);
    } finally {
      for (const n of this.nodes) n.runtime.close();
    }
    const ranks = [...this.#results.values()].sort((a, b) => a.rank - b.rank);
    const time = ranks.reduce((t, r) => Math.max(t, r.time), 0);
    const trace = this.#trace.sort((a, b) => a.time - b.time || a.rank - b.rank);
    if (this.#unlogged > 0) this.#log.push(`the log is full: ${this.#unlogged} lines were left out`);
    const links = this.#links.sort((a, b) => a.from - b.from || a.to - b.to);
    return { time, ranks, log: this.#log, trace, links };
  }

  /** A line for the log. Ranks that never stop talking do not fill the host's memory. */
  #note(line: string): void {
    if (this.#logged + line.length > LOG_LIMIT) {
      this.#unlogged++;
      return;
    }
    this.#logged += line.length + LINE_COST;
    this.#log.push(line);
  }

  #plan(time: number, run: () => void): this {
    this.#agenda.push({ time, run });
    this.#agenda.sort((a, b) => a.time - b.time);
    return this;
  }

  /** Only where nothing can hold up a program that is ahead already. */
  #mayRunAhead(): boolean {
    return !this.#isDirected && [...this.spec.devices.values()].every(({ module }) => module.holdsUp === false);
  }

  #make(rank: number, modules: ReadonlyMap<string, MessageModule>): JobNode {
    const o = this.#options;
    const queue = new EventQueue();
    const { clock } = o;
    const now = this.isVirtual || clock === undefined ? (): number => queue.time : (): number => clock.now();
    const log = (text: string): void => this.#note(`rank ${rank}: ${text}`);
    const runtime: Runtime = new Runtime(rank, {
      addresses: this.addresses,
      key: o.key ?? "job",
      seed: o.seed ?? 1,
      isVirtual: this.isVirtual,
      media: new Set(o.transport === undefined ? [] : [o.transport.medium]),
      limits: { ...DEFAULT_LIMITS, ...o.limits },
      spec: this.spec,
      modules,
      queue,
      now,
      backlog: () => this.isVirtual ? 0 : o.transport?.queued ?? 0,
      // In real time frames arrive when the loop next looks: its time will do, and keeps their order.
      transmit: (device, frame, delayNs) =>
        this.#transmit(device, frame, (this.isVirtual ? queue.time : this.#turn) + delayNs),
      emit: (event) => node.event(event),
      log,
      trace: (record) => void this.#trace.push(record),
    });
    const node: JobNode = o.node !== undefined
      ? o.node(rank, runtime, queue, { log, isVirtual: this.isVirtual })
      : new HostNode(runtime, queue, programOf(o, rank), log);
    return node;
  }

  #makeScheduler(): Scheduler {
    return new Scheduler({
      nodes: this.nodes,
      lookahead: this.#lookahead(),
      limit: () => this.#limit,
      mayRunAhead: () => this.#mayRunAhead(),
      transport: this.#options.transport,
      record: (from, record) => this.#record(from, record),
      agenda: this.#agendaView(),
      progress: (time) => this.#report(time),
    });
  }

  #report(time: number): void {
    if (this.#onProgress === undefined) return;
    const live = this.nodes.filter((n) => !n.isDone).length;
    const connections = this.nodes.flatMap((n) => n.runtime.connections);
    this.#onProgress({ time, live, messages: connections.reduce((sum, c) => sum + c.counters.sent, 0) });
  }

  /** Least latency of all networks. */
  #lookahead(): number {
    let least = Infinity;
    for (const name of this.#networks) {
      const latency = this.spec.devices.get(name)?.parameters["latencyNs"];
      least = Math.min(least, typeof latency === "number" ? Math.round(latency) : 0);
    }
    if (least > 0) return least;
    throw new ConfigError("message-spec", "Spec: in virtual time every network needs a latencyNs of at least 1");
  }

  #agendaView(): { next(): number; run(time: number): void } {
    return {
      next: () => this.#agenda[0]?.time ?? Infinity,
      run: (time) => {
        while (this.#agenda.length > 0 && this.#agenda[0].time <= time) this.#agenda.shift()?.run();
      },
    };
  }

  #transmit(device: string, frame: Frame, arrival: number): void {
    const { destination, source } = frame;
    const order = this.#orders[source]++;
    const node = this.#byRank.get(destination);
    this.#scheduler?.sent(arrival);
    if (node !== undefined) {
      // The peer gets its own copy: memories are private.
      const copy = { ...frame, payload: copyBytes(frame.payload) };
      node.queue.arrival(arrival, source, order, () => node.runtime.arrive(device, copy));
      return;
    }
    const { transport } = this.#options;
    const address = this.addresses[destination];
    if (transport === undefined || address === undefined) return;
    const number = this.#networks.indexOf(device);
    const scratch = transport.copies === true ? this.#scratch : undefined;
    transport.send(address.process, frameRecord({ device: number, arrival, order, frame }, scratch));
  }

  #record(from: number, record: ReturnType<typeof parseRecord>): void {
    if (record.kind === "frame") {
      const { device, arrival, order, frame } = record.value;
      const node = this.#byRank.get(frame.destination);
      const source = this.addresses[frame.source];
      const name = this.#networks[device];
      if (node === undefined || name === undefined || source === undefined || source.process !== from) this.#bad++;
      else {
        const time = this.isVirtual ? arrival : this.#turn;
        node.queue.arrival(time, frame.source, order, () => node.runtime.arrive(name, frame));
      }
    } else if (record.kind === "result") {
      const part = this.#parse(from, record.value);
      for (const r of part?.ranks ?? []) this.#results.set(r.rank, r);
      this.#links.push(...part?.links ?? []);
      if (part === undefined) this.#bad++;
      else this.#heard.add(from);
    } else this.#bad++;
  }

  /** Results of another process's ranks; undefined: they are no such thing. */
  #parse(from: number, text: string): PartResult | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return undefined;
    }
    const { ranks, links } = (value ?? {}) as Partial<PartResult>;
    const of = (rank: number | undefined): boolean => this.addresses[rank ?? -1]?.process === from;
    const fits = Array.isArray(ranks) && Array.isArray(links) && !this.#heard.has(from) &&
      ranks.every((r: RankResult | null) => of(r?.rank)) && links.every((l: LinkReport | null) => of(l?.from));
    return fits ? { ranks, links } : undefined;
  }

  async #real(): Promise<void> {
    const { clock, transport } = this.#options;
    if (clock === undefined) throw new ConfigError("message-clock", "Real time needs a clock; give clock");
    await runRealTime({
      nodes: this.nodes,
      clock,
      transport,
      limit: this.#limit,
      record: (from, record) => this.#record(from, record),
      agenda: this.#agendaView(),
      isOver: () => transport === undefined || this.#heard.size === transport.processes - 1,
      survives: () => this.#survives(),
      ended: () => transport !== undefined && this.#tell(transport),
      turn: (now) => void (this.#turn = now),
      progress: (now) => this.#report(now),
      isStopped: () => this.#stopped,
    });
  }

  /** Ranks of processes that were lost count as killed; false: the job cannot go on without them. */
  #survives(): boolean {
    const { transport, lostProcess, clock } = this.#options;
    if (lostProcess !== "go-on" || transport?.lost === undefined) return false;
    for (const [process, why] of transport.lost) {
      if (this.#heard.has(process)) continue;
      this.#heard.add(process);
      const error = `Process ${process} was lost: ${why}`;
      this.#note(error);
      const time = clock?.now() ?? 0;
      for (const { rank } of this.addresses.filter((a) => a.process === process)) {
        this.#results.set(rank, { rank, state: "killed", value: undefined, error, time });
        for (const node of this.nodes) if (!node.isDone) node.runtime.lost(rank);
      }
    }
    return true;
  }

  #tell(transport: Transport): void {
    const part: PartResult = { ranks: this.nodes.map((n) => n.result), links: linksOf(this.nodes) };
    const record = resultRecord(JSON.stringify(part));
    for (let p = 0; p < transport.processes; p++) if (p !== transport.process) transport.send(p, record);
  }

  #plain(): RankResult[] {
    return this.nodes.map((n) => JSON.parse(JSON.stringify(n.result)) as RankResult);
  }

  /** Every process learns the results of all. */
  async #gather(transport: Transport): Promise<void> {
    if (this.isVirtual) this.#tell(transport);
    while (this.#heard.size < transport.processes - 1) {
      const moved = transport.poll((from, bytes) => this.#record(from, parseRecord(bytes)));
      if (this.#heard.size >= transport.processes - 1) break;
      if (transport.broken !== undefined && !this.#survives()) {
        throw new ConfigError("message-transport", transport.broken);
      }
      if (moved === 0) await transport.sleep(this.#options.lostProcess === "go-on" ? 50 : 1000);
    }
  }
}

/** Makes a job. @throws {ConfigError} For everything that is wrong with it. */
export function job(options: JobOptions): Job {
  return new Job(options);
}
