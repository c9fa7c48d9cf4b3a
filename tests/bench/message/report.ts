/** The message benchmarks as tables. Cold. */
import { GUEST_SIZES, SIZES } from "./jobs.ts";
import { chainLengths, epScaling, LAYER_SIZES, type LayerCost, layerCosts } from "./layers.ts";
import { loopback, type MediumResult, mpi, tcp, workers } from "./media.ts";

/** Everything that was measured. */
export interface MessageBench {
  /** Media. */
  readonly media: readonly MediumResult[];
  /** Layers. */
  readonly layers: readonly LayerCost[];
  /** Empty filters. */
  readonly lengths: readonly (readonly [length: number, ns: number])[];
  /** EP over Workers. */
  readonly ep: readonly (readonly [workers: number, seconds: number])[];
}

/** Measures all. @param say Told what goes on. */
export async function messageBench(say: (text: string) => void): Promise<MessageBench> {
  const media: MediumResult[] = [];
  for (const [name, run] of Object.entries({ loopback, workers, tcp, mpi })) {
    say(`message: ${name}`);
    const result = await run();
    if (result !== undefined) media.push(result);
  }
  say("message: layers");
  const layers = await layerCosts();
  const lengths = await chainLengths();
  say("message: EP");
  return { media, layers, lengths, ep: await epScaling() };
}

const shown = (n: number | undefined): string =>
  n === undefined ? "" : n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2);

function rows(head: readonly string[], body: readonly (readonly string[])[]): string {
  const rule = head.map((_, i) => i === 0 ? "---" : "---:");
  return [head, rule, ...body].map((r) => `| ${r.join(" | ")} |`).join("\n");
}

/** Tables in Markdown. */
export function messageTables(b: MessageBench): string {
  const columns = b.media.flatMap((m) => m.bare === undefined ? [m.medium] : [m.medium, `bare ${m.medium}`]);
  const latency = SIZES.map((size, i) => [
    String(size),
    ...b.media.flatMap((m) => [shown(m.osu.latency[i]), ...(m.bare === undefined ? [] : [shown(m.bare[i])])]),
  ]);
  const bandwidth = SIZES.map((size, i) => [String(size), ...b.media.map((m) => shown(m.osu.bandwidth[i]))]);
  const guest = GUEST_SIZES.map((size, i) => [String(size), ...b.media.map((m) => shown(m.guest[i] / 1000))]);
  const names = b.media.map((m) => m.medium);
  const [one] = b.ep;
  return [
    "Half round trip, us:\n",
    rows(["bytes", ...columns], latency),
    "\nBandwidth of windows of 64 messages, MB/s (10^6):\n",
    rows(["bytes", ...names], bandwidth),
    "\nHalf round trip between two emulated machines, us:\n",
    rows(["bytes", ...names], guest),
    "\nCPU time a message and layer, both ends, ns:\n",
    rows(
      ["layer", ...LAYER_SIZES.map((s) => `${s} bytes`)],
      b.layers.map((l) => [l.name, ...l.ns.map((n) => n.toFixed(0))]),
    ),
    "\nEmpty filters in the chain, CPU time of a message of 8 bytes, ns:\n",
    rows(["filters", ...b.lengths.map(([n]) => String(n))], [["ns", ...b.lengths.map(([, ns]) => ns.toFixed(0))]]),
    "\nEP class S, two ranks in real time:\n",
    rows(["Workers", "s", "speed-up"], b.ep.map(([n, s]) => [String(n), s.toFixed(2), (one[1] / s).toFixed(2)])),
  ].join("\n");
}
