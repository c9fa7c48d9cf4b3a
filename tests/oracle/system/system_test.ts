import { assertEquals } from "../../../scripts/deps/std.ts";
import { toolSync } from "../../guests/tool.ts";
import { systemCampaign } from "./campaign.ts";
import { harness } from "./harness.ts";
import { runOurs } from "./judges.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { systemCase } from "./generate.ts";
import { type Additions, pagedCampaign, pagedCases } from "./paged.ts";
import { makeTables } from "./tables.ts";

const bochs = toolSync("bochs");
const reason = bochs.available ? "" : ` (not run: ${bochs.reason})`;

Deno.test({
  name: `interpreter agrees with Bochs on real, virtual-8086 and protected mode, gates and tasks${reason}`,
  ignore: !bochs.available,
  fn: () => {
    if (!bochs.available) return;
    const failures = systemCampaign(bochs.path, 1, 1500, "interpreter");
    assertEquals(failures.map((f) => f.text).join("\n"), "");
  },
});

Deno.test("translated code and interpreter agree on real, virtual-8086 and protected mode, gates and tasks", () => {
  const h = harness(), r = new Prng(3), count = 700;
  const tables = makeTables(r, h);
  const image = h.image(tables, Array.from({ length: count }, (_, i) => systemCase(r, (i + 1) % 50 === 0).record));
  assertEquals(runOurs(image, count, "jit").results, runOurs(image, count, "interpreter").results);
});

const KINDS: readonly (readonly [string, Additions])[] = [
  ["paging, its error codes, accessed and dirty bits", { paged: true, watched: false }],
  ["breakpoints of the debug registers and single steps", { paged: false, watched: true }],
  ["both together", { paged: true, watched: true }],
];

for (const [name, additions] of KINDS) {
  Deno.test({
    name: `interpreter agrees with Bochs on ${name}${reason}`,
    ignore: !bochs.available,
    fn: () => {
      if (!bochs.available) return;
      const failures = pagedCampaign(bochs.path, 1, 400, "interpreter", additions);
      assertEquals(failures.map((f) => f.text).join("\n"), "");
    },
  });
}

Deno.test("engines agree under paging and breakpoints", () => {
  const { h, tables, sets, cases } = pagedCases(3, 60, { paged: true, watched: true });
  const image = h.image(tables, cases.map((one) => one.record), false, sets.map((one) => one.bytes));
  const [a, b, c] = (["reference", "interpreter", "jit"] as const).map((e) => runOurs(image, 60, e).results);
  assertEquals(b, a);
  assertEquals(c, a);
});

Deno.test("reference and interpreter agree on real, virtual-8086 and protected mode, gates and tasks", () => {
  const h = harness(), r = new Prng(2), count = 60;
  const tables = makeTables(r, h);
  const image = h.image(tables, Array.from({ length: count }, (_, i) => systemCase(r, i === count - 1).record));
  assertEquals(runOurs(image, count, "reference").results, runOurs(image, count, "interpreter").results);
});
