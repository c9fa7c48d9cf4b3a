/** The command line: assembler, listings, traces, scripts, the lab. */
import { Exit, type Terminal } from "../../../scripts/cli/io.ts";
import { assert, assertEquals, assertStringIncludes, join } from "../../../scripts/deps/std.ts";
import { KERNELS } from "../../../scripts/bench/kernels.ts";
import { FILES, HELLO, LOOP, text, vmikit } from "./vmikit.ts";

Deno.test("vmikit asm and disasm go round on real files", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const source = join(dir, "a.asm");
    await Deno.writeFile(source, text("start: mov ax, 0x1234\nadd ax, [bx+si]\njmp start\nhlt\n"));
    const files = { "a.asm": await Deno.readFile(source) } as Record<string, Uint8Array>;
    const opts = ["--bits", "16", "--origin", "0x7c00"];
    const listed = await vmikit(["asm", "a.asm", "-o", "a.bin", "--listing", ...opts], files);
    assertEquals(listed.code, Exit.ok);
    assertStringIncludes(listed.out, "00007c00  b8 34 12");
    const { out } = await vmikit(["disasm", "a.bin", ...opts, "--json"], files);
    const lines = JSON.parse(out) as { address: number; bytes: number[]; text: string }[];
    assertEquals(lines.map((l) => l.address), [0x7c00, 0x7c03, 0x7c05, 0x7c07]);
    files["b.asm"] = text(lines.map((l) => l.text).join("\n"));
    await vmikit(["asm", "b.asm", "-o", "b.bin", ...opts], files);
    assertEquals(files["b.bin"], files["a.bin"]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("vmikit rom lists, prints JSON and writes the bytes of an option ROM", async () => {
  const listed = await vmikit(["rom"]);
  assertEquals(listed.code, Exit.ok);
  assertStringIncludes(listed.out, " 0 CPUID ");
  assert((JSON.parse((await vmikit(["rom", "--json"])).out) as unknown[]).length > 70);
  const files: Record<string, Uint8Array> = {};
  assertEquals((await vmikit(["rom", "--backend", "scripted", "--out", "r.bin"], files)).code, Exit.ok);
  assertEquals([...files["r.bin"].subarray(0, 2)], [0x55, 0xaa]);
});

Deno.test("vmikit calls lists the table", async () => {
  assertStringIncludes((await vmikit(["calls"])).out, "1 WRMSR");
  assertEquals(JSON.parse((await vmikit(["calls", "--json"])).out)[2].name, "RDMSR");
});

Deno.test("vmikit trace prints each instruction within its bound", async () => {
  const args = ["trace", "--image", "a.bin@0x7c00"];
  const all = await vmikit([...args, "--registers"], { "a.bin": HELLO });
  assertEquals(all.code, Exit.ok);
  assertEquals(all.out.trimEnd().split("\n").length, 8);
  assertStringIncludes(all.out, "00007c00  mov dx,0x3f8");
  assertStringIncludes(all.out.trimEnd().split("\n")[3], "edx=000003f8");
  const lines = (await vmikit([...args, "--json"], { "a.bin": HELLO })).out.trimEnd().split("\n");
  assertEquals(JSON.parse(lines[8]).stop.kind, "halt");
  const few = await vmikit([...args, "--instructions", "3"], { "a.bin": LOOP });
  assertEquals([few.code, few.out.trimEnd().split("\n").length], [Exit.limit, 3]);
});

Deno.test("vmikit run tells a script that ends from one that throws", async () => {
  assertEquals((await vmikit(["run", "good.ts"], { "good.ts": text("") })).code, Exit.ok);
  const { code, err } = await vmikit(["run", "bad.ts"], { "bad.ts": text("") });
  assertEquals(code, Exit.script);
  assertStringIncludes(err, "broken");
});

Deno.test("vmikit run, asm and bench print JSON when asked", async () => {
  assertEquals(JSON.parse((await vmikit(["run", "good.ts", "--json"], { "good.ts": text("") })).out), { exit: 0 });
  const bad = JSON.parse((await vmikit(["run", "bad.ts", "--json"], { "bad.ts": text("") })).out);
  assertEquals(bad.exit, Exit.script);
  assertStringIncludes(bad.error, "broken");
  const code = JSON.parse((await vmikit(["asm", "a.asm", "--json"], { "a.asm": text("nop\nhlt\n") })).out);
  assertEquals([code.bytes, code.lines.length], [[0x90, 0xf4], 2]);
  const bench = JSON.parse((await vmikit(["bench", "--time", "0.2", "--engine", "interpreter", "--json"])).out);
  assertEquals(bench.rows.length, KERNELS.length);
  assert(bench.rows.every((row: { mips: number }) => row.mips > 0));
  assertEquals(bench.means.length, 2);
});

Deno.test("vmikit lab prints the address of a page, and ends with 130 at Ctrl-C", async () => {
  for (
    const guest of [[], ["--image", "a.bin@0x7c00"], ["--kernel", "elf", "--backend", "kvm", "--engine", "reference"]]
  ) {
    let interrupt = (): void => {};
    let ignored = false;
    const terminal: Terminal = {
      ...{ input: false, output: false, error: false, raw: () => {} },
      onInterrupt: (fn) => {
        interrupt = fn;
        return () => ignored = true;
      },
    };
    let page = "";
    const out: string[] = [];
    const { code } = await vmikit(["lab", "--json", ...guest], FILES, {
      terminal,
      out: (line) => {
        out.push(line);
        if (out.length === 1) {
          fetch(JSON.parse(line).url).then((r) => r.text()).then((t) => page = t).finally(() => interrupt());
        }
      },
    });
    assertStringIncludes(page, "<title>vmikit lab</title>");
    assertEquals([code, ignored, out.length, JSON.parse(out[1])], [Exit.interrupted, true, 2, { exit: 130 }]);
  }
});
