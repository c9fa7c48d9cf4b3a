/**
 * The layers of `lib/`: who may import whom, and what no file of it may touch. The table is the architecture.
 */
import { assert, assertEquals, assertMatch } from "../scripts/deps/std.ts";

/** Folder of lib/ to the folders it may import besides itself. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  base: [],
  spec: ["base"],
  core: ["base"],
  wasm: ["base"],
  memory: ["base", "core"],
  cpu: ["base", "wasm", "spec", "core", "memory"],
  vmi: ["base", "wasm", "spec", "core"],
  device: ["base", "spec", "core"],
  machine: ["base", "spec", "core", "memory", "cpu", "vmi", "device"],
  guests: ["base", "spec", "core", "cpu", "machine"],
  script: ["base", "spec", "core", "memory", "cpu", "machine", "vmi", "guests"],
  host: ["base", "spec", "core", "memory", "cpu", "machine", "vmi", "device", "script"],
};

/** Lines a source file may have; tables of facts may be longer. */
const LONGEST = 400;
const LONGEST_TABLE = 1500;

const ROOT = new URL("../", import.meta.url);

function* sources(folder: URL): Generator<URL> {
  for (const entry of Deno.readDirSync(folder)) {
    if (entry.isDirectory) yield* sources(new URL(entry.name + "/", folder));
    else if (entry.name.endsWith(".ts")) yield new URL(entry.name, folder);
  }
}

const FILES = [...sources(new URL("lib/", ROOT))].map((url) => ({
  path: url.href.slice(ROOT.href.length),
  url,
  text: Deno.readTextFileSync(url),
}));

/** Source without comments, so that prose may name what code may not touch. */
function code(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

function imports(text: string): string[] {
  return [...code(text).matchAll(/^(?:import|export)\s[^"]*?from "([^"]+)"/gm)].map((m) => m[1]);
}

Deno.test("lib/ imports downward only, by relative path with extension", () => {
  for (const { path, url, text } of FILES) {
    const home = path.split("/")[1];
    assert(home in MAY, `${path}: folder ${home} has no layer`);
    for (const to of imports(text)) {
      if (home === "host" && (to.startsWith("node:") || to.startsWith("npm:"))) continue;
      if (path === "lib/host/lab/files.ts" && to.startsWith("./page/")) continue; // text for a browser
      assertMatch(to, /^\.\.?\/.*\.ts$/, `${path}: ${to}`);
      const target = new URL(to, url).href.slice(ROOT.href.length);
      const there = target.split("/")[1];
      assert(target.startsWith("lib/") && (there === home || MAY[home].includes(there)), `${path} imports ${target}`);
    }
  }
});

Deno.test("lib/ touches no host, clock, chance or console outside lib/host", () => {
  const forbidden = /\bDeno\.|\bnew Date\(|\bDate\.now|\bMath\.random|(?<![.\w])console\.|\bperformance\.now/;
  for (const { path, text } of FILES) {
    if (path.startsWith("lib/host/")) continue;
    const hit = forbidden.exec(code(text));
    assertEquals(hit?.[0], undefined, `${path} uses ${hit?.[0]}`);
  }
});

Deno.test("lib/ files have a header and stay short", () => {
  for (const { path, text } of FILES) {
    assert(/^(\/\/ deno-lint-ignore-file .*\n)?\/\*\*/.test(text), `${path} has no header comment`);
    const lines = text.split("\n").length;
    const limit = path.startsWith("lib/spec/") ? LONGEST_TABLE : LONGEST;
    assert(lines <= limit, `${path} has ${lines} lines, the limit is ${limit}`);
  }
});

Deno.test("lib/ has no import cycle at run time", () => {
  const graph = new Map<string, string[]>();
  for (const { path, url, text } of FILES) {
    const values = [...code(text).matchAll(/^(?:import|export)\s+(?!type\b)([^"]*?)from "([^"]+)"/gm)]
      .filter((m) => !/^\{\s*(type \w+,?\s*)+\}/.test(m[1].trim()));
    graph.set(path, values.map((m) => new URL(m[2], url).href.slice(ROOT.href.length)));
  }
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    assert(!trail.includes(path), `Cycle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
    if (done.has(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
});
