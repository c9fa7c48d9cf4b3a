/**
 * The cache of things from outside: made once under contention, whole or not at all, and a failure keeps its reason.
 */
import { assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { exists, lookEntry, makeEntry } from "./cache.ts";

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-cache-" });
  try {
    await run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("makeEntry() fills once when asked many times at once", () =>
  withFolder(async (folder) => {
    let fills = 0;
    const fill = async (into: string): Promise<string> => {
      fills += 1;
      await Promise.resolve();
      Deno.writeTextFileSync(`${into}/a`, "text");
      return "a 1.0";
    };
    const all = await Promise.all(Array.from({ length: 8 }, () => makeEntry("a", fill, folder)));
    assertEquals(fills, 1);
    for (const entry of all) assertEquals(entry, { available: true, path: `${folder}/a`, version: "a 1.0" });
    assertEquals(Deno.readTextFileSync(`${folder}/a/a`), "text");
  }));

Deno.test("makeEntry() leaves nothing but the reason when filling fails, and tries again when asked again", () =>
  withFolder(async (folder) => {
    const failed = await makeEntry("b", (into) => {
      Deno.writeTextFileSync(`${into}/half`, "");
      return Promise.reject(new Error("E: no network\nreally none"));
    }, folder);
    assertEquals(failed, { available: false, reason: "E: no network; really none" });
    assertEquals(lookEntry("b", folder), failed);
    assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name).sort(), ["b.failed", "lock"]);
    assertEquals((await makeEntry("b", () => Promise.resolve("b 2"), folder)).available, true);
    assertEquals(exists(`${folder}/b.failed`), false);
  }));

Deno.test("makeEntry() reports a cache that cannot be made", () =>
  withFolder(async (folder) => {
    Deno.writeTextFileSync(`${folder}/file`, "");
    const entry = await makeEntry("c", () => Promise.resolve("c"), `${folder}/file/below`);
    assertEquals(entry.available, false);
  }));

Deno.test("lookEntry() says what to do when nothing was fetched", () =>
  withFolder((folder) => {
    const entry = lookEntry("d", folder);
    assertStringIncludes(entry.available ? "" : entry.reason, "deno task test");
    return Promise.resolve();
  }));
