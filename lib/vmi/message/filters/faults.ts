/**
 * Filters that do harm: `drop`, `duplicate`, `reorder`, `corrupt`, and `outage`, a link that goes down and up. What they
 * do is decided by a hash of the job's seed, the pair, the layer and the number of the frame, never by a running
 * generator. Warm.
 */
import type { Extension, Frame } from "../frame.ts";
import type { Link, LinkHost, MessageModule, ModuleHost, ParameterRule, Parameters } from "../module.ts";
import { actsOn, chance, PAIR_RULES } from "./hold.ts";

const RULES: readonly ParameterRule[] = [
  { name: "probability", type: "number", default: 0.1, min: 0, max: 1 },
  { name: "skip", type: "number", default: 0, min: 0, max: 2 ** 53, integer: true },
  { name: "count", type: "number", default: 0, min: 0, max: 2 ** 53, integer: true },
  ...PAIR_RULES,
];

type Harm = (frame: Frame, draw: number, host: LinkHost, node: ModuleHost) => void;

/** A filter that harms some frames on their way down; `skip` frames are spared, at most `count` are harmed (0: all). */
function harmful(name: string, make: () => { harm: Harm; after?(host: LinkHost): void }): MessageModule {
  return {
    name,
    abi: 1,
    holdsUp: false,
    kind: "filter",
    parameters: RULES,
    create: (p, node) => ({ open: (host) => openHarm(p, node, host, make()) }),
  };
}

function openHarm(
  p: Parameters,
  node: ModuleHost,
  host: LinkHost,
  kind: { harm: Harm; after?(host: LinkHost): void },
): Link {
  const active = actsOn(p, host);
  let probability = Number(p["probability"]);
  const [skip, limit] = [Number(p["skip"]), Number(p["count"]) || Infinity];
  let [seen, harmed] = [0, 0];
  return {
    down(frame): void {
      const n = seen++;
      const draw = chance(node, host, n);
      if (active && n >= skip && harmed < limit && draw < probability) {
        harmed++;
        kind.harm(frame, Math.floor(chance(node, host, n + 2 ** 40) * 2 ** 32), host, node);
      } else {
        host.down(frame);
      }
      kind.after?.(host);
    },
    up: (frame) => host.up(frame),
    control(request) {
      if (request.kind === "set") {
        const { name, value } = request;
        if (name !== "probability" || typeof value !== "number" || !(value >= 0 && value <= 1)) return undefined;
        probability = value;
      }
      return { probability, seen, harmed };
    },
  };
}

/** Loses frames. */
export const drop: MessageModule = harmful("drop", () => ({ harm: () => {} }));

/** Sends frames twice. */
export const duplicate: MessageModule = harmful("duplicate", () => ({
  harm(frame, _draw, host): void {
    host.down(frame);
    host.down(frame);
  },
}));

/** Lets the next frame pass before this one; without a next one it goes after ten times the latency. */
export const reorder: MessageModule = harmful("reorder", () => {
  let held: Frame | undefined;
  let timer: { armAt(time: number): void; cancel(): void } | undefined;
  let fresh = false;
  const release = (host: LinkHost): void => {
    const frame = held;
    held = undefined;
    timer?.cancel();
    if (frame !== undefined) host.down(frame);
  };
  return {
    harm(frame, _draw, host, node): void {
      release(host);
      held = frame;
      fresh = true;
      timer ??= node.timer(() => release(host));
      timer.armAt(node.now() + 10 * Math.max(1000, host.reach.latencyNs));
    },
    after(host): void {
      if (!fresh) release(host);
      fresh = false;
    },
  };
});

/** Changes one bit of the payload, or of an extension if there is no payload. */
export const corrupt: MessageModule = harmful("corrupt", () => ({
  harm: (frame, draw, host) => host.down(flip(frame, draw)),
}));

function flip(frame: Frame, draw: number): Frame {
  if (frame.payload.length > 0) return { ...frame, payload: flipBit(frame.payload, draw) };
  const at = frame.extensions.findIndex((e) => e.data.length > 0);
  if (at < 0) return frame;
  const damage = (e: Extension, i: number): Extension => i === at ? { type: e.type, data: flipBit(e.data, draw) } : e;
  return { ...frame, extensions: frame.extensions.map(damage) };
}

function flipBit(bytes: Uint8Array, draw: number): Uint8Array {
  const out = bytes.slice();
  const bit = draw % (8 * out.length);
  out[bit >> 3] ^= 1 << (bit & 7);
  return out;
}

/**
 * A link that goes down: at times (`windowsUs`, a list of [from, to]), in a rhythm (`periodUs`, down for the last
 * `downUs` of each), after a number of frames (`afterFrames`, for `downUs`, 0: for ever), or by `set up false`.
 */
export const outage: MessageModule = {
  name: "outage",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "windowsUs", type: "list", default: [], items: "range" },
    { name: "periodUs", type: "number", default: 0, min: 0, max: 1e12 },
    { name: "downUs", type: "number", default: 0, min: 0, max: 1e12 },
    { name: "afterFrames", type: "number", default: 0, min: 0, max: 2 ** 53, integer: true },
    { name: "up", type: "boolean", default: true },
    ...PAIR_RULES,
  ],
  check: ({ periodUs, downUs, afterFrames }) => {
    if (Number(periodUs) > 0 && Number(downUs) > Number(periodUs)) {
      return `downUs is ${downUs}, longer than the period of ${periodUs} it is a part of`;
    }
    if (Number(periodUs) > 0 && downUs === 0) return "periodUs needs downUs, how long of each period the link is down";
    return Number(downUs) > 0 && periodUs === 0 && afterFrames === 0
      ? "downUs belongs to periodUs or afterFrames; for given times use windowsUs"
      : undefined;
  },
  create: (p, node) => ({ open: (host) => openOutage(p, node, host) }),
};

function openOutage(p: Parameters, node: ModuleHost, host: LinkHost): Link {
  const active = actsOn(p, host);
  const [period, down, after] = ["periodUs", "downUs", "afterFrames"].map((k) => Number(p[k]));
  const windows = windowsOf(p["windowsUs"]);
  let up = p["up"] === true;
  let [seen, lost, broke] = [0, 0, -1];
  const isDown = (): boolean => {
    if (!active) return false;
    const us = node.now() / 1000;
    if (!up || windows.some(([from, to]) => us >= from && us < to)) return true;
    if (period > 0 && us % period >= period - down) return true;
    return broke >= 0 && (down === 0 || us < broke + down);
  };
  const pass = (frame: Frame, go: (frame: Frame) => void): void => {
    seen++;
    if (after > 0 && seen > after && broke < 0) broke = node.now() / 1000;
    if (isDown()) lost++;
    else go(frame);
  };
  return {
    down: (frame) => pass(frame, host.down),
    up: (frame) => pass(frame, host.up),
    control(request) {
      if (request.kind === "set") {
        if (request.name !== "up" || typeof request.value !== "boolean") return undefined;
        up = request.value;
      }
      return { up: !isDown(), seen, lost };
    },
  };
}

function windowsOf(value: unknown): readonly (readonly [number, number])[] {
  if (!Array.isArray(value)) return [];
  return value.filter((w) => Array.isArray(w) && w.length === 2).map((w) => [Number(w[0]), Number(w[1])] as const);
}
