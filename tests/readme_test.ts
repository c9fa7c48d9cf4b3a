/**
 * README.md says what is true: its script runs as written, its commands exist, its files are there.
 */
import { main } from "../scripts/vmikit.ts";
import { assert, assertEquals, assertStringIncludes, fromFileUrl, join } from "../scripts/deps/std.ts";

const ROOT = fromFileUrl(new URL("../", import.meta.url));
const README = Deno.readTextFileSync(join(ROOT, "README.md"));

/** Code blocks of a language. */
function blocks(language: string): string[] {
  return [...README.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter((m) => m[1] === language).map((m) => m[2]);
}

/** Commands of the shell blocks, joined where a line goes on, without comments. */
function commands(): string[] {
  const lines = blocks("sh").join("").replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.map((line) => line.replace(/\s+# .*$/, "").trim()).filter((line) => line !== "");
}

Deno.test("README: the first script runs beside mod.ts without permissions", async () => {
  const [script] = blocks("ts");
  const folder = await Deno.makeTempDir({ prefix: "vmikit-readme-" });
  try {
    const path = join(folder, "first.ts");
    await Deno.writeTextFile(path, script.replace('"./mod.ts"', JSON.stringify(`file://${ROOT}mod.ts`)));
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", path],
      cwd: folder,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals([code, new TextDecoder().decode(stdout)], [0, "EAX is 42\n"], new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("README: every task it names exists, and every vmikit command it shows is accepted", async () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(join(ROOT, "deno.json")));
  const named = [...README.matchAll(/\btask ([a-z]+)/g)].map((m) => m[1]);
  assert(named.length > 5);
  for (const name of named) assert(name in tasks, `task ${name}`);
  const shown = commands().filter((line) => line.includes("task vmikit"));
  assert(shown.length >= 4);
  for (const line of shown) {
    const words = [...line.split("task vmikit ")[1].matchAll(/"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2]);
    let err = "";
    // No file is there, so a command with good options ends where it reads the first one.
    const code = await main(words, {
      out: () => {},
      err: (text) => err += text,
      read: () => Promise.reject(new Deno.errors.NotFound()),
      write: () => Promise.resolve(),
      load: () => Promise.resolve(),
      now: () => 0,
    });
    if (code === 0) continue; // it needs no file
    assertEquals(code, 64, line);
    assertStringIncludes(err, "no such file or directory", `${line}: ${err}`);
  }
});

Deno.test("README: the files and folders it links to or names are there", () => {
  const linked = [...README.matchAll(/\]\(([\w./-]+)\)/g)].map((m) => m[1]);
  const listed = [...README.matchAll(/^\d+\. (.*)$/gm)].flatMap((m) => [...m[1].matchAll(/`([\w./]+[/.]\w*)`/g)]);
  assert(linked.length > 0 && listed.length > 8);
  for (const path of linked) assert(Deno.statSync(join(ROOT, path)).isFile, path);
  let folder = "";
  for (const [, path] of listed) {
    const places = [path, join(folder, path)].map((p) => join(ROOT, "lib", p));
    const found = places.find((p) => {
      try {
        return Deno.statSync(p) !== undefined;
      } catch {
        return false;
      }
    });
    assert(found !== undefined, path);
    if (path.includes("/")) folder = path.slice(0, path.lastIndexOf("/") + 1);
  }
});
