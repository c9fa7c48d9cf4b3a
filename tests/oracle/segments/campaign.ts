/** A campaign of the oracle of segments: makes a table and cases, runs them on both sides, tells differences. Cold. */
import { Prng } from "../../../lib/base/prng.ts";
import type { EngineFactory } from "../../../lib/cpu/i386/engine.ts";
import { compareSegments } from "./compare.ts";
import { type SegmentCase, SegmentGenerator } from "./generate.ts";
import type { SegmentNative } from "./native.ts";
import { SegmentOurs } from "./ours.ts";
import { CaseAt, ResultAt } from "./places.ts";
import { makeProtections, makeTable } from "./table.ts";

/** What a campaign found. */
export interface SegmentReport {
  /** Cases run. */
  readonly cases: number;
  /** Cases by the vector that ended them. */
  readonly vectors: ReadonlyMap<number, number>;
  /** Differences in words. */
  readonly failures: readonly string[];
}

/** Runs `count` cases, perhaps of some mnemonics alone. */
export async function segmentCampaign(
  native: SegmentNative,
  engine: EngineFactory,
  seed: number,
  count: number,
  only?: RegExp,
): Promise<SegmentReport> {
  const r = new Prng(seed);
  const table = makeTable(r), protections = makeProtections(r);
  const generator = new SegmentGenerator(r, table, only);
  const cases = Array.from({ length: count }, () => generator.next());
  const records = cases.map((one) => one.record);
  const theirs = await native.run(table, protections, records);
  const ours = new SegmentOurs(engine, table, protections).run(records);
  const vectors = new Map<number, number>(), failures: string[] = [];
  cases.forEach((one, i) => {
    const view = (bytes: Uint8Array): DataView =>
      new DataView(bytes.buffer, bytes.byteOffset + i * ResultAt.size, ResultAt.size);
    const host = view(theirs), vector = host.getUint32(ResultAt.vector, true);
    vectors.set(vector, (vectors.get(vector) ?? 0) + 1);
    const lines = compareSegments(one, view(ours), host);
    if (lines.length > 0) failures.push(`case ${i} of seed ${seed}: ${story(one)}\n  ${lines.join("\n  ")}`);
  });
  return { cases: count, vectors, failures };
}

function story(one: SegmentCase): string {
  const view = new DataView(one.record.buffer);
  const hex = (at: number): string => view.getUint32(at, true).toString(16);
  const list = (at: number, count: number): string =>
    Array.from({ length: count }, (_, n) => hex(at + 4 * n)).join(" ");
  const bytes = one.encoded.bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${one.row.mnemonic} (${bytes}), ${one.bits}-bit code, eflags ${hex(CaseAt.eflags)}, eip ${
    hex(CaseAt.eip)
  }, ` +
    `cs ss ds es fs gs ${list(CaseAt.segs, 6)}, registers ${list(CaseAt.regs, 8)}`;
}
