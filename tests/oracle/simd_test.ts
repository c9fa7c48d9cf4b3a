/** MMX, SSE and SSE2 against the host CPU, one instruction at a time, without decoder and engine. */
import { SIMD_FNS } from "../../lib/cpu/i386/simd/index.ts";
import { assertEquals } from "../../scripts/deps/std.ts";
import { campaign } from "./campaign.ts";
import { Direct } from "./direct.ts";
import { oracleRows } from "./generate.ts";
import { Native, whyNoNative } from "./native.ts";
import { reportCase } from "./report.ts";

const reason = whyNoNative();
const because = reason === undefined ? "" : ` (not run: ${reason})`;

Deno.test({
  name: `oracle: SIMD functions agree with the host CPU instruction by instruction${because}`,
  ignore: reason !== undefined,
  fn: async () => {
    await using native = await Native.start();
    const direct = new Direct(SIMD_FNS);
    const result = await campaign(native, direct, { cases: 5_000, seed: 7, groups: ["simd"], single: true });
    const first = result.failures[0];
    assertEquals(first === undefined ? "" : reportCase(first.one, first.lines, first.ours, first.host, []), "");
  },
});

Deno.test("oracle: every SIMD function is judged", () => {
  const judged = new Set(oracleRows("simd").map((row) => row.sem));
  assertEquals(Object.keys(SIMD_FNS).filter((sem) => !judged.has(sem)), []);
});

Deno.test({
  name: `oracle: a wrong instruction is noticed${because}`,
  ignore: reason !== undefined,
  fn: async () => {
    await using native = await Native.start();
    const wrong = new Direct({ ...SIMD_FNS, "addps": SIMD_FNS["subps"] });
    const { failures } = await campaign(native, wrong, { cases: 200, seed: 3, only: /^addps$/, single: true });
    assertEquals(failures.length > 20, true);
  },
});
