/** The command line at a terminal: keys, progress, Ctrl-C. */
import { KeyFilter, Progress } from "../../../scripts/cli/console.ts";
import { Exit, type Io, type Terminal } from "../../../scripts/cli/io.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { FLAT, LOOP, vmikit } from "./vmikit.ts";

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
