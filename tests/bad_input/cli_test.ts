/**
 * The command line as a process, over real files that are missing, vanish, are folders, have no end or may not be read, and
 * on a real terminal that must be as before when the program has ended.
 */
import { readBounded } from "../../scripts/cli/host_io.ts";
import { TooLarge } from "../../scripts/cli/io.ts";
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  fromFileUrl,
  join,
} from "../../scripts/deps/std.ts";

const PROGRAM = fromFileUrl(new URL("../../scripts/vmikit.ts", import.meta.url));
const START = ["run", "--no-prompt", "--allow-read", "--allow-write", PROGRAM];

/** What a process did. */
interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(program: string, args: readonly string[], signal?: AbortSignal): Promise<Ran> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
    ...(signal === undefined ? {} : { signal }),
  }).output();
  const text = new TextDecoder();
  return { code, out: text.decode(stdout), err: text.decode(stderr) };
}

const vmikit = (...args: string[]): Promise<Ran> => run(Deno.execPath(), [...START, ...args]);

/** Runs `fn` with a fresh folder. */
async function inFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "vmikit-cli-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("vmikit names a file that is missing, a folder or empty, and ends with 64", async () => {
  await inFolder(async (folder) => {
    const empty = join(folder, "empty");
    await Deno.writeFile(empty, new Uint8Array(0));
    const cases: readonly (readonly [args: string[], says: string])[] = [
      [["boot", "--kernel", join(folder, "no")], "no such file or directory; check the path"],
      [["boot", "--kernel", folder], "it is a directory; name a file"],
      [["boot", "--kernel", empty], "Cannot tell what"],
      [["boot", "--bios", empty], "0 bytes"],
      [["flat", "--image", `${folder}@0x7c00`], "it is a directory; name a file"],
      [["disasm", "/dev/zero"], "more than 256 MiB; is it the right file"],
      [["asm", empty, "-o", join(folder, "no", "x")], "Cannot write code"],
      [["run", folder], "it is a directory; name a file"],
    ];
    for (const [args, says] of cases) {
      const { code, out, err } = await vmikit(...args);
      assertEquals([args, code, out], [args, 64, ""]);
      assertStringIncludes(err, says);
      assert(!err.includes("bug"), err);
    }
  });
});

Deno.test("readBounded() reads what it opened, though the name vanishes or the file changes meanwhile", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "image");
    for (let round = 0; round < 20; round++) {
      await Deno.writeFile(path, new Uint8Array(1 << 20).fill(round));
      const [bytes] = await Promise.all([
        readBounded(path).catch((error) => error),
        round % 2 === 0 ? Deno.remove(path) : Deno.truncate(path, 1000),
      ]);
      // Either the file was opened in time, whole or cut, or it was not there any more: nothing between.
      if (bytes instanceof Uint8Array) assert(bytes.every((b) => b === round) && bytes.length <= 1 << 20);
      else assert(bytes instanceof Deno.errors.NotFound, String(bytes));
    }
  });
});

Deno.test("readBounded() refuses files and devices without end before memory is spent", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "sparse");
    await Deno.writeFile(path, new Uint8Array(1));
    await Deno.truncate(path, 2 ** 40);
    await assertRejects(() => readBounded(path), TooLarge);
    await assertRejects(() => readBounded(folder), Deno.errors.IsADirectory);
    await Deno.truncate(path, 0x10001);
    assertEquals((await readBounded(path)).length, 0x10001);
  });
});

Deno.test("vmikit says that it may not read a file", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "secret");
    await Deno.writeFile(path, new Uint8Array(512));
    const denied = await run(Deno.execPath(), ["run", "--no-prompt", PROGRAM, "disasm", path]);
    assertEquals(denied.code, 64);
    assertStringIncludes(denied.err, "Deno was started without this permission; use deno task vmikit");
    await Deno.chmod(path, 0);
    if (await Deno.readFile(path).then(() => true, () => false)) return; // root may read everything
    const { code, err } = await vmikit("disasm", path);
    assertEquals(code, 64);
    assertStringIncludes(err, "not permitted; check the rights of the file");
  });
});

/** Is util-linux's `script` here, which gives a program a terminal? */
const pty = await run("script", ["--version"]).then(({ out }) => out.includes("util-linux"), () => false);

/** mov al, 'R'; out to 0x3f8; then echo for ever. */
const ECHO = [
  0xba,
  0xf8,
  3,
  0xb0,
  0x52,
  0xee,
  0xb2,
  0xfd,
  0xec,
  0xa8,
  1,
  0x74,
  0xf9,
  0xb2,
  0xf8,
  0xec,
  0xee,
  0xeb,
  0xf3,
];

const noPty = pty ? "" : " (script of util-linux is not here)";

/**
 * Runs shell commands at a terminal; `guest` in them is vmikit with the echo program.
 * @param react Called with all output so far after each piece; what it returns is typed.
 */
async function atTerminal(commands: string, react: (said: string) => Uint8Array | undefined): Promise<string> {
  let said = "";
  await inFolder(async (folder) => {
    const image = join(folder, "echo");
    await Deno.writeFile(image, Uint8Array.from(ECHO));
    const guest = [Deno.execPath(), ...START, "flat", "--image", `${image}@0x7c00`, "--instructions", "100G"].join(" ");
    const child = new Deno.Command("script", {
      args: ["-qec", `bash -c '${commands.replace("guest", guest)}'`, "/dev/null"],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      env: { NO_COLOR: "1" },
    }).spawn();
    const keys = child.stdin.getWriter();
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      const typed = react(said);
      if (typed !== undefined) await keys.write(typed);
    }
    await keys.close().catch(() => {}); // it may be closed from the other side
    await child.status;
  });
  return said;
}

/** What `stty -g` printed, in order. */
function states(said: string): string[] {
  return said.match(/^[0-9a-f]+(:[0-9a-f]+){10,}/gm) ?? [];
}

Deno.test({
  name: `a terminal is as before when Ctrl-A x has ended vmikit, and Ctrl-C went to the guest${noPty}`,
  ignore: !pty,
  async fn() {
    let step = 0;
    const said = await atTerminal("stty -g; guest; echo code $?; stty -g", (so) => {
      if (step === 0 && so.includes("\nR")) return ++step, Uint8Array.of(0x71, 3); // q, Ctrl-C
      if (step === 1 && so.includes("q\x03")) return ++step, Uint8Array.of(1, 0x78); // Ctrl-A x
      return undefined;
    });
    assertStringIncludes(said, "code 130");
    assertEquals(states(said).length, 2, said);
    assertEquals(states(said)[1], states(said)[0]);
  },
});

Deno.test({
  name: `a terminal is as before when SIGTERM has ended vmikit${noPty}`,
  ignore: !pty,
  async fn() {
    const during = 'until stty -g | grep -qv "$s"; do sleep 0.1; done; sleep 0.5; echo; stty -g';
    const said = await atTerminal(
      `s=$(stty -g); echo "$s"; guest </dev/tty & p=$!; ${during}; kill -TERM $p; wait $p; echo code $?; stty -g`,
      () => undefined,
    );
    assertStringIncludes(said, "code 143");
    const [before, raw, after] = states(said);
    assert(raw !== before, said);
    assertEquals(after, before);
  },
});
