/**
 * The command line, driven without a process. Cold.
 */
import { Exit, type Io } from "../../../scripts/cli/io.ts";
import { assert, assertEquals, assertStringIncludes, join } from "../../../scripts/deps/std.ts";
import { main } from "../../../scripts/vmikit.ts";

/** What a command line did. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line over files in memory. */
async function vmikit(args: readonly string[], files: Record<string, Uint8Array> = {}): Promise<Ran> {
  const said = { out: "", err: "" };
  let time = 0;
  const io: Io = {
    out: (text) => said.out += text,
    err: (text) => said.err += text,
    read: (path) => {
      const bytes = files[path];
      if (bytes === undefined) return Promise.reject(new Deno.errors.NotFound(path));
      return Promise.resolve(Uint8Array.from(bytes));
    },
    write: (path, bytes) => {
      files[path] = bytes;
      return Promise.resolve();
    },
    load: (path) => path.startsWith("bad") ? Promise.reject(new Error("broken")) : Promise.resolve({}),
    now: () => time += 10,
  };
  return { code: await main(args, io), ...said };
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** mov dx, 0x3f8; mov al, 'O'; out dx, al; mov al, 'K'; out dx, al; out 0xe9, al; cli; hlt */
const HELLO = Uint8Array.of(0xba, 0xf8, 3, 0xb0, 0x4f, 0xee, 0xb0, 0x4b, 0xee, 0xe6, 0xe9, 0xfa, 0xf4);
const LOOP = Uint8Array.of(0xeb, 0xfe);
const FLAT = ["flat", "--image", "a.bin@0x7c00"];

Deno.test("vmikit flat ends with 0 when the guest halts, and shows its serial line", async () => {
  const { code, out, err } = await vmikit(FLAT, { "a.bin": HELLO });
  assertEquals([code, out], [Exit.ok, "OK"]);
  assertStringIncludes(err, "halted");
});

Deno.test("vmikit flat --until ends with 0 when the text was seen and 3 when the guest ended before", async () => {
  assertEquals((await vmikit([...FLAT, "--until", "OK"], { "a.bin": HELLO })).code, Exit.ok);
  const other = await vmikit([...FLAT, "--until", "login"], { "a.bin": HELLO });
  assertEquals(other.code, Exit.crash);
  assertStringIncludes(other.err, '"login"');
});

Deno.test("vmikit flat ends with 2 at the instruction limit and at the time limit", async () => {
  assertEquals((await vmikit([...FLAT, "--instructions", "1000"], { "a.bin": LOOP })).code, Exit.limit);
  const timed = await vmikit([...FLAT, "--instructions", "1000G", "--timeout", "0.02"], { "a.bin": LOOP });
  assertEquals(timed.code, Exit.limit);
  assertStringIncludes(timed.err, "time limit");
});

Deno.test("vmikit flat shows characters of several bytes whole", async () => {
  // mov dx, 0x3f8; mov al, 0xc3; out dx, al; mov al, 0xa9; out dx, al; cli; hlt
  const bytes = Uint8Array.of(0xba, 0xf8, 3, 0xb0, 0xc3, 0xee, 0xb0, 0xa9, 0xee, 0xfa, 0xf4);
  assertEquals((await vmikit(FLAT, { "a.bin": bytes })).out, "\u00e9");
});

Deno.test("vmikit flat ends with 3 at a triple fault", async () => {
  const { code, err } = await vmikit([...FLAT, "--mode", "protected"], { "a.bin": Uint8Array.of(0x0f, 0x0b) });
  assertEquals(code, Exit.crash);
  assertStringIncludes(err, "fault");
});

Deno.test("vmikit flat --json prints nothing but JSON, with the port log", async () => {
  for (const engine of ["interpreter", "reference"]) {
    const args = [...FLAT, "--json", "--stats", "--port-log", "0xe9", "--engine", engine];
    const result = JSON.parse((await vmikit(args, { "a.bin": HELLO })).out);
    assertEquals(result.exit, 0);
    assertEquals(result.stop.kind, "halt");
    assertEquals(result.serial, "OK");
    assertEquals(result.ports, [{ access: "write", port: 0xe9, width: 8, value: 0x4b }]);
    assert(result.stats.instructions >= 8);
  }
});

Deno.test("vmikit refuses wrong usage with 64 and says why", async () => {
  const wrong: readonly (readonly [args: string[], says: string])[] = [
    [[], "Usage"],
    [["bot"], "unknown command"],
    [["boot"], "--kernel"],
    [["boot", "--kernel", "no"], "check the path"],
    [["boot", "--kernel", "a.bin"], "a.bin"],
    [["boot", "--kernel", "a.bin", "--cpus", "2"], "not there yet"],
    [["boot", "--kernel", "a.bin", "--backend", "shadow"], "Allowed choices"],
    [["boot", "--kernel", "a.bin", "--engine", "jit"], "Allowed choices"],
    [["boot", "--kernel", "a.bin", "--memory", "much"], "number of MiB"],
    [["flat", "--image", "a.bin"], "FILE@ADDRESS"],
    [[...FLAT, "--wrong"], "unknown option"],
    [[...FLAT, "--entry", "0x100000"], "--mode protected"],
    [[...FLAT, "--until", ""], "--until"],
    [[...FLAT, "--timeout", "-1"], "seconds"],
    [["flat", "--image", "a.bin@0xfff00000"], "load elsewhere"],
    [["asm", "bad.asm"], "Line 1"],
    [["asm", "bad.asm", "--bits", "64"], "16 or 32"],
    [["rom", "--json", "--out", "x"], "cannot be used"],
    [["run", "no.ts"], "check the path"],
    [["gdb", "--port", "1"], "not there yet"],
    [["lab"], "not there yet"],
    [["cluster", "x"], "not there yet"],
    [["bench"], "deno task bench"],
  ];
  for (const [args, says] of wrong) {
    const { code, err, out } = await vmikit(args, { "a.bin": HELLO, "bad.asm": text("mov eax,\n") });
    assertEquals([args, code, out], [args, Exit.usage, ""]);
    if (says !== "a.bin") assertStringIncludes(err, says, args.join(" "));
    else assert(err.length > 10);
  }
});

Deno.test("vmikit --help of every command shows examples and ends with 0", async () => {
  for (const name of ["", "boot", "flat", "trace", "run", "rom", "calls", "asm", "disasm"]) {
    const { code, out } = await vmikit([...(name === "" ? [] : [name]), "--help"]);
    assertEquals([name, code], [name, Exit.ok]);
    assertStringIncludes(out, "Examples:");
  }
});

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
