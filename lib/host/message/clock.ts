/** The host's clock for jobs in real time. Cold. */
import { setImmediate } from "node:timers";
import type { HostClock } from "../../vmi/message/real_time.ts";

/** Makes a clock that begins now. */
export function hostClock(): HostClock {
  const start = performance.now();
  return {
    now: () => (performance.now() - start) * 1e6,
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    turn: () => new Promise((resolve) => void setImmediate(resolve)),
  };
}
