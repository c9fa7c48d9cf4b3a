/** Segments, stacks of both sizes, 16-bit code, page faults and alignment checks against the host CPU. */
import type { EngineFactory } from "../../../lib/cpu/i386/engine.ts";
import { interpreter } from "../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../lib/cpu/i386/engines/reference.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { whyNoNative } from "../native.ts";
import { segmentCampaign } from "./campaign.ts";
import { compareSegments } from "./compare.ts";
import { SegmentGenerator } from "./generate.ts";
import { SegmentNative } from "./native.ts";
import { SegmentOurs } from "./ours.ts";
import { ResultAt } from "./places.ts";
import { Known, makeProtections, makeTable } from "./table.ts";

const reason = whyNoNative();
const because = reason === undefined ? "" : ` (not run: ${reason})`;

const ENGINES: readonly (readonly [string, EngineFactory, number])[] = [
  ["interpreter", interpreter, 4000],
  ["jit", jit({ threshold: 1 }), 1000],
  ["reference", reference, 1000],
];

for (const [name, engine, cases] of ENGINES) {
  Deno.test({
    name: `oracle: ${name} agrees with the host CPU on segments of a local table, in 16- and 32-bit code${because}`,
    ignore: reason !== undefined,
    fn: async () => {
      using native = new SegmentNative();
      const { failures, vectors } = await segmentCampaign(native, engine, 1, cases);
      assertEquals(failures.join("\n"), "");
      const met = [1, 6, 11, 12, 13, 14, 17].filter((vector) => (vectors.get(vector) ?? 0) === 0);
      assertEquals(met, [], "vectors that no case ended in");
    },
  });
}

Deno.test("oracle: a wrong limit and a wrong page are noticed", () => {
  const r = new Prng(5), table = makeTable(r), protections = makeProtections(r);
  const generator = new SegmentGenerator(r, table);
  const cases = Array.from({ length: 1500 }, () => generator.next()), records = cases.map((one) => one.record);
  const right = new SegmentOurs(interpreter, table, protections).run(records);
  const differing = (wrong: Uint8Array): number =>
    cases.filter((one, i) => {
      const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, i * ResultAt.size, ResultAt.size);
      return compareSegments(one, view(wrong), view(right)).length > 0;
    }).length;
  assertEquals(differing(right), 0);
  const shorter = table.map((one, i) => i === Known.data32 ? { ...one, limit: 0x7fff } : one);
  assertEquals(differing(new SegmentOurs(interpreter, shorter, protections).run(records)) > 0, true);
  const closed = protections.map((one, page) => page === 20 ? 0 : one);
  assertEquals(differing(new SegmentOurs(interpreter, table, closed).run(records)) > 0, true);
});
