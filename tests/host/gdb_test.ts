/**
 * GDB's real client against `vmikit gdb`: registers, memory, breakpoints, watchpoints, steps, and all of it backwards.
 */
import { asm } from "../../mod.ts";
import { ENGINES } from "../../scripts/cli/options.ts";
import { assert, assertEquals, assertStringIncludes, fromFileUrl, join } from "../../scripts/deps/std.ts";
import { toolSync } from "../guests/tool.ts";

const gdb = toolSync("gdb");
const PROGRAM = fromFileUrl(new URL("../../scripts/vmikit.ts", import.meta.url));

/** Doubles EAX into [0x9000] ten times, then an x87 and an SSE register, then an instruction that is not there. */
const GUEST = asm`
  mov eax, 1
  mov ebx, 0x9000
again:
  add eax, eax
  mov [ebx], eax
  inc ecx
  cmp ecx, 10
  jb again
  fninit
  fldpi
  ud2`;

interface Debugged {
  readonly gdb: string;
  readonly code: number;
  readonly out: string;
}

/** Starts a guest, lets GDB do the commands, and returns what both said. */
async function debug(engine: string, commands: readonly string[]): Promise<Debugged> {
  const folder = await Deno.makeTempDir({ prefix: "vmikit-gdb-" });
  try {
    const image = join(folder, "guest.bin");
    await Deno.writeFile(image, GUEST.bytes);
    const server = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--allow-read", "--allow-net=127.0.0.1", PROGRAM, "gdb", "--json", "--listen", "0"],
        ...["--image", `${image}@0x7c00`, "--mode", "protected", "--engine", engine],
      ],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let out = "";
    let said = "";
    for await (const text of server.stdout.pipeThrough(new TextDecoderStream())) {
      out += text;
      if (said !== "" || !out.includes("\n")) continue;
      const { listening } = JSON.parse(out.split("\n", 1)[0]);
      const all = ["set pagination off", "set confirm off", `target remote ${listening}`, ...commands, "detach"];
      const client = await new Deno.Command("gdb", {
        args: ["-nx", "-q", "-batch", ...all.flatMap((command) => ["-ex", command])],
        env: { LC_ALL: "C", HOME: folder },
        stdin: "null",
      }).output();
      said = new TextDecoder().decode(client.stdout) + new TextDecoder().decode(client.stderr) + "\n";
    }
    return { gdb: said, code: (await server.status).code, out };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The values of `$1`, `$2`, ... in order. */
function values(said: string): string[] {
  return [...said.matchAll(/^\$\d+ = (.*)$/gm)].map((m) => m[1]);
}

const missing = gdb.available ? "" : ` (${gdb.reason})`;

for (const engine of ENGINES) {
  Deno.test({
    name: `GDB attaches, reads and writes, breaks, watches and steps (${engine})${missing}`,
    ignore: !gdb.available,
    async fn() {
      const { gdb: said, code, out } = await debug(engine, [
        ...["p/x $eip", "x/2i $eip", "stepi 2", "p/x $ebx"],
        ...["break *0x7c0a", "continue", "p $ecx", "continue", "p $ecx", "delete"],
        ...["watch *(int*)0x9000", "continue", "p *(int*)0x9000", "delete"],
        ...["rwatch *(int*)0x9000", "delete", "set var $ecx = 9", "set var *(int*)0x9004 = 77", "p *(int*)0x9004"],
        ...["hbreak *0x7c18", "continue", "p $st0", "p/x $ftag", "p $mxcsr", "info threads", "monitor where"],
      ]);
      assertEquals(values(said).slice(0, 6), ["0x7c00", "0x9000", "1", "2", "8", "77"], said);
      assertStringIncludes(said, "mov    $0x1,%eax");
      assertStringIncludes(said, "Breakpoint 1, 0x00007c0a");
      assertStringIncludes(said, "Old value = 4\nNew value = 8");
      assertStringIncludes(values(said)[6], "3.14159265358979323851");
      assertEquals(values(said).slice(7), ["0x3fff", "[ IM DM ZM OM UM PM ]"], said);
      assertStringIncludes(said, "Thread 1 (cpu0)");
      assertStringIncludes(said, "cpu0 00007c18: ud2");
      assertEquals(code, 0);
      assertStringIncludes(out, '"exit":0');
    },
  });
}

for (const engine of ENGINES) {
  Deno.test({
    name:
      `GDB goes back: single steps, to a watched write, to a breakpoint, to the beginning, from a triple fault (${engine})${missing}`,
    ignore: !gdb.available,
    async fn() {
      const { gdb: said } = await debug(engine, [
        ...["continue", "p/x $eip", "p $ecx"], // the fault that nobody handles
        ...["reverse-stepi", "p/x $eip", "reverse-stepi", "p/x $eip"],
        ...["watch *(int*)0x9000", "reverse-continue", "p/x $eip", "p $ecx", "p *(int*)0x9000", "delete"],
        ...["break *0x7c0a", "reverse-continue", "reverse-continue", "p $ecx", "delete"],
        ...["reverse-continue", "p/x $eip", "p $ecx", "stepi", "p/x $eip"],
      ]);
      assertStringIncludes(said, "SIGSEGV");
      assertStringIncludes(said, "no handler for fault 6");
      assertStringIncludes(said, "No more reverse-execution history");
      const [, ...rest] = values(said);
      assertEquals(
        rest,
        ["10", "0x7c18", "0x7c16", "0x7c0c", "9", "512", "8", "0x7c00", "0", "0x7c05"],
        said,
      );
      assert(values(said)[0] === "0x7c18", said);
    },
  });
}
