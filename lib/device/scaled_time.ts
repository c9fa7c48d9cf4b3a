/**
 * Exact conversion between clock ticks and the cycles of a device's own crystal: integers only, so that nothing drifts.
 *
 * A device cycle `k` begins at the first tick `t` with `floor(t * rate / hz) >= k`. Products beyond 2^53 are split by
 * whole seconds of the clock: `t = s * hz + r`. Warm.
 */
import { ConfigError } from "../core/errors.ts";

/** A crystal of `num / den` Hz seen from a clock of `hz` ticks per second. */
export interface ScaledTime {
  /** Device cycles that have begun by a tick. */
  cycles(tick: number): number;
  /** First tick at which {@linkcode ScaledTime.cycles} is at least `cycle`. */
  tick(cycle: number): number;
}

/** Makes one. @throws {ConfigError} clock-frequency: the clock is too fast for exact arithmetic. */
export function scaledTime(hz: number, rate: number): ScaledTime {
  if (hz * rate > Number.MAX_SAFE_INTEGER) {
    throw new ConfigError(
      "clock-frequency",
      `A clock of ${hz} Hz is too fast for exact timing of a ${rate} Hz device; use at most ${
        Math.floor(Number.MAX_SAFE_INTEGER / rate)
      } Hz`,
    );
  }
  return {
    cycles(tick: number): number {
      const seconds = Math.floor(tick / hz);
      return seconds * rate + floorDiv((tick - seconds * hz) * rate, hz);
    },
    tick(cycle: number): number {
      const seconds = Math.floor(cycle / rate);
      return seconds * hz + floorDiv((cycle - seconds * rate) * hz + rate - 1, rate);
    },
  };
}

/** Quotient of two exact integers below 2^53, rounded down; the remainder operator is exact where division is not. */
function floorDiv(a: number, b: number): number {
  return (a - a % b) / b;
}
