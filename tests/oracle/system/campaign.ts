/**
 * A campaign of the system oracle: makes cases, runs them on ours and on Bochs, and says where they differ. Cold.
 */
import { Prng } from "../../../lib/base/prng.ts";
import type { EngineName } from "../../../lib/cpu/i386/factory.ts";
import { differences, mayDiffer } from "./compare.ts";
import { type SystemCase, systemCase } from "./generate.ts";
import { harness } from "./harness.ts";
import { runBochs, runOurs } from "./judges.ts";
import { CaseAt } from "./places.ts";
import { makeTables } from "./tables.ts";
import { type Both, type Guilty, traceWindows } from "./trace.ts";

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

/** Runs `count` cases, perhaps of some mnemonics alone; the image holds at most some ten thousand. */
export function systemCampaign(
  bochs: string,
  seed: number,
  count: number,
  engine: EngineName,
  only?: RegExp,
): SystemFailure[] {
  const h = harness(), r = new Prng(seed);
  const tables = makeTables(r, h);
  const cases = Array.from({ length: count }, (_, i) => systemCase(r, (i + 1) % SUM_EVERY === 0, only));
  const image = h.image(tables, cases.map((one) => one.record));
  const theirs = runBochs(bochs, image, count).results, ours = runOurs(image, count, engine).results;
  const failure = (index: number, lines: readonly string[]): SystemFailure => ({
    index,
    name: cases[index].row.mnemonic,
    text: `case ${index} of seed ${seed}: ${story(cases[index])}\n  ${lines.join("\n  ")}`,
  });
  return cases.flatMap((one, index) => {
    const lines = differences(one, index, ours, theirs);
    if (lines.length === 0) return [];
    if (lines.some((line) => !line.startsWith("windows"))) return [failure(index, lines)];
    const from = cases.findLastIndex((c, i) => i < index && c.isSummed) + 1;
    const guilty = windowFailures(cases.slice(from, index + 1), (some, dump) => {
      const part = h.image(tables, some, dump);
      return { theirs: runBochs(bochs, part, some.length), ours: runOurs(part, some.length, engine) };
    });
    return guilty.map((g) => failure(from + g.index, g.lines));
  });
}

/** Cases that leave the windows different, but for those that may. */
function windowFailures(
  cases: readonly SystemCase[],
  run: (records: readonly Uint8Array[], dump: boolean) => Both,
): Guilty[] {
  const numbered = cases.map((one, index) => ({ one, index }));
  for (;;) {
    const found = traceWindows(numbered.map(({ one }) => one.record), run);
    if (found === undefined) return [];
    const { one, index } = numbered[found.index];
    if (!mayDiffer(one, found)) return [{ ...found, index }];
    numbered.splice(found.index, 1); // and look whether the others differ
  }
}

/** A case in words. */
export function story(one: SystemCase): string {
  const view = new DataView(one.record.buffer);
  const hex = (at: number): string => view.getUint32(at, true).toString(16);
  const regs = Array.from({ length: 8 }, (_, n) => hex(CaseAt.regs + 4 * n)).join(" ");
  const segs = [CaseAt.cs, CaseAt.ss, CaseAt.ds, CaseAt.es, CaseAt.fs, CaseAt.gs].map(hex).join(" ");
  const dr = [0, 1, 2, 3, 4].map((n) => hex(CaseAt.dr + 4 * n)).join(" ");
  const cr = [CaseAt.cr0, CaseAt.cr4, CaseAt.efer].map(hex).join(" ");
  const isPaged = view.getUint32(CaseAt.paging, true) !== 0;
  const rest = `${isPaged ? `, cr0 cr4 efer ${cr}` : ""}${view.getUint32(CaseAt.dr7, true) !== 0 ? `, dr ${dr}` : ""}`;
  const bytes = one.bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  return `${one.row.mnemonic} (${bytes}) in ${MODES[one.mode]}, ${one.bits}-bit code, eflags ${hex(CaseAt.eflags)}, ` +
    `eip ${hex(CaseAt.eip)}, cs ss ds es fs gs ${segs}, registers ${regs}${rest}`;
}
