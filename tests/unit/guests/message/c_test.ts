/** The C library for guests: NPB programs made by a real compiler run on emulated machines and verify. */
import { MESSAGE_C_HEADER } from "../../../../lib/guests/message/c_source.ts";
import { cluster, elf } from "../../../../mod.ts";
import { toolSync } from "../../../guests/tool.ts";
import { assert, assertEquals, fromFileUrl } from "../../../../scripts/deps/std.ts";

const gcc = toolSync("gcc-m32");
const SOURCE = fromFileUrl(new URL("./npb.c", import.meta.url));

/** Compiles a C program over the header; an ELF file. */
async function compile(source: string, flags: readonly string[]): Promise<Uint8Array> {
  assert(gcc.available);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/vmikit_message.h`, MESSAGE_C_HEADER);
    const common = ["-m32", "-march=i686", "-mfpmath=387", "-O2", "-ffreestanding", "-nostdlib", "-static", "-no-pie"];
    const more = [
      "-fno-pic",
      "-fno-stack-protector",
      "-fno-asynchronous-unwind-tables",
      "-Wl,-Ttext=0x100000",
      "-Wl,--build-id=none",
    ];
    const args = [
      ...common,
      ...more,
      ...flags,
      "-Wall",
      "-Wno-unused-function",
      `-I${folder}`,
      "-o",
      `${folder}/a.elf`,
      source,
    ];
    const { success, stderr } = await new Deno.Command(gcc.path, { args, stderr: "piped" }).output();
    const said = new TextDecoder().decode(stderr);
    assertEquals([success, said], [true, ""]);
    return await Deno.readFile(`${folder}/a.elf`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const skip = gcc.available ? "" : " (no 32-bit compiler here)";

Deno.test({
  name: `NPB EP in C verifies on 1 and 4 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const program = elf(await compile(SOURCE, ["-DEP"]));
    for (const nodes of [1, 4]) {
      const result = await cluster({ nodes, program }).run();
      assertEquals(result.ranks.map((r) => [r.value, r.error]), new Array(nodes).fill([51285, undefined]));
    }
  },
});

Deno.test({
  name: `NPB IS class S in C verifies all 51 checks on 1, 2 and 4 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const program = elf(await compile(SOURCE, []));
    for (const nodes of [1, 2, 4]) {
      const result = await cluster({ nodes, program }).run();
      assertEquals(result.ranks.map((r) => [r.value, r.error]), new Array(nodes).fill([51, undefined]));
    }
  },
});
