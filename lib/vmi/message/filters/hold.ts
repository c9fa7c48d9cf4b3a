/**
 * What the filters share: a queue of frames that are let go at given times in their order, chance that does not depend
 * on the host, and the choice of pairs. Warm.
 */
import type { LayerTimer } from "../event_queue.ts";
import { type Frame, WAITING_FRAME } from "../frame.ts";
import type { LinkHost, ModuleHost, ParameterRule, Parameters } from "../module.ts";

/** Holds frames until their time; order is kept. */
export class Hold {
  readonly #release: (frame: Frame) => void;
  readonly #timer: LayerTimer;
  readonly #host: ModuleHost;
  readonly #held: { readonly frame: Frame; readonly time: number }[] = [];
  #bytes = 0;
  #last = 0;

  /** Makes one. @param host The node. @param release Where frames go. */
  constructor(host: ModuleHost, release: (frame: Frame) => void) {
    this.#host = host;
    this.#release = release;
    this.#timer = host.timer(() => this.#fire());
  }

  /** Payload bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes held, each frame's own cost included. */
  get queued(): number {
    return this.#bytes + this.#held.length * WAITING_FRAME;
  }

  /** Lets a frame go at `time`, but not before an earlier one. */
  add(frame: Frame, time: number): void {
    const at = Math.max(time, this.#last, this.#host.now());
    this.#last = at;
    if (this.#held.length === 0 && at === this.#host.now()) return this.#release(frame);
    this.#held.push({ frame, time: at });
    this.#bytes += frame.payload.length;
    if (this.#held.length === 1) this.#timer.armAt(at);
  }

  /** Lets all go now. */
  flush(): void {
    this.#timer.cancel();
    for (const { frame } of this.#held.splice(0)) {
      this.#bytes -= frame.payload.length;
      this.#release(frame);
    }
  }

  /** Forgets all. */
  close(): void {
    this.#timer.cancel();
    this.#held.length = 0;
    this.#bytes = 0;
  }

  #fire(): void {
    const now = this.#host.now();
    while (this.#held.length > 0 && this.#held[0].time <= now) {
      const first = this.#held.shift();
      if (first === undefined) break;
      this.#bytes -= first.frame.payload.length;
      this.#release(first.frame);
    }
    if (this.#held.length > 0) this.#timer.armAt(this.#held[0].time);
  }
}

/** A number in [0, 1) made of the job's seed, the pair, the layer and `n`. */
export function chance(node: ModuleHost, link: LinkHost, n: number): number {
  let h = 0x811c9dc5;
  for (const word of [node.seed, link.local.rank, link.remote.rank, link.layer, n, Math.floor(n / 2 ** 32)]) {
    for (let i = 0; i < 4; i++) h = Math.imul(h ^ ((word >>> (8 * i)) & 0xff), 0x01000193);
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Parameters that choose which pairs a filter acts on. */
export const PAIR_RULES: readonly ParameterRule[] = [
  { name: "pairs", type: "list", default: [], items: "ranks" },
  { name: "crossCluster", type: "boolean", default: false },
];

/** Does a filter act on this pair? `pairs` is a list of [rank, rank]; empty: all. */
export function actsOn(p: Parameters, link: LinkHost): boolean {
  if (p["crossCluster"] === true && link.local.cluster === link.remote.cluster) return false;
  const pairs = p["pairs"];
  if (!Array.isArray(pairs) || pairs.length === 0) return true;
  const [a, b] = [link.local.rank, link.remote.rank];
  return pairs.some((pair: unknown) =>
    Array.isArray(pair) && ((pair[0] === a && pair[1] === b) || (pair[0] === b && pair[1] === a))
  );
}
