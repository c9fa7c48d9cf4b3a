/** The conformance table has no hole: every test on every backend and engine, or a reason; no file is left out. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { ALL } from "./backends.ts";
import { ENGINES, testName } from "./suite.ts";
import { allCells, FILE_NAMES, render, resultOf } from "./table.ts";

const CELLS = await allCells();
const ROWS = new Set(CELLS.map((c) => `${c.part}: ${c.title}`));

Deno.test("conformance table: each test has one cell for each backend and engine, and runs somewhere on both", () => {
  assert(ROWS.size > 50, `${ROWS.size}`);
  assertEquals(CELLS.length, ROWS.size * Object.keys(ALL).length * ENGINES.length);
  assertEquals(new Set(CELLS.map(testName)).size, CELLS.length);
  for (const row of ROWS) {
    const there = CELLS.filter((c) => `${c.part}: ${c.title}` === row);
    for (const engine of ENGINES) {
      assert(there.some((c) => c.engine === engine && c.reason === undefined), `${row} runs nowhere on ${engine}`);
    }
    // A reason is the backend's, not the engine's.
    for (const backend of Object.keys(ALL)) {
      assertEquals(new Set(there.filter((c) => c.backend === backend).map((c) => c.reason)).size, 1, row);
    }
  }
  for (const { reason } of CELLS) assert(reason === undefined || reason.length > 20, reason);
});

Deno.test("conformance table: every file that takes part in the suite is in the list", async () => {
  const taking: string[] = [];
  for await (const { name } of Deno.readDir(new URL(".", import.meta.url))) {
    if (!name.endsWith("_test.ts") || name === "table_test.ts") continue;
    const text = await Deno.readTextFile(new URL(name, import.meta.url));
    if (/^conformance\(/m.test(text)) taking.push(name);
  }
  assertEquals(taking.sort(), [...FILE_NAMES].sort());
});

Deno.test("conformance table: results come from the lines of deno test, and a missing one is counted", () => {
  const runs = CELLS.filter((c) => c.reason === undefined), names = runs.map(testName);
  const lines = names.map((name, i) => `./tests/x_test.ts => ${name} ... ${i === 0 ? "FAILED" : "ok"} (2ms)`);
  const results = new Map(lines.slice(0, -1).map((line) => resultOf(line) ?? ["", ""]));
  const { passed, failed, leftOut, missing } = render(CELLS, results);
  assertEquals([passed, failed, leftOut, missing], [runs.length - 2, 1, CELLS.length - runs.length, 1]);
  assertEquals(resultOf("some other test [native, jit] ... ok (1ms)"), undefined);
});
