/**
 * A campaign of the system oracle: makes cases, runs them on ours and on Bochs, and says where they differ. Cold.
 */
import { Prng } from "../../../lib/base/prng.ts";
import type { EngineName } from "../../../lib/cpu/i386/factory.ts";
import { differences } from "./compare.ts";
import { type SystemCase, systemCase } from "./generate.ts";
import { harness } from "./harness.ts";
import { runBochs, runOurs } from "./judges.ts";
import { CaseAt } from "./places.ts";
import { makeTables } from "./tables.ts";

/** Cases between two sums of the data windows. */
const SUM_EVERY = 64;
const MODES = ["ring 0", "virtual-8086", "real", "ring 3"];

/** One difference. */
export interface SystemFailure {
  /** Number of the case. */
  readonly index: number;
  /** Name of the instruction. */
  readonly name: string;
  /** The whole story. */
  readonly text: string;
}

/** Runs `count` cases; the image holds at most some ten thousand. */
export function systemCampaign(bochs: string, seed: number, count: number, engine: EngineName): SystemFailure[] {
  const h = harness(), r = new Prng(seed);
  const tables = makeTables(r, h);
  const cases = Array.from({ length: count }, (_, i) => systemCase(r, (i + 1) % SUM_EVERY === 0));
  const image = h.image(tables, cases.map((one) => one.record));
  const theirs = runBochs(bochs, image, count), ours = runOurs(image, count, engine);
  return cases.flatMap((one, index) => {
    const lines = differences(one, index, ours, theirs);
    if (lines.length === 0) return [];
    return [{
      index,
      name: one.row.mnemonic,
      text: `case ${index} of seed ${seed}: ${story(one)}\n  ${lines.join("\n  ")}`,
    }];
  });
}

function story(one: SystemCase): string {
  const view = new DataView(one.record.buffer);
  const hex = (at: number): string => view.getUint32(at, true).toString(16);
  const regs = Array.from({ length: 8 }, (_, n) => hex(CaseAt.regs + 4 * n)).join(" ");
  const segs = [CaseAt.cs, CaseAt.ss, CaseAt.ds, CaseAt.es, CaseAt.fs, CaseAt.gs].map(hex).join(" ");
  const bytes = one.bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${one.row.mnemonic} (${bytes}) in ${MODES[one.mode]}, ${one.bits}-bit code, eflags ${hex(CaseAt.eflags)}, ` +
    `eip ${hex(CaseAt.eip)}, cs ss ds es fs gs ${segs}, registers ${regs}`;
}
