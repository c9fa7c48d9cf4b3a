/** The command line: usage, help, completions. */
import { ENGINES } from "../../../scripts/cli/options.ts";
import { Exit } from "../../../scripts/cli/io.ts";
import { assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { FILES, FLAT, vmikit } from "./vmikit.ts";

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
