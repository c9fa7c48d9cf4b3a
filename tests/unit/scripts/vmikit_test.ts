/** The command line: runs of guests and how they end. */
import { Exit } from "../../../scripts/cli/io.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { minikernelImage } from "../../../lib/guests/minikernel/minikernel.ts";
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import { KERNELS } from "../../../scripts/bench/kernels.ts";
import { multibootImage } from "../../../scripts/bench/images.ts";
import { bzImage } from "../machine/images.ts";
import { FILES, FLAT, HELLO, LOOP, vmikit } from "./vmikit.ts";

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

Deno.test("vmikit boot --screen shows the text screen at the end", async () => {
  // mov ax, 0xb800; mov ds, ax; mov word [0], 0x0748; hlt with interrupts off
  const bios = FILES.bios.slice();
  bios.set([0xb8, 0, 0xb8, 0x8e, 0xd8, 0xc7, 6, 0, 0, 0x48, 7, 0xfa, 0xf4], 0xe000);
  const shown = await vmikit(["boot", "--bios", "b", "--screen"], { b: bios });
  assertEquals([shown.code, shown.out], [Exit.crash, "H\n"]);
  assertEquals(JSON.parse((await vmikit(["boot", "--bios", "b", "--screen", "--json"], { b: bios })).out).screen, "H");
});
