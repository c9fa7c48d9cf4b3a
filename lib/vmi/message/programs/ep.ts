/**
 * NAS Parallel Benchmark EP, "embarrassingly parallel": 2^M pairs of random numbers become Gaussian deviates by the
 * acceptance method, which are counted by square annuli. The ranks share the pairs and meet in three reductions.
 * Constants and expected sums: NAS reports RNR-94-007 and NAS-95-020; those of the small sizes were computed for this
 * toolkit. Cold, but for the inner loop.
 */
import { ConfigError } from "../../../core/errors.ts";
import type { MessageRank } from "../rank.ts";
import { NpbRandom } from "./npb_random.ts";

/** Expected sums by M. Classes: 24 is S, 25 W, 28 A. */
export const EP_SUMS: ReadonlyMap<number, readonly [x: number, y: number]> = new Map([
  [16, [77.72321454195500, 27.90554015472258]],
  [18, [187.3198969612173, -379.7408336054119]],
  [20, [674.1650709778503, -150.8139842420406]],
  [24, [-3247.834652034740, -6958.407078382297]],
  [25, [-2863.319731645753, -6320.053679109499]],
  [28, [-4295.875165629892, -15807.32573678431]],
]);

/** What EP found. */
export interface EpResult {
  /** Sum of the first deviates. */
  readonly sx: number;
  /** Sum of the second deviates. */
  readonly sy: number;
  /** Pairs accepted. */
  readonly accepted: number;
  /** Pairs by annulus. */
  readonly annuli: readonly number[];
  /** Do the sums agree with the published ones to 1e-8? */
  readonly verified: boolean;
}

const SEED = 271828183;
/** Pairs of a block: what is handed out to ranks. */
const BLOCK = 2 ** 12;
/** Virtual time a pair takes, ns. */
const PAIR_NS = 60;

/** Makes the program. @param m Log2 of the number of pairs, 16 to 30. @throws {ConfigError} message-program */
export function ep(m: number): (rank: MessageRank) => Promise<EpResult> {
  if (!Number.isInteger(m) || m < 16 || m > 30) {
    throw new ConfigError("message-program", `EP takes 2^16 to 2^30 pairs, not 2^${m}`);
  }
  return async (rank) => {
    await rank.mesh();
    const sums = new Float64Array(2);
    const counts = new Int32Array(10);
    const blocks = 2 ** m / BLOCK;
    const [from, to] = [
      Math.floor((blocks * rank.rank) / rank.size),
      Math.floor((blocks * (rank.rank + 1)) / rank.size),
    ];
    block(from * BLOCK, (to - from) * BLOCK, sums, counts);
    await rank.compute((to - from) * BLOCK * PAIR_NS);
    const [sx, sy] = await rank.all.allreduce(sums);
    const annuli = [...await rank.all.allreduce(counts)];
    const want = EP_SUMS.get(m);
    const near = (a: number, b: number): boolean => Math.abs((a - b) / b) <= 1e-8;
    const verified = want !== undefined && near(sx, want[0]) && near(sy, want[1]);
    return { sx, sy, accepted: annuli.reduce((a, b) => a + b, 0), annuli, verified };
  };
}

function block(first: number, pairs: number, sums: Float64Array, counts: Int32Array): void {
  const random = new NpbRandom(SEED, 2 * first);
  let [sx, sy] = [0, 0];
  for (let i = 0; i < pairs; i++) {
    const x = 2 * random.next() - 1;
    const y = 2 * random.next() - 1;
    const t = x * x + y * y;
    if (t > 1) continue;
    const f = Math.sqrt((-2 * Math.log(t)) / t);
    const [a, b] = [x * f, y * f];
    counts[Math.floor(Math.max(Math.abs(a), Math.abs(b)))]++;
    sx += a;
    sy += b;
  }
  sums[0] += sx;
  sums[1] += sy;
}
