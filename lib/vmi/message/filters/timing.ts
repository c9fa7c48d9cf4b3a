/**
 * Filters that take time: `delay`, `loggp`, `bandwidth`. All keep order. `loggp` is the model of Alexandrov, Ionescu,
 * Schauser and Scheiman (1995): latency L, overhead o at either end, gap g between messages, gap G per byte; its L
 * contains the latency of the network below. The processor is one for all connections of a node: what it sends costs the
 * node's program the overhead, in virtual time; what it receives is handed over when the overhead is paid.
 *
 * The presets are plausible values for the years 2002 to 2005, no measurements of this toolkit. Warm.
 */
import { type Frame, frameSize } from "../frame.ts";
import type { Link, MessageModule, ModuleHost, Parameters } from "../module.ts";
import { actsOn, chance, Hold, PAIR_RULES } from "./hold.ts";

const PASS_UP = { queued: 0 };

/** Holds frames for a latency and a chance part of it. */
export const delay: MessageModule = {
  name: "delay",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "latencyUs", type: "number", min: 0, max: 1e9 },
    { name: "jitterUs", type: "number", default: 0, min: 0, max: 1e9 },
    ...PAIR_RULES,
  ],
  create: (p, node) => ({
    open(host): Link {
      let latency = actsOn(p, host) ? Number(p["latencyUs"]) * 1000 : 0;
      const jitter = actsOn(p, host) ? Number(p["jitterUs"]) * 1000 : 0;
      const hold = new Hold(node, (f) => host.down(f));
      let n = 0;
      return {
        down: (f) => hold.add(f, node.now() + Math.round(latency + jitter * chance(node, host, n++))),
        up: (f) => host.up(f),
        get queued(): number {
          return hold.queued;
        },
        get latencyNs(): number {
          return latency;
        },
        control(request) {
          if (request.kind === "set") {
            if (request.name !== "latencyUs" || typeof request.value !== "number" || request.value < 0) {
              return undefined;
            }
            latency = request.value * 1000;
          }
          return { latencyUs: latency / 1000, jitterUs: jitter / 1000, passed: n };
        },
        quiesce: () => hold.flush(),
        close: () => hold.close(),
      };
    },
  }),
};

/** L, o, g in us and G in ns a byte. */
export const LOGGP_PRESETS: { readonly [name: string]: readonly [L: number, o: number, g: number, G: number] } = {
  "shm": [0.5, 0.3, 0.3, 1.0],
  "infiniband-4x": [4, 0.8, 1.0, 1.2],
  "myrinet-2000": [6, 0.7, 1.5, 4.1],
  "gige-tcp": [25, 8, 10, 9.0],
  "wan-1ms": [1000, 8, 10, 9.0],
};

/** The LogGP model. */
export const loggp: MessageModule = {
  name: "loggp",
  abi: 1,
  holdsUp: true,
  kind: "filter",
  parameters: [
    { name: "preset", type: "string", default: "", choices: ["", ...Object.keys(LOGGP_PRESETS)] },
    { name: "L", type: "number", default: 0, min: 0, max: 1e9 },
    { name: "o", type: "number", default: 0, min: 0, max: 1e9 },
    { name: "g", type: "number", default: 0, min: 0, max: 1e9 },
    { name: "G", type: "number", default: 0, min: 0, max: 1e9 },
    ...PAIR_RULES,
  ],
  create(p, node) {
    const preset = LOGGP_PRESETS[String(p["preset"])] ?? [0, 0, 0, 0];
    const [l, o, g] = ["L", "o", "g"].map((k, i) => (Number(p[k]) || preset[i]) * 1000);
    const perByte = Number(p["G"]) || preset[3];
    let [processor, wire] = [0, 0];
    return {
      open(host): Link {
        if (!actsOn(p, host)) return { ...PASS_UP, down: (f) => host.down(f), up: (f) => host.up(f) };
        const out = new Hold(node, (f) => host.down(f));
        const into = new Hold(node, (f) => host.up(f));
        return {
          down(f): void {
            const bytes = Math.max(0, f.payload.length - 1) * perByte;
            processor = Math.max(node.now(), processor) + o;
            node.busy(processor);
            const departs = Math.max(processor, wire);
            wire = departs + Math.max(g, bytes);
            out.add(f, Math.round(departs + Math.max(0, l - host.reach.latencyNs) + bytes));
          },
          up(f): void {
            processor = Math.max(node.now(), processor) + o;
            into.add(f, Math.round(processor));
          },
          get queued(): number {
            return out.queued;
          },
          latencyNs: Math.max(0, l - host.reach.latencyNs) + 2 * o,
          control: (r) => r.kind === "query" ? { L: l / 1000, o: o / 1000, g: g / 1000, G: perByte } : undefined,
          quiesce(): void {
            out.flush();
            into.flush();
          },
          close(): void {
            out.close();
            into.close();
          },
        };
      },
    };
  },
};

/** A token bucket; `shared`: all connections of a node draw from one. */
export const bandwidth: MessageModule = {
  name: "bandwidth",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "bytesPerSecond", type: "number", min: 1, max: 1e15 },
    { name: "burst", type: "number", default: 0, min: 0, max: 2 ** 40 },
    { name: "shared", type: "boolean", default: false },
    ...PAIR_RULES,
  ],
  create(p, node) {
    const common = bucket(p, node);
    return {
      open(host): Link {
        if (!actsOn(p, host)) return { ...PASS_UP, down: (f) => host.down(f), up: (f) => host.up(f) };
        const when = p["shared"] === true ? common : bucket(p, node);
        const hold = new Hold(node, (f) => host.down(f));
        return {
          down: (f) => hold.add(f, when(f)),
          up: (f) => host.up(f),
          get queued(): number {
            return hold.queued;
          },
          control: (r) =>
            r.kind === "query" ? { bytesPerSecond: Number(p["bytesPerSecond"]), held: hold.bytes } : undefined,
          quiesce: () => hold.flush(),
          close: () => hold.close(),
        };
      },
    };
  },
};

/** When a frame has left a bucket that it goes through. */
function bucket(p: Parameters, node: ModuleHost): (frame: Frame) => number {
  const perByte = 1e9 / Number(p["bytesPerSecond"]);
  const burst = Number(p["burst"]) * perByte;
  let full = 0; // time at which the bucket would be empty of debt
  return (frame) => {
    const now = node.now();
    full = Math.max(full, now - burst) + frameSize(frame) * perByte;
    return Math.round(Math.max(now, full));
  };
}
