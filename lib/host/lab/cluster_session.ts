/**
 * What the lab page asks, done to a cluster in virtual time. A job runs once, but the same job does the same again: the
 * cluster at a time is a new one that has run up to it. So there is no difference between a step and a step back, and a
 * step takes as long as the whole way. Steps are microseconds here. Cold.
 *
 * Not emulated: typing, breakpoints, calls to a hypervisor; real time, several processes.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import type { Machine } from "../../machine/machine.ts";
import type { Cluster } from "../../machine/message/cluster.ts";
import { GuestNode } from "../../machine/message/guest_node.ts";
import type { RankResult } from "../../vmi/message/node.ts";
import { timeline } from "../../vmi/message/timeline.ts";
import { pageMap } from "./page_map.ts";
import type { LabMessages, LabRequest, LabState } from "./protocol.ts";
import type { LabSubject } from "./session.ts";
import { codeOf, flagsOf, memoryOf, registersOf, screenOf } from "./view.ts";

/** Messages shown. */
const SHOWN = 400;
/** Lines on ranks and of the log. */
const MOST_LINES = 64;
const NS = 1000;

/** A cluster in the lab. */
export class LabCluster implements LabSubject {
  /** See {@linkcode LabSubject.serial}. */
  readonly serial: undefined = undefined;
  /** See {@linkcode LabSubject.era}. */
  era = 0;
  readonly #make: () => Cluster;
  #job: Cluster;
  #run: Promise<void> | undefined;
  #stop: () => void = () => {};
  #log: readonly string[] = [];
  #said = "at the beginning";
  /** Time come to, ns. */
  #time = 0;
  #at = 0;
  #memory = 0;
  #entry = -1;
  /** Trace records counted, and messages among them. */
  #counted = 0;
  #sent = 0;

  /**
   * Begins at time 0. @param make Makes the cluster anew; it must be the same each time.
   * @throws {ConfigError} lab-time: it is not in virtual time.
   */
  constructor(make: () => Cluster) {
    this.#make = make;
    this.#job = make();
    if (this.#job.isVirtual) return;
    throw new ConfigError(
      "lab-time",
      "The lab shows clusters in virtual time only; leave time out, or make it virtual",
    );
  }

  /** See {@linkcode LabSubject.handle}. */
  async handle(request: LabRequest): Promise<void> {
    switch (request.do) {
      case "run":
        return this.#run === undefined ? await this.#goTo(Infinity) : undefined;
      case "pause":
        return await this.#pause();
      case "step":
        return await this.#goTo(this.#time + request.count * NS);
      case "back":
        return await this.#goTo(Math.max(0, this.#time - request.count * NS));
      case "restart":
        return await this.#goTo(0);
      case "look":
        this.#at = Math.min(request.at, this.#job.nodes.length - 1);
        return;
      case "pages":
        this.#entry = request.entry;
        return;
      case "memory":
        this.#memory = request.at;
    }
  }

  /** See {@linkcode LabSubject.state}. */
  state(): LabState {
    const m = this.#machine();
    const cpu: CpuView | undefined = m?.cpu;
    return {
      kind: "state",
      running: this.#run !== undefined,
      said: this.#said,
      position: cpu?.instructions ?? 0,
      seconds: this.#time / 1e9,
      at: this.#at,
      choices: this.#job.nodes.map((n) => `rank ${n.runtime.rank}`),
      registers: cpu === undefined ? [] : registersOf(cpu),
      flags: cpu === undefined ? "" : flagsOf(cpu),
      code: m === undefined || cpu === undefined ? [] : codeOf(m, cpu),
      breakpoints: [],
      memory: m === undefined || cpu === undefined ? [] : memoryOf(m, cpu, this.#memory),
      pages: m === undefined || cpu === undefined
        ? { mode: "off", directory: "", span: 0, entry: -1, pages: "", ranges: [] }
        : pageMap(m, cpu, this.#entry),
      screen: m === undefined ? "" : screenOf(m),
      hypervisor: "",
      callCount: 0,
      calls: [],
      messages: this.#messages(),
    };
  }

  /** See {@linkcode LabSubject.close}. */
  async close(): Promise<void> {
    await this.#pause();
  }

  /** The machine of the rank that is shown; `undefined`: it is a host-side program. */
  #machine(): Machine | undefined {
    const node = this.#job.nodes[this.#at];
    return node instanceof GuestNode ? node.machine : undefined;
  }

  #messages(): LabMessages {
    const { seen, nodes } = this.#job;
    for (; this.#counted < seen.length; this.#counted++) {
      if (seen[this.#counted].direction === "down") this.#sent++;
    }
    const lines = [...nodes.slice(0, MOST_LINES).map((n) => rankLine(n.result)), ...this.#log.slice(-MOST_LINES)];
    // A message has two records, and others lie between them.
    return { ranks: nodes.length, count: this.#sent, last: timeline(seen.slice(-4 * SHOWN)).slice(-SHOWN), lines };
  }

  /** Makes the cluster anew and lets it run up to a time, ns. */
  async #goTo(until: number): Promise<void> {
    await this.#pause();
    const job = this.#job = this.#make();
    this.#log = [];
    [this.#counted, this.#sent, this.#time, this.#said] = [0, 0, 0, "running"];
    this.#run = this.#runTo(job, until);
    await this.#run;
  }

  async #runTo(job: Cluster, until: number): Promise<void> {
    let isStopped = false;
    this.#stop = (): void => {
      isStopped = true;
      job.stop();
    };
    await new Promise((resolve) => setTimeout(resolve, 0)); // the page shows that it runs
    try {
      const result = await job.run({ untilNs: until, onProgress: ({ time }) => this.#time = time });
      const isOver = result.ranks.every((r) => r.state !== "blocked");
      this.#time = until === Infinity || isStopped || isOver ? result.time : until;
      this.#log = result.log;
      this.#said = isOver ? endOf(result.ranks) : isStopped ? "paused" : timeWords(until);
    } finally {
      this.#run = undefined;
      this.#stop = (): void => {};
    }
  }

  async #pause(): Promise<void> {
    while (this.#run !== undefined) {
      this.#stop();
      await this.#run;
    }
  }
}

function timeWords(until: number): string {
  if (until === Infinity) return "the ranks wait for ever";
  return until === 0 ? "at the beginning" : `at ${until / NS} us`;
}

function endOf(ranks: readonly RankResult[]): string {
  const failed = ranks.filter((r) => r.state !== "done");
  return failed.length === 0 ? "every rank is done" : `${failed.length} ranks failed`;
}

function rankLine({ rank, state, time, value, error }: RankResult): string {
  const words = state === "blocked" ? "at work or waiting" : state;
  const more = value === undefined ? "" : ` ${JSON.stringify(value)?.slice(0, 80)}`;
  return `rank ${rank}: ${words} at ${(time / NS).toFixed(3)} us${more}${error === undefined ? "" : ` ${error}`}`;
}
