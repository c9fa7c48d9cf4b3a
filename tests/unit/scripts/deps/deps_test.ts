/**
 * The two dependency files: std's functions behave as their declarations claim, and the command line parses as documented.
 */
import * as std from "../../../../scripts/deps/std.ts";
import {
  assertEquals,
  assertInstanceOf,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "../../../../scripts/deps/std.ts";
import { Command, CommanderError, integer, InvalidArgumentError, Option } from "../../../../scripts/deps/cli.ts";

Deno.test("assertEquals() prints a diff and throws AssertionError when values differ", () => {
  const error = assertThrows(() => assertEquals({ eax: 1 }, { eax: 2 }), std.AssertionError, "eax");
  assertInstanceOf(error, Error);
});

Deno.test("assertThrows() fails when nothing is thrown, when the class or the message is another", () => {
  assertThrows(() => assertThrows(() => 0), std.AssertionError, "to throw");
  assertThrows(() => assertThrows(() => JSON.parse("{"), RangeError), std.AssertionError);
  assertThrows(() => assertThrows(() => JSON.parse("{"), SyntaxError, "no such text"), std.AssertionError);
});

Deno.test("assertRejects() resolves to the reason", async () => {
  const reason = new TypeError("gone");
  assertStrictEquals(await assertRejects(() => Promise.reject(reason), TypeError, "gone"), reason);
  await assertRejects(() => assertRejects(() => Promise.resolve(1)), std.AssertionError);
});

Deno.test("assert() and assertExists() narrow", () => {
  const n: number | undefined = [1].at(0);
  std.assert(n !== undefined);
  const m: number = n;
  const found: RegExpExecArray | null = /a/.exec("cat");
  std.assertExists(found);
  assertEquals([m, found.index], [1, 1]);
});

Deno.test("each name that std.ts re-exports is a function", () => {
  for (const [name, value] of Object.entries(std)) assertEquals(typeof value, "function", name);
});

Deno.test("paths, nearest word, sizes and durations", () => {
  assertEquals(std.join("a", "..", "b"), "b");
  assertEquals(std.dirname(std.fromFileUrl("file:///a/b.ts")), "/a");
  assertEquals(std.closestString("shadwo", ["native", "shadow"]), "shadow");
  assertEquals(std.formatBytes(1536, { binary: true }), "1.5 kiB");
  assertEquals(std.formatDuration(99674, { ignoreZero: true }), "1m 39s 674ms");
});

Deno.test("integer() reads decimal, hex and units and refuses the rest", () => {
  const parse = integer("a size", { max: 2 ** 32 });
  assertEquals(["10", "0x7c00", "16M", "1_000", "4k"].map(parse), [10, 0x7c00, 16 * 2 ** 20, 1000, 4096]);
  for (const bad of ["", "ten", "-1", "1.5", "0x", "8G", "99999999999999999999", "1 M"]) {
    assertThrows(() => parse(bad), InvalidArgumentError, "Expected a size", bad);
  }
});

Deno.test("Command infers types, passes the script's own options through, and suggests a near word", async () => {
  let got: unknown;
  const build = (): Command => {
    const program = new Command("vmikit").enablePositionalOptions().exitOverride();
    program.configureOutput({ writeErr: () => {} });
    program.command("run").exitOverride().passThroughOptions().argument("<script>").argument("[args...]")
      .option("-m, --mem <bytes>", "guest memory", integer("a number of bytes"), 16)
      .addOption(new Option("--cpu <engine>").choices(["interpreter", "jit"] as const).default("jit" as const))
      .action((script, args, options) => {
        const cpu: "interpreter" | "jit" = options.cpu;
        got = { script, args, mem: options.mem, cpu };
      });
    return program as unknown as Command;
  };
  await build().parseAsync(["run", "-m", "4K", "a.ts", "--mem", "x"], { from: "user" });
  assertEquals(got, { script: "a.ts", args: ["--mem", "x"], mem: 4096, cpu: "jit" });
  await assertRejects(() => build().parseAsync(["rum", "a.ts"], { from: "user" }), CommanderError, "Did you mean run");
  await assertRejects(
    () => build().parseAsync(["run", "--cpu", "z", "a"], { from: "user" }),
    CommanderError,
    "choices",
  );
});
