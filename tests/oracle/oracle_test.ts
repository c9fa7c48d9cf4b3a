/** A sample of the oracle's cases in the ordinary test run; the long run is `deno task fuzz`. */
import { interpreter } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../lib/cpu/i386/engines/reference.ts";
import { assertEquals, assertGreater } from "../../scripts/deps/std.ts";
import { campaign, type CampaignOptions, type Runner } from "./campaign.ts";
import { Native, whyNoNative } from "./native.ts";
import { Ours } from "./ours.ts";
import { reportCase } from "./report.ts";

const reason = whyNoNative();
const because = reason === undefined ? "" : ` (not run: ${reason})`;

/** Fails with the shortest failing case. */
async function judge(ours: Runner, options: CampaignOptions): Promise<void> {
  await using native = await Native.start();
  const result = await campaign(native, ours, options);
  const first = result.failures[0];
  const text = first === undefined ? "" : reportCase(first.one, first.lines, first.ours, first.host, []);
  assertEquals(text, "", `${result.failures.length} of ${result.cases} cases differ; seed ${options.seed}`);
  assertGreater(result.coverage.size, 100);
}

for (const engine of [interpreter, reference]) {
  Deno.test({
    name: `oracle: ${engine.name} engine agrees with the host CPU${because}`,
    ignore: reason !== undefined,
    fn: () => judge(new Ours(engine), { cases: 5_000, seed: 20_240 }),
  });
}

Deno.test({
  name: `oracle: code that the jit engine has translated agrees with the host CPU${because}`,
  ignore: reason !== undefined,
  fn: () => judge(new Ours(jit({ threshold: 1 }), 3), { cases: 3_000, seed: 20_241 }),
});
