/**
 * The networks that ship: how a frame gets to the peer's end of the same device. They differ in the medium between
 * processes; within one process all of them are a queue. In virtual time a frame arrives after the latency and the time
 * its bytes take; in real time at once.
 *
 * Not emulated here: contention between connections (see the filter `bandwidth`), overheads (see `loggp`). Warm.
 */
import { frameSize } from "./frame.ts";
import type { Link, LinkHost, MessageDevice, MessageModule, ModuleHost, Parameters } from "./module.ts";

/** Makes the module of a network. @param medium Carries frames between processes; undefined: none does. */
export function network(name: string, medium?: string): MessageModule {
  return {
    name,
    abi: 1,
    holdsUp: false,
    kind: "network",
    parameters: [
      { name: "latencyNs", type: "number", default: 1000, min: 1, max: 1e12 },
      { name: "bytesPerSecond", type: "number", default: 0, min: 0, max: 1e15 },
      { name: "maxFrame", type: "number", default: 65536, min: 64, max: 2 ** 24, integer: true },
    ],
    ...(medium === undefined ? {} : { medium }),
    create: (parameters, host) => makeNetwork(parameters, host, medium),
  };
}

function makeNetwork(parameters: Parameters, host: ModuleHost, medium: string | undefined): MessageDevice {
  const latencyNs = Math.round(Number(parameters["latencyNs"]));
  const rate = Number(parameters["bytesPerSecond"]);
  const maxFrame = Math.floor(Number(parameters["maxFrame"]));
  const reach = { latencyNs, bytesPerSecond: rate === 0 ? Infinity : rate, maxFrame };
  return {
    reach: (remote) =>
      remote.process === host.local.process || (medium !== undefined && host.media.has(medium)) ? reach : undefined,
    open: (link) => openNetwork(link, host, latencyNs, rate),
  };
}

function openNetwork(link: LinkHost, host: ModuleHost, latencyNs: number, rate: number): Link {
  let free = 0;
  let [sent, received] = [0, 0];
  return {
    down(frame): void {
      sent++;
      if (!host.isVirtual) return link.transmit(frame, 0);
      const now = host.now();
      free = Math.max(free, now) + (rate === 0 ? 0 : Math.ceil((frameSize(frame) * 1e9) / rate));
      link.transmit(frame, free - now + latencyNs);
    },
    up(frame): void {
      received++;
      link.up(frame);
    },
    control: (request) => request.kind === "query" ? { sent, received, latencyNs, bytesPerSecond: rate } : undefined,
  };
}
