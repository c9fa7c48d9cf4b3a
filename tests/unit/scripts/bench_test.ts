/**
 * The benchmark programs do the same work everywhere, and the table says what was measured. No speed is asserted.
 */
import { type EngineName, MiB, multiboot, pc } from "../../../mod.ts";
import { timed } from "../../../scripts/bench/cpu_time.ts";
import { DONE, endless, linuxProgram, multibootImage } from "../../../scripts/bench/images.ts";
import { DATA, KERNELS } from "../../../scripts/bench/kernels.ts";
import { geomean, prepare } from "../../../scripts/bench/measure.ts";
import { findPeers } from "../../../scripts/bench/peers.ts";
import { table } from "../../../scripts/bench/table.ts";
import { ENGINES } from "../../../scripts/cli/options.ts";
import { assert, assertAlmostEquals, assertEquals, assertStringIncludes } from "../../../scripts/deps/std.ts";
import { toolSync } from "../../guests/tool.ts";

for (const kernel of KERNELS) {
  Deno.test(`benchmark program ${kernel.name} ends alike on every engine and leaves a result`, () => {
    const outcome = (engine: EngineName): unknown => {
      const m = pc({ memory: 4 * MiB, engine });
      m.boot(multiboot({ kernel: multibootImage(kernel, 2) }));
      assertEquals(m.run({ instructions: 300_000, until: m.serial.contains(DONE) }).kind, "until");
      return { data: m.peek(DATA, 0x1_0000), eax: m.cpu.eax, ebx: m.cpu.get("ebx"), count: m.cpu.instructions };
    };
    const [first, ...others] = ENGINES.map(outcome);
    for (const other of others) assertEquals(other, first);
    const m = prepare(kernel, "interpreter");
    assertEquals(m.run({ instructions: 200_000 }).kind, "budget");
    assert(m.cpu.pc >= 0x10_0000 && m.cpu.pc < 0x10_0000 + endless(kernel).bytes.length);
  });
}

const native = toolSync("gcc-m32"); // its proof is that the host runs 32-bit programs

Deno.test({
  name: `benchmark programs run on the host CPU${native.available ? "" : " (no 32-bit programs here)"}`,
  ignore: !native.available,
  async fn() {
    const path = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
    try {
      for (const kernel of KERNELS) {
        await Deno.writeFile(path, linuxProgram(kernel, 3));
        await Deno.chmod(path, 0o755);
        const { code, seconds } = await timed([path]);
        assertEquals([kernel.name, code], [kernel.name, 0]);
        assert(seconds >= 0);
      }
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("timed() gives the exit code, the CPU time and the last words, and ends what does not end", async () => {
  const { code, said, seconds } = await timed([
    "bash",
    "-c",
    "for ((i=0;i<100000;i++)); do :; done; echo no >&2; exit 7",
  ]);
  assertEquals([code, said], [7, "no"]);
  assert(seconds > 0.01 && seconds < 60, `${seconds}`);
  assertEquals((await timed(["sleep", "60"], 0.2)).code, 124);
});

Deno.test("table() shows figures, ratios and who is missing", () => {
  const figures = KERNELS.flatMap(({ name, kind }) => [
    { kernel: name, kind, peer: "vmikit interpreter", millions: 1, seconds: 0.02, mips: 50 },
    { kernel: name, kind, peer: "v86", millions: 1, seconds: 0.01, mips: 200 },
  ]);
  const empty = { "vmikit interpreter": 0.2, v86: 0.3 };
  const text = table({ figures, missing: ["QEMU TCG: not installed"], failures: ["v86 failed on sieve"], empty });
  assertStringIncludes(text, "| sieve | 50.0 | 200 | 0.25 |");
  assertStringIncludes(text, "| **x87, geometric mean** | 50.0 | 200 | 0.25 |");
  assertStringIncludes(text, "FAILED: v86 failed on sieve.");
  assertStringIncludes(text, "Not run: QEMU TCG: not installed.");
  assertAlmostEquals(geomean([2, 8]), 4);
});

Deno.test("findPeers() has every engine but the slow one, and has or names the others", async () => {
  const { peers, missing } = await findPeers();
  const names = peers.map((peer) => peer.name);
  assertEquals(
    names.filter((n) => n.startsWith("vmikit ")),
    ENGINES.filter((e) => e !== "reference").map((e) => `vmikit ${e}`),
  );
  for (const name of ["v86", "QEMU TCG", "Unicorn", "host CPU"]) {
    assert(names.includes(name) !== missing.some((text) => text.startsWith(`${name}: `)), `${name}: ${missing}`);
  }
});
