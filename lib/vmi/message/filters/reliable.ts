/**
 * Filter `reliable`: every frame arrives once and in order, or the connection fails with `peerGone` after
 * `maximumRetries` without an answer. Place it above what loses, repeats, reorders and (with `checksum` between)
 * corrupts. Warm.
 */
import { FrameType, MessageStatus } from "../../../spec/message_abi.ts";
import type { Link, MessageModule } from "../module.ts";
import { Arq } from "./arq.ts";

/** Least time to wait for an answer in real time, where event loops have other things to do; ns. */
export const REAL_TIMEOUT = 50_000_000;

/** The module. */
export const reliable: MessageModule = {
  name: "reliable",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "window", type: "number", default: 64, min: 1, max: 64, integer: true },
    { name: "timeoutUs", type: "number", default: 0, min: 0, max: 1e9 },
    { name: "maximumRetries", type: "number", default: 16, min: 1, max: 1000, integer: true },
  ],
  create: (p, node) => ({
    open(host): Link {
      const latency = Math.max(1000, host.reach.latencyNs);
      const given = Number(p["timeoutUs"]) * 1000;
      const arq: Arq = new Arq({
        node,
        window: Number(p["window"]),
        firstTimeout: given > 0 ? given : 6 * latency,
        leastTimeout: given > 0 ? given : node.isVirtual ? 4 * latency : REAL_TIMEOUT,
        bytesPerSecond: () => host.reach.bytesPerSecond,
        answerDelay: node.isVirtual ? latency / 2 : 1_000_000,
        transmit: (frame, header) => host.down(host.mark(frame, header)),
        answer: (header) => host.down(host.make(FrameType.ack, header)),
        deliver: (frame) => host.up(frame),
        timeout(tries): void {
          if (tries <= Number(p["maximumRetries"])) arq.resend();
          else {
            arq.close();
            host.fail(MessageStatus.peerGone);
          }
        },
        progress: () => {},
      });
      return {
        down: (frame) => arq.send(frame),
        up(frame): void {
          const own = host.unmark(frame);
          if (own !== undefined) arq.received(own.frame, own.data);
        },
        get queued(): number {
          return arq.queued;
        },
        control: (r) => r.kind === "query" ? { ...arq.counters, unacknowledged: arq.unacknowledged } : undefined,
        close: () => arq.close(),
      };
    },
  }),
};
