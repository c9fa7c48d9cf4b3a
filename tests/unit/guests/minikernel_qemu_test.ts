/** The minikernel and the native ROM on hardware that is not ours: QEMU finds the ROM as any BIOS would. */
import { minikernelImage } from "../../../lib/guests/minikernel/minikernel.ts";
import { minikernelSource } from "../../../lib/guests/minikernel/source.ts";
import { native } from "../../../lib/vmi/paravirt/backends/native.ts";
import { buildParavirtRom, type ParavirtRomOptions } from "../../../lib/vmi/paravirt/rom.ts";
import { assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { tool } from "../../guests/tool.ts";

const AFTER_PROBE = [
  "cpu: GenuineIntel",
  "memory: page directory at 0x00200000",
  "page fault at 0xd0000123, mapped",
  "page fault at 0xd0000123, mapped",
  "memory: 4 pages mapped in one batch",
  "system calls: INT 0x80, SYSENTER",
  "clock: 8254",
  "clock: 3 ticks",
  "init: in ring 3, process 1",
  "init: 8 pages on demand",
  "init: child 2 ended with 7, its memory was its own",
  "process 3: exception 13",
  "init: child 3 ended with 141",
  "init: two children took turns",
  "init: done",
  "memory: all that the processes had is free again",
  "ready",
];

Deno.test("minikernel under QEMU", async (t) => {
  const nasm = await tool("nasm");
  const qemu = await tool("qemu-system-i386");
  const missing = nasm.available ? (qemu.available ? "" : qemu.reason) : nasm.reason;
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-minikernel-" });
  const step = (name: string, fn: () => Promise<void>): Promise<boolean> =>
    t.step({ name: missing === "" ? name : `${name} (${missing})`, ignore: missing !== "", fn });
  const boot = (options: ParavirtRomOptions | undefined, ...more: string[]): Promise<string[]> => {
    if (!nasm.available || !qemu.available) throw new Error("tools are there when steps run");
    return bootUnderQemu(folder, nasm.path, qemu.path, options, more);
  };
  try {
    await step("our assembler and nasm make the same of its source", () => {
      if (nasm.available) assertEquals(minikernelImage(), assembled(folder, nasm.path));
      return Promise.resolve();
    });
    await step("finds the ROM, patches its sites and runs through it", async () => {
      const lines = await boot({ product: "ROM", version: [4, 2] });
      assertEquals(lines[0], "minikernel");
      assertStringIncludes(lines[1] ?? "", "paravirt: found vmikit ROM, API version 3.0, ROM version 4.2 at 0xc00");
      assertEquals(lines[2], "paravirt: patched 66 sites");
      assertEquals(lines.slice(3), AFTER_PROBE);
    });
    await step("runs natively without a ROM", async () => {
      const lines = await boot(undefined);
      assertEquals(lines, ["minikernel", "paravirt: no ROM, running natively", ...AFTER_PROBE]);
    });
    await step("starts a second CPU, with the ROM and without", async () => {
      for (const rom of [undefined, {}]) {
        const lines = await boot(rom, "-smp", "2,sockets=2"); // its BIOS tells of one CPU a socket
        const cpu = "cpu 1: started, answered 3 messages, the last with 500500";
        const from = AFTER_PROBE.indexOf("clock: 3 ticks") + 1;
        const want = [...AFTER_PROBE.slice(0, from), cpu, ...AFTER_PROBE.slice(from)];
        assertEquals(lines.slice(-want.length), want);
      }
    });
    await step("works as its command line says", async () => {
      const lines = await boot(undefined, "-append", "quiet workload=mixed count=20");
      assertEquals(lines.slice(-4), [
        "workload: mixed",
        "workload: done",
        "memory: all that the processes had is free again",
        "ready",
      ]);
    });
    await step("refuses a ROM of another licence", async () => {
      const lines = await boot({ licence: "GPL " });
      assertEquals(lines.slice(2, 4), [
        "paravirt: ROM not used, its licence is not GPL",
        "paravirt: no ROM, running natively",
      ]);
    });
    await step("refuses a ROM of another interface version", async () => {
      const lines = await boot({ api: [13, 0] });
      assertEquals(lines.slice(1, 3), [
        "paravirt: found mismatched ROM version",
        "paravirt: no ROM, running natively",
      ]);
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

/** The kernel as nasm assembles it. */
function assembled(folder: string, nasm: string): Uint8Array {
  Deno.writeTextFileSync(`${folder}/k.asm`, `bits 32\norg 0xC0100000\n${minikernelSource()}`);
  const built = new Deno.Command(nasm, { args: ["-f", "bin", "-o", `${folder}/k.bin`, `${folder}/k.asm`] })
    .outputSync();
  assertEquals(new TextDecoder().decode(built.stderr), "");
  return Deno.readFileSync(`${folder}/k.bin`);
}

/** Lines on the serial port up to `ready`. */
async function bootUnderQemu(
  folder: string,
  nasm: string,
  qemu: string,
  rom: ParavirtRomOptions | undefined,
  more: readonly string[],
): Promise<string[]> {
  Deno.writeFileSync(`${folder}/k`, assembled(folder, nasm));
  const args = ["-kernel", `${folder}/k`, "-m", "16", "-display", "none", "-serial", "stdio", "-monitor", "none"];
  args.push(...more);
  if (rom !== undefined) {
    Deno.writeFileSync(`${folder}/rom`, buildParavirtRom(native({ hypercalls: false }), rom).bytes);
    args.push("-option-rom", `${folder}/rom`);
  }
  const child = new Deno.Command(qemu, { args, stdin: "null", stdout: "piped", stderr: "null" }).spawn();
  const timer = setTimeout(() => child.kill(), 180_000);
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (/^ready\r?$/m.test(text)) break;
  }
  clearTimeout(timer);
  try {
    child.kill();
  } catch {
    // It has ended already.
  }
  await child.status;
  return text.replaceAll("\r", "").trim().split("\n");
}
