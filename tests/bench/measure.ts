/**
 * Measuring for benchmarks: the least CPU time of several repetitions, and lines that read side by side. CPU time of the
 * process, because a shared host's wall clock says little; it includes what the engine compiles in the background.
 */
import process from "node:process";

/** CPU time of this process so far, milliseconds. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Least CPU milliseconds of one call of `fn`, over `repeat` calls after one that is not counted. */
export function least(fn: () => void, repeat = 7): number {
  fn();
  let best = Infinity;
  for (let i = 0; i < repeat; i++) {
    const start = cpuTime();
    fn();
    best = Math.min(best, cpuTime() - start);
  }
  return best;
}

/** Prints one figure, with its relation to a target where `target` is given (above 1 is better than the target). */
export function figure(what: string, value: number, unit: string, target?: number, smallerIsBetter = false): void {
  const ratio = target === undefined ? undefined : smallerIsBetter ? target / value : value / target;
  const tail = ratio === undefined ? "" : `   ${ratio.toFixed(2)} x the target of ${target}`;
  console.log(`${what.padEnd(58)} ${value.toPrecision(3).padStart(10)} ${unit}${tail}`);
}

/** Prints how often a second `count` things happen when they take `ms`, in millions. */
export function rate(what: string, count: number, ms: number, target?: number): void {
  figure(what, count / ms / 1000, "M/s", target);
}
