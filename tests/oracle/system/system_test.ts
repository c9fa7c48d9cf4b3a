import { assertEquals } from "../../../scripts/deps/std.ts";
import { toolSync } from "../../guests/tool.ts";
import { systemCampaign } from "./campaign.ts";
import { harness } from "./harness.ts";
import { runOurs } from "./judges.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { systemCase } from "./generate.ts";
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

Deno.test("reference and interpreter agree on real, virtual-8086 and protected mode, gates and tasks", () => {
  const h = harness(), r = new Prng(2), count = 60;
  const tables = makeTables(r, h);
  const image = h.image(tables, Array.from({ length: count }, (_, i) => systemCase(r, i === count - 1).record));
  assertEquals(runOurs(image, count, "reference").results, runOurs(image, count, "interpreter").results);
});
