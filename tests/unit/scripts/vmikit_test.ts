/**
 * The command line, driven without a process. Cold.
 */
import { KeyFilter, Progress } from "../../../scripts/cli/console.ts";
import { ENGINES } from "../../../scripts/cli/options.ts";
import { Exit, type Io, type Terminal } from "../../../scripts/cli/io.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes, join } from "../../../scripts/deps/std.ts";
import { minikernelImage } from "../../../lib/guests/minikernel/minikernel.ts";
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import { main } from "../../../scripts/vmikit.ts";
import { KERNELS } from "../../../scripts/bench/kernels.ts";
import { multibootImage } from "../../../scripts/bench/images.ts";
import { bzImage, elfFile } from "../machine/images.ts";

/** What a command line did. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command line over files in memory. */
async function vmikit(
  args: readonly string[],
  files: Record<string, Uint8Array> = {},
  more: Partial<Io> = {},
): Promise<Ran> {
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
    ...more,
  };
  return { code: await main(args, io), ...said };
}

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

/** mov dx, 0x3f8; mov al, 'O'; out dx, al; mov al, 'K'; out dx, al; out 0xe9, al; cli; hlt */
const HELLO = Uint8Array.of(0xba, 0xf8, 3, 0xb0, 0x4f, 0xee, 0xb0, 0x4b, 0xee, 0xe6, 0xe9, 0xfa, 0xf4);
const LOOP = Uint8Array.of(0xeb, 0xfe);
const FLAT = ["flat", "--image", "a.bin@0x7c00"];

/** A disk: 512 bytes with a boot sector's signature. */
const DISK = new Uint8Array(512);
DISK.set([0x55, 0xaa], 510);

/** A BIOS that writes OK to the first serial port and halts: at its end a jump to its code. */
const BIOS = new Uint8Array(0x10000);
BIOS.set(HELLO, 0xe000);
BIOS.set([0xe9, 0x0d, 0xe0], 0xfff0);

const FILES: Record<string, Uint8Array> = {
  "a.bin": HELLO,
  "bad.asm": text("mov eax,\n"),
  disk: DISK,
  bios: BIOS,
  elf: elfFile(),
};

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
  for (const engine of ["interpreter", "jit", "reference"]) {
    const args = [...FLAT, "--json", "--stats", "--port-log", "0xe9", "--engine", engine];
    const result = JSON.parse((await vmikit(args, { "a.bin": HELLO })).out);
    assertEquals(result.exit, 0);
    assertEquals(result.stop.kind, "halt");
    assertEquals(result.serial, "OK");
    assertEquals(result.ports, [{ access: "write", port: 0xe9, width: 8, value: 0x4b }]);
    assert(result.stats.instructions >= 8);
  }
});

Deno.test("vmikit boot --stats counts calls and exits of a hypervisor", async () => {
  const files = { kernel: minikernelImage() };
  const args = ["boot", "--kernel", "kernel", "--backend", "shadow", "--until", "ready", "--stats"];
  const { code, err } = await vmikit(args, files);
  assertEquals(code, Exit.ok);
  assertStringIncludes(err, "paravirtual calls that trapped\n");
  assertStringIncludes(err, " Init\n");
  assertStringIncludes(err, " exits hidden page fault\n");
  const { stats } = JSON.parse((await vmikit([...args, "--json"], files)).out);
  assertEquals(stats.paravirt.calls.Init, 1);
});

/** The minikernel in a bzImage; it begins behind its multiboot header. */
const MINIKERNEL = bzImage(minikernelImage(), 0x100020);

Deno.test("vmikit boot --backend X --kernel bzImage needs no further switch for a kernel that knows the interface", async () => {
  for (const backend of ["native", "scripted", "shadow", "direct"]) {
    for (const engine of ["interpreter", "jit"]) {
      const args = ["boot", "--backend", backend, "--kernel", "k", "--engine", engine, "--until", "ready"];
      const { code, out, err } = await vmikit(args, { k: MINIKERNEL });
      assertEquals(code, Exit.ok, err);
      assertStringIncludes(out, `paravirt: found vmikit ${backend} backend, API version 3.0`);
      assertStringIncludes(out, "paravirt: patched");
      assert(!err.includes("natively"), err);
      const { paravirt, stats } = JSON.parse((await vmikit([...args, "--json", "--stats"], { k: MINIKERNEL })).out);
      assertEquals(paravirt, { backend, used: true });
      assertEquals(stats.paravirt.calls.Init, 1);
      assert(stats.paravirt.made.IRET > 0);
      if (backend === "shadow") assert(stats.paravirt.backend["exits hidden page fault"] > 0);
    }
  }
});

Deno.test("vmikit boot says clearly that a kernel without the interface ran natively", async () => {
  const files = {
    k: bzImage(assemble("mov dx, 0x3f8\nmov al, 'x'\nout dx, al\njmp $", { origin: 0x100000, bits: 32 }).bytes),
  };
  for (const backend of ["native", "shadow", "direct"]) {
    const args = ["boot", "--backend", backend, "--kernel", "k", "--until", "x"];
    const { code, err } = await vmikit(args, files);
    assertEquals(code, Exit.ok);
    assertStringIncludes(err, "the guest ran natively");
    assertStringIncludes(err, `backend ${backend} had nothing to do`);
    assertEquals(JSON.parse((await vmikit([...args, "--json"], files)).out).paravirt, { backend, used: false });
  }
  for (const backend of ["none", "hardware", "trap", "kvm"]) {
    const { err } = await vmikit(["boot", "--backend", backend, "--kernel", "k", "--until", "x"], files);
    assert(!err.includes("natively"), err);
  }
});

Deno.test("vmikit boot --stats names the calls that do not trap, and counts them without changing the run", async () => {
  const files = { kernel: minikernelImage() };
  const args = ["boot", "--kernel", "kernel", "--backend", "native", "--until", "ready"];
  const { err } = await vmikit([...args, "--stats"], files);
  assertMatch(err, /paravirtual calls\n(?:.*\n)* +\d+ {2}SetPxE\n/);
  const { stats, serial } = JSON.parse((await vmikit([...args, "--stats", "--json"], files)).out);
  assert(stats.paravirt.made.SetPxE > 10 && stats.paravirt.calls.SetPxE === undefined);
  assertEquals(stats.paravirt.made.Init, stats.paravirt.calls.Init);
  assertEquals(JSON.parse((await vmikit([...args, "--json"], files)).out).serial, serial);
});

Deno.test("vmikit boot --backend hardware --personality kvm gives the guest both", async () => {
  const files = { kernel: minikernelImage() };
  const args = ["boot", "--kernel", "kernel", "--backend", "hardware", "--personality", "kvm", "--until", "ready"];
  const { stats, exit } = JSON.parse((await vmikit([...args, "--stats", "--json"], files)).out);
  assertEquals(exit, Exit.ok);
  assert(stats.paravirt.backend["exits io"] > 0);
  assertEquals(stats.hypercalls.calls, {});
});

Deno.test("vmikit refuses wrong usage with 64 and says why", async () => {
  const wrong: readonly (readonly [args: string[], says: string])[] = [
    [[], "Usage"],
    [["bot"], "unknown command"],
    [["boot"], "--kernel FILE or --bios FILE"],
    [["boot", "--kernel", "elf", "--append", "x"], "leave --append out"],
    [["boot", "--bios", "a.bin"], "whole 64 KiB blocks"],
    [["boot", "--bios", "bios", "--initrd", "a.bin"], "leave --initrd out"],
    [["boot", "--kernel", "bios", "--bios", "bios"], "leave --bios out"],
    [["boot", "--kernel", "disk"], "boot sector"],
    [["boot", "--kernel", "elf", "--memory", "0"], "from 2 to 1984"],
    [["boot", "--kernel", "elf", "--instructions", "0"], "from 1"],
    [["boot", "--kernel", "elf", "extra"], "too many arguments"],
    [["boot", "--kernel", "no"], "check the path"],
    [["boot", "--kernel", "a.bin"], 'Cannot tell what "a.bin" is'],
    [["boot", "--kernel", "elf", "--cpus", "16"], "a number of CPUs from 1 to 15"],
    [["boot", "--kernel", "elf", "--backend", "xen"], "Allowed choices"],
    [["boot", "--kernel", "elf", "--backend", "kvm", "--personality", "vmware"], "both kvm and vmware"],
    [["boot", "--kernel", "elf", "--personality", "xen"], "Allowed choices"],
    [["boot", "--kernel", "elf", "--disk", "a.bin"], "512-byte sectors"],
    [["boot", "--kernel", "elf", "--cd", "disk"], "2048-byte sectors"],
    [["boot", "--bios", "bios", "--floppy", "disk"], "Floppy image has 512 bytes"],
    [["boot", "--bios", "bios", "--floppy", "disk", "--cd", "disk"], "leave --cd out"],
    [["boot", "--kernel", "elf", "--vga-bios", "a.bin"], "needs a BIOS"],
    [["boot", "--kernel", "elf", "--disk", "no"], 'disk "no"'],
    [["boot", "--kernel", "a.bin", "--engine", "jet"], "Allowed choices"],
    [["boot", "--kernel", "a.bin", "--memory", "much"], "number of MiB"],
    [["flat", "--image", "a.bin"], "FILE@ADDRESS"],
    [[...FLAT, "--wrong"], "unknown option"],
    [[...FLAT, "--entry", "0x100000"], "--mode protected"],
    [[...FLAT, "--until", ""], "--until"],
    [[...FLAT, "--timeout", "-1"], "seconds"],
    [["flat", "--image", "a.bin@0xfff00000"], "load elsewhere"],
    [["asm", "bad.asm"], "Line 1"],
    [["asm", "bad.asm", "--bits", "64"], "16 or 32"],
    [["asm"], "missing required argument"],
    [["asm", "bad.asm", "--origin", "-1"], "an address"],
    [["asm", "no.asm"], "check the path"],
    [["disasm"], "missing required argument"],
    [["disasm", "a.bin", "--bits", "x"], "16 or 32"],
    [["trace"], "--image"],
    [["trace", "--image", "a.bin@0x7c00", "--instructions", "1G"], "from 1 to 10000000"],
    [["trace", "--image", "a.bin@"], "FILE@ADDRESS"],
    [["flat"], "--image"],
    [["flat", "--image", "a.bin@5G"], "an address"],
    [[...FLAT, "--port-log", "0x10000"], "from 0 to 65535"],
    [[...FLAT, "--serial", "tcp"], "Allowed choices"],
    [["rom", "--out", "x", "--json"], "cannot be used"],
    [["rom", "--at", "0x100000"], "0xc0000 to 0xdffff"],
    [["rom", "--backend", "xen"], "Allowed choices"],
    [["calls", "SetCR3"], "too many arguments"],
    [["run"], "missing required argument"],
    [["completions"], "missing required argument"],
    [["completions", "tcsh"], "Allowed choices are bash, zsh, fish"],
    [["bench", "--engine", "jet"], "Allowed choices"],
    [["bench", "--time", "0"], "seconds"],
    [["run", "no.ts"], "check the path"],
    [["gdb"], "Give what to debug"],
    [["gdb", "--kernel", "elf", "--image", "a.bin@0"], "Give what to debug"],
    [["gdb", "--kernel", "elf", "--listen", "here"], "HOST:PORT"],
    [["gdb", "--kernel", "elf", "--listen", "127.0.0.1:99999"], "HOST:PORT"],
    [["gdb", "--kernel", "no"], "check the path"],
    [["lab", "--port", "65536"], "from 0 to 65535"],
    [["lab", "--kernel", "elf", "--image", "a.bin@0"], "Give what to look at"],
    [["lab", "--kernel", "no"], "check the path"],
    [["lab", "--program", "no.asm"], "check the path"],
    [["lab", "--program", "guest-ring", "--kernel", "elf"], "not both"],
    [["lab", "--size", "3"], "go with --program"],
    [["lab", "--backend", "kvm", "--personality", "vmware"], "cannot find both"],
    [["cluster", "x"], "too many arguments"],
  ];
  for (const [args, says] of wrong) {
    const { code, err, out } = await vmikit(args, FILES);
    const json = args.includes("--json");
    assertEquals([args, code, json ? "" : out], [args, Exit.usage, ""]);
    assertStringIncludes(err, says, args.join(" "));
    // The same with --json: one object on standard output, which says what the person is told.
    if (args.length === 0) continue;
    const result = await vmikit(json ? args : [...args, "--json"], FILES);
    const { exit, error } = JSON.parse(result.out);
    assertEquals([args, result.code, exit], [args, Exit.usage, Exit.usage]);
    assertStringIncludes(result.err, String(error).trim());
  }
});

Deno.test("vmikit --help of every command shows examples and ends with 0", async () => {
  for (
    const name of [
      "",
      "boot",
      "flat",
      "trace",
      "run",
      "rom",
      "calls",
      "asm",
      "disasm",
      "bench",
      "completions",
      "gdb",
      "lab",
    ]
  ) {
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

Deno.test("vmikit boot tells Linux, multiboot, ELF and BIOS images apart and starts each", async () => {
  const files = { ...FILES, linux: bzImage(), multiboot: multibootImage(KERNELS[0], 3), module: HELLO };
  const boot = async (...args: string[]): Promise<unknown> => {
    const { out, code } = await vmikit(["boot", "--json", "--instructions", "1000", ...args], files);
    const { stop, serial, exit } = JSON.parse(out);
    assertEquals(exit, code);
    return [stop.kind, serial];
  };
  assertEquals(await boot("--kernel", "bios"), ["halt", "OK"]);
  assertEquals(await boot("--bios", "bios", "--until", "O"), ["until", "O"]);
  assertEquals(await boot("--kernel", "multiboot", "--initrd", "module", "--append", "a"), ["halt", "done"]);
  assertEquals(await boot("--kernel", "linux", "--initrd", "module", "--append", "a"), ["budget", ""]); // NOPs
  assertEquals(await boot("--kernel", "elf"), ["fault", ""]); // numbers, no code
  for (const more of [["--cpus", "2"], ["--backend", "shadow"], ["--disk", "disk", "--disk", "disk"]]) {
    assertEquals(await boot("--kernel", "multiboot", ...more), ["halt", "done"]);
  }
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

/** A terminal for tests: notes what is done to it. */
function fakeTerminal(log: string[]): Terminal & { interrupt(): void } {
  let interrupt = (): void => {};
  return {
    input: true,
    output: true,
    error: true,
    raw: (on) => void log.push(on ? "raw" : "restored"),
    onInterrupt: (fn) => {
      interrupt = fn;
      return () => void log.push("signal given back");
    },
    interrupt: () => interrupt(),
  };
}

/** Echoes the serial line: mov dx, 0x3fd; in al, dx; test al, 1; jz; mov dl, 0xf8; in al, dx; out dx, al; jmp */
const ECHO = Uint8Array.of(0xba, 0xfd, 3, 0xec, 0xa8, 1, 0x74, 0xf8, 0xb2, 0xf8, 0xec, 0xee, 0xeb, 0xf2);

Deno.test("vmikit at a terminal: keys go to the guest, Ctrl-A x ends the run, the terminal is restored", async () => {
  const log: string[] = [];
  let keys: ReadableStreamDefaultController<Uint8Array> | undefined;
  let out = "";
  const { code, err } = await vmikit([...FLAT, "--instructions", "100G"], { "a.bin": ECHO }, {
    terminal: fakeTerminal(log),
    input: () =>
      new ReadableStream({
        start(controller) {
          keys = controller;
          for (const piece of [[0x61, 3], [1], [1, 0x62]]) keys.enqueue(Uint8Array.from(piece)); // a ^C ^A^A b
        },
      }),
    out: (text) => {
      out += text;
      if (text === "b") keys?.enqueue(Uint8Array.of(1, 0x78, 0x63)); // ^A x c
    },
  });
  assertEquals([code, log], [Exit.interrupted, ["raw", "restored"]]);
  assertEquals(out, "a\x03\x01b");
  assertStringIncludes(err, "Ctrl-A x ends the run");
  assertStringIncludes(err, "ended from the keyboard");
});

Deno.test("vmikit restores the terminal when the guest crashes", async () => {
  const log: string[] = [];
  const args = [...FLAT, "--mode", "protected"];
  const { code } = await vmikit(args, { "a.bin": Uint8Array.of(0x0f, 0x0b) }, { terminal: fakeTerminal(log) });
  assertEquals([code, log], [Exit.crash, ["raw", "restored"]]);
});

Deno.test("vmikit without the serial line ends at Ctrl-C and shows progress that it takes away", async () => {
  const log: string[] = [];
  const terminal = fakeTerminal(log);
  let err = "";
  const { code } = await vmikit([...FLAT, "--serial", "none", "--instructions", "100G"], { "a.bin": LOOP }, {
    terminal,
    err: (text) => {
      err += text;
      if (text.includes("million instructions")) terminal.interrupt();
    },
    now: ((n) => () => n += 400)(0),
  });
  assertEquals([code, log], [Exit.interrupted, ["signal given back"]]);
  const [, shown, ...rest] = err.split("\r\x1b[2K");
  assert(/^vmikit: \d+ million instructions, \d+ s$/.test(shown), JSON.stringify(err));
  assert(rest.length > 0 && !(rest.at(-1) ?? "").includes("million"), JSON.stringify(err));
});

Deno.test("vmikit shows no progress when standard error is no terminal", async () => {
  const args = [...FLAT, "--serial", "none", "--instructions", "20M"];
  const { err } = await vmikit(args, { "a.bin": LOOP }, { now: ((n) => () => n += 4000)(0) });
  assert(!err.includes("million"), err);
});

Deno.test("KeyFilter passes keys, takes commands, also when they come in pieces", () => {
  const keys = new KeyFilter();
  const take = (...bytes: number[]): unknown => {
    const { bytes: out, quit, help } = keys.take(Uint8Array.from(bytes));
    return [[...out], quit, help];
  };
  assertEquals(take(0x61, 3, 0x1b), [[0x61, 3, 0x1b], false, false]);
  assertEquals(take(1), [[], false, false]);
  assertEquals(take(0x68), [[], false, true]);
  assertEquals(take(1, 0x61, 1, 1), [[1, 1], false, false]);
  assertEquals(take(1, 0x7a), [[1, 0x7a], false, false]);
  assertEquals(take(0x62, 1, 0x58, 0x62), [[0x62], true, false]);
});

Deno.test("Progress waits, shows, goes away for other output and never writes over a prompt", () => {
  let [time, err] = [0, ""];
  const io = { now: () => time, err: (text: string) => err += text, terminal: fakeTerminal([]) };
  const progress = new Progress(io as unknown as Io);
  const at = (t: number): string => {
    [time, err] = [t, ""];
    progress.update(() => "busy");
    return err;
  };
  assertEquals([at(1900), at(2000), at(2100), at(2500)], ["", "\r\x1b[2Kvmikit: busy", "", "\r\x1b[2Kvmikit: busy"]);
  err = "";
  progress.before("line\n");
  assertEquals([err, at(3000), at(5000)], ["\r\x1b[2K", "", "\r\x1b[2Kvmikit: busy"]);
  progress.before("login: ");
  assertEquals(at(60_000), "");
});

const COMPLETE = `
  complete() { :; }
  eval "$1"; shift
  COMP_WORDS=(vmikit "$@"); COMP_CWORD=$#
  _vmikit
  printf '%s\\n' "\${COMPREPLY[@]}"
`;

Deno.test("vmikit completions bash completes commands, options and choices in a real bash", async () => {
  const script = (await vmikit(["completions", "bash"])).out;
  const complete = async (...words: string[]): Promise<string[]> => {
    const { stdout, stderr } = await new Deno.Command("bash", {
      args: ["--norc", "-c", COMPLETE, "bash", script, ...words],
    }).output();
    assertEquals(new TextDecoder().decode(stderr), "");
    return new TextDecoder().decode(stdout).trim().split("\n");
  };
  assertEquals(await complete("bo"), ["boot"]);
  assertEquals(await complete("boot", "--ke"), ["--kernel"]);
  assertEquals(await complete("boot", "--engine", "re"), ["reference"]);
  assertEquals(await complete("completions", ""), ["bash", "zsh", "fish", "--json", "-h", "--help"].sort(byGiven));
  assertEquals(await complete("rom", "--backend", "n"), ["native"]);
});

/** Order in which the script lists words: options first. */
function byGiven(a: string, b: string): number {
  return Number(b.startsWith("-")) - Number(a.startsWith("-"));
}

for (const shell of ["zsh", "fish"] as const) {
  Deno.test(`vmikit completions ${shell} names every command and option`, async () => {
    const { code, out } = await vmikit(["completions", shell]);
    assertEquals(code, Exit.ok);
    for (const word of ["boot", "kernel", "engine", ENGINES.join(" "), "completions", "bash zsh fish"]) {
      assertStringIncludes(out, word);
    }
  });
}

Deno.test("vmikit boot --screen shows the text screen at the end", async () => {
  // mov ax, 0xb800; mov ds, ax; mov word [0], 0x0748; hlt with interrupts off
  const bios = BIOS.slice();
  bios.set([0xb8, 0, 0xb8, 0x8e, 0xd8, 0xc7, 6, 0, 0, 0x48, 7, 0xfa, 0xf4], 0xe000);
  const shown = await vmikit(["boot", "--bios", "b", "--screen"], { b: bios });
  assertEquals([shown.code, shown.out], [Exit.crash, "H\n"]);
  assertEquals(JSON.parse((await vmikit(["boot", "--bios", "b", "--screen", "--json"], { b: bios })).out).screen, "H");
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

Deno.test("vmikit --help needs no permission of the environment", async () => {
  const program = new URL("../../../scripts/vmikit.ts", import.meta.url);
  for (const args of [["lab", "--help"], ["--help"]]) {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--allow-read", program.href, ...args],
      env: { NO_COLOR: "", FORCE_COLOR: "" },
      stdin: "null",
    }).output();
    assertEquals([code, new TextDecoder().decode(stderr)], [Exit.ok, ""]);
    assertStringIncludes(new TextDecoder().decode(stdout), "Examples:");
  }
});
