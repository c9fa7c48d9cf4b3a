/** Makes guests of C programs over the message library. */
import { MESSAGE_C_HEADER } from "../../../../lib/guests/message/c_source.ts";
import { HISTORICAL_C_HEADER } from "../../../../lib/guests/message/historical_c.ts";
import { toolSync } from "../../../guests/tool.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";

/** The compiler, if one is here that makes 32-bit programs. */
export const gcc: ReturnType<typeof toolSync> = toolSync("gcc-m32");

/** Flags of every program: no C library below it, loaded at 1 MiB. */
const FLAGS = [
  ...["-m32", "-march=i686", "-O2", "-ffreestanding", "-nostdlib", "-static", "-no-pie", "-fno-pic"],
  ...["-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-Wl,-Ttext=0x100000", "-Wl,--build-id=none"],
  ...["-Wall", "-Wno-unused-function"],
];

/** Compiles a program without a warning; an ELF file. @param more Flags of this program. */
export async function compileGuest(source: string, more: readonly string[] = []): Promise<Uint8Array> {
  assert(gcc.available);
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/vmikit_message.h`, MESSAGE_C_HEADER);
    await Deno.writeTextFile(`${folder}/vmi.h`, HISTORICAL_C_HEADER);
    await Deno.writeTextFile(`${folder}/a.c`, source);
    const args = [...FLAGS, ...more, `-I${folder}`, "-o", `${folder}/a.elf`, `${folder}/a.c`];
    const { success, stderr } = await new Deno.Command(gcc.path, { args, stderr: "piped" }).output();
    assertEquals([success, new TextDecoder().decode(stderr)], [true, ""]);
    return await Deno.readFile(`${folder}/a.elf`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
