/**
 * What each layer of a chain costs: CPU time of a message through both ends of a chain, in one thread, less that of the
 * chain without the layer. And EP over Workers. Cold.
 */
import { job, type LayerSpec, type MessageModule, type MessageRank, type MessageSpec } from "../../../mod.ts";
import { hostClock, runOnWorkers } from "../../../lib/host/mod.ts";
import { cpuTime } from "../measure.ts";

const JOBS = new URL("./jobs.ts", import.meta.url);
const MESSAGES = 2000;
const BATCHES = 5;
/** Names of filters that do nothing. */
const EMPTY = Array.from({ length: 8 }, (_, i) => `empty${i}`);

/** A filter that does nothing. */
const empty: MessageModule = {
  name: "empty",
  abi: 1,
  kind: "filter",
  parameters: [],
  create: () => ({ open: (host) => ({ down: (f) => host.down(f), up: (f) => host.up(f) }) }),
};

async function program(rank: MessageRank, size: number): Promise<number> {
  await rank.mesh();
  const c = rank.to(1 - rank.rank);
  const region = rank.register(new Uint8Array(size).map((_, i) => Math.imul(i, 0x9e3779b1) >>> 26));
  let best = Infinity;
  for (let batch = 0; batch < BATCHES; batch++) {
    const start = cpuTime();
    for (let i = 0; i < MESSAGES / 2; i++) {
      if (rank.rank === 1) await rank.receive();
      c.send([{ region, offset: 0, length: size }]);
      if (rank.rank === 0) await rank.receive();
    }
    best = Math.min(best, cpuTime() - start);
  }
  return (best * 1e6) / MESSAGES;
}

/** CPU time of a message in ns, through chains of these layers. */
async function cost(layers: readonly LayerSpec[], size: number): Promise<number> {
  const spec: MessageSpec = {
    devices: {
      delay: { module: "builtin:delay", parameters: { latencyUs: 0 } },
      loggp: { module: "builtin:loggp", parameters: { o: 0 } },
      bandwidth: { module: "builtin:bandwidth", parameters: { bytesPerSecond: 1e15 } },
      ...Object.fromEntries(EMPTY.map((name) => [name, { module: "empty" }])),
      one: { module: "builtin:loopback" },
      other: { module: "builtin:loopback" },
    },
    chains: [{ name: "c", layers: [...layers] }],
  };
  const result = await job({
    ranks: 2,
    time: "real",
    clock: hostClock(),
    modules: [empty],
    spec,
    program: (rank) => program(rank, size),
  }).run();
  const [{ value, error }] = result.ranks;
  if (error !== undefined) throw new Error(error);
  return Number(value);
}

/** Cost of a layer, ns a message. */
export interface LayerCost {
  /** Its name. */
  readonly name: string;
  /** ns a message, by {@linkcode LAYER_SIZES}. */
  readonly ns: readonly number[];
}

/** Sizes of the messages. */
export const LAYER_SIZES: readonly number[] = [8, 16384];

const FILTERS = "trace stats credit delay loggp bandwidth checksum compress encrypt reliable".split(" ");

/** The chain without any filter, then what each adds. */
export async function layerCosts(): Promise<LayerCost[]> {
  const bare: number[] = [];
  for (const size of LAYER_SIZES) bare.push(await cost(["one"], size));
  const out: LayerCost[] = [{ name: "no filter (whole)", ns: bare }];
  const chains: [string, LayerSpec[]][] = [
    ...FILTERS.map((f): [string, LayerSpec[]] => [f, [f, "one"]]),
    ["failover", [{ device: "failover", children: [["one"], ["other"]] }]],
    ["stripe", [{ device: "stripe", children: [["one"], ["other"]] }]],
  ];
  for (const [name, layers] of chains) {
    const ns: number[] = [];
    for (const [i, size] of LAYER_SIZES.entries()) ns.push(await cost(layers, size) - bare[i]);
    out.push({ name, ns });
  }
  return out;
}

/** ns a message through chains of 0, 1, 2, 4 and 8 empty filters. */
export async function chainLengths(): Promise<readonly (readonly [length: number, ns: number])[]> {
  const out: [number, number][] = [];
  for (const n of [0, 1, 2, 4, 8]) out.push([n, await cost([...EMPTY.slice(0, n), "one"], 8)]);
  return out;
}

/** Seconds EP takes in real time on 1 and 2 Workers. */
export async function epScaling(m = 24): Promise<readonly (readonly [workers: number, seconds: number])[]> {
  const out: [number, number][] = [];
  for (const workers of [1, 2]) {
    let best = Infinity;
    for (let i = 0; i < 3; i++) {
      const { ranks, time } = await runOnWorkers(JOBS, { workers, args: { job: "ep", nodes: 2, m, medium: "worker" } });
      if (ranks.some((r) => r.state !== "done")) throw new Error(JSON.stringify(ranks));
      best = Math.min(best, time / 1e9);
    }
    out.push([workers, best]);
  }
  return out;
}
