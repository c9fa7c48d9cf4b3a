/** The decoder's lengths against an independent decoder, a seeded sample; the full run is part of `deno task fuzz`. */
import { assertEquals, assertGreater } from "../../../../scripts/deps/std.ts";
import { compareLengths } from "../../../oracle/decode_length.ts";

Deno.test("decode finds the lengths iced-x86 finds, 50,000 random strings", () => {
  const report = compareLengths(50_000, 0x1386);
  assertEquals(report.wrong.slice(0, 20), []);
  assertGreater(report.instructions, 25_000);
});
