/**
 * Filters that only look: `trace` reports each frame to the job, `stats` counts. Warm.
 */
import { FrameType } from "../../../spec/message_abi.ts";
import { crc32c } from "../crc32c.ts";
import type { Frame } from "../frame.ts";
import { frameSize } from "../frame.ts";
import type { Link, MessageModule } from "../module.ts";

/** Reports every frame; `snap` bytes of the payload are shown. */
export const trace: MessageModule = {
  name: "trace",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "snap", type: "number", default: 0, min: 0, max: 65536, integer: true },
    { name: "types", type: "list", default: [], items: "number" },
  ],
  check({ types }) {
    const known: readonly number[] = Object.values(FrameType);
    const wrong = Array.isArray(types) ? types.find((t) => !known.includes(Number(t))) : undefined;
    return wrong === undefined ? undefined : `there are no frames of type ${wrong}`;
  },
  create(p, node) {
    const snap = Number(p["snap"]);
    const types = new Set(Array.isArray(p["types"]) ? p["types"] : []);
    return {
      open(host): Link {
        const report = (direction: "down" | "up", frame: Frame): void => {
          if (types.size > 0 && !types.has(frame.type)) return;
          const { source, destination, type, sequence, payload } = frame;
          const hex = [...payload.subarray(0, snap)].map((b) => b.toString(16).padStart(2, "0")).join("");
          node.trace({
            time: node.now(),
            device: node.name,
            rank: node.local.rank,
            direction,
            source,
            destination,
            type,
            sequence,
            length: payload.length,
            hash: crc32c(payload),
            ...(snap === 0 ? {} : { data: hex }),
          });
        };
        return {
          down(frame): void {
            report("down", frame);
            host.down(frame);
          },
          up(frame): void {
            report("up", frame);
            host.up(frame);
          },
        };
      },
    };
  },
};

/** Counts frames and bytes and sorts latencies into powers of two of a microsecond. */
export const stats: MessageModule = {
  name: "stats",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [],
  create: (_p, node) => ({
    open(host): Link {
      const count = { framesDown: 0, bytesDown: 0, framesUp: 0, bytesUp: 0, latencySumNs: 0, latencyMaxNs: 0 };
      const histogram = new Array<number>(32).fill(0);
      return {
        down(frame): void {
          count.framesDown++;
          count.bytesDown += frameSize(frame);
          host.down(frame);
        },
        up(frame): void {
          count.framesUp++;
          count.bytesUp += frameSize(frame);
          const latency = Math.max(0, node.now() - frame.sentAt);
          count.latencySumNs += latency;
          count.latencyMaxNs = Math.max(count.latencyMaxNs, latency);
          histogram[Math.min(31, Math.floor(Math.log2(1 + latency / 1000)))]++;
          host.up(frame);
        },
        control: (r) => r.kind === "query" ? { ...count, histogram: histogram.slice() } : undefined,
      };
    },
  }),
};
