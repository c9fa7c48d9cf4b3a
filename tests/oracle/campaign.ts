/**
 * A run of the oracle: cases of all groups in a fixed mixture, ours against the host's, failures collected.
 */
import { Prng } from "../../lib/base/prng.ts";
import type { Case, Outcome } from "./case.ts";
import { compare } from "./compare.ts";
import { Generator, type Group, oracleRows } from "./generate.ts";
import type { Native } from "./native.ts";

/** A case that differs. */
export interface Failure {
  /** Seed of its batch. */
  readonly seed: number;
  /** The case. */
  readonly one: Case;
  /** Differences. */
  readonly lines: readonly string[];
  /** Ours. */
  readonly ours: Outcome;
  /** The host's. */
  readonly host: Outcome;
}

/** What judges cases on our side. */
export interface Runner {
  /** Runs one. */
  run(one: Case): Outcome;
}

/** Result of a campaign. */
export interface Campaign {
  /** Cases run. */
  readonly cases: number;
  /** Cases run by mnemonic of single instructions. */
  readonly coverage: ReadonlyMap<string, number>;
  /** Failures, first by code length. */
  readonly failures: readonly Failure[];
}

/** Options of {@linkcode campaign}. */
export interface CampaignOptions {
  /** Number of cases. */
  readonly cases: number;
  /** Seed. */
  readonly seed: number;
  /** Groups; default all. */
  readonly groups?: readonly Group[];
  /** Only rows whose mnemonic matches. */
  readonly only?: RegExp;
  /** Only cases of one instruction. */
  readonly single?: boolean;
  /** Told after every batch. */
  readonly progress?: (done: number, failures: number) => void;
  /** Ends the campaign after so many failures. */
  readonly most?: number;
}

const BATCH = 200;
/** Lengths of cases, drawn per batch: mostly single instructions. */
const LENGTHS = [1, 1, 1, 1, 2, 3, 4, 6];

/** Runs cases on both sides. */
export async function campaign(native: Native, ours: Runner, options: CampaignOptions): Promise<Campaign> {
  const groups = options.groups ?? ["integer", "x87", "simd"];
  const rows = groups.map((g) =>
    oracleRows(g).filter((r) => options.only === undefined || options.only.test(r.mnemonic))
  )
    .filter((r) => r.length > 0);
  const r = new Prng(options.seed);
  const failures: Failure[] = [], coverage = new Map<string, number>();
  let cases = 0;
  while (cases < options.cases && failures.length < (options.most ?? 50)) {
    const seed = r.u32();
    const length = options.single === true ? 1 : r.pick(LENGTHS);
    const generator = new Generator(seed, length > 1 ? rows.flat() : r.pick(rows));
    const batch = Array.from({ length: Math.min(BATCH, options.cases - cases) }, () => generator.next(length));
    const hosts = await native.run(batch);
    batch.forEach((one, i) => {
      if (length === 1) coverage.set(one.name, (coverage.get(one.name) ?? 0) + 1);
      const mine = ours.run(one);
      const lines = compare(one, mine, hosts[i]);
      if (lines.length > 0) failures.push({ seed, one, lines, ours: mine, host: hosts[i] });
    });
    cases += batch.length;
    options.progress?.(cases, failures.length);
  }
  failures.sort((a, b) => a.one.code.length - b.one.code.length);
  return { cases, coverage, failures };
}
