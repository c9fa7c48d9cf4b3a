/** The test task's reading of closing lines. */
import { assertEquals } from "../scripts/deps/std.ts";
import { parseCounts } from "./run.ts";

Deno.test("parseCounts() reads each form of the closing line", () => {
  assertEquals(parseCounts("ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)"), {
    passed: 12,
    failed: 0,
    skipped: 1,
  });
  assertEquals(parseCounts("ok | 8 passed | 0 failed (18ms)"), { passed: 8, failed: 0, skipped: 0 });
  assertEquals(parseCounts("FAILED | 7 passed | 1 failed (1 step) | 2 ignored | 3 filtered out (1m2s)"), {
    passed: 7,
    failed: 1,
    skipped: 2,
  });
  assertEquals(parseCounts("ok | 1"), undefined);
  assertEquals(parseCounts("some test ... ok (2ms)"), undefined);
});
