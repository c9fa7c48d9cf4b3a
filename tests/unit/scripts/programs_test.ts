/**
 * The further programs of the comparison give their known results on both fast engines and on the host CPU, and a result
 * that is not the known one is told. No speed is asserted.
 */
import { type EngineName, MiB, multiboot, pc } from "../../../mod.ts";
import { timed } from "../../../scripts/bench/cpu_time.ts";
import { DONE, linuxProgram, multibootImage, WRONG } from "../../../scripts/bench/images.ts";
import { checkedLoop, type Kernel } from "../../../scripts/bench/kernels.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { furtherPrograms } from "../../bench/programs.ts";
import { toolSync } from "../../guests/tool.ts";

const gcc = toolSync("gcc-m32");
const skip = gcc.available ? "" : " (no 32-bit compiler here)";

/** What a program says after doing its work once or twice, and how many instructions that took. */
function outcome(kernel: Kernel, engine: EngineName, times: number): unknown {
  const m = pc({ memory: 4 * MiB, engine });
  m.boot(multiboot({ kernel: multibootImage(kernel, times) }));
  const { kind } = m.run({ instructions: 30_000_000 });
  return { kind, said: m.serial.text, count: m.cpu.instructions };
}

Deno.test({
  name: `further benchmark programs give their known results on every fast engine${skip}`,
  ignore: !gcc.available,
  async fn(t) {
    const { programs, missing } = await furtherPrograms();
    assertEquals(missing, []);
    assertEquals(new Set(programs.map((p) => p.kind)), new Set(["integer", "x87", "code", "short"]));
    for (const kernel of programs.filter((p) => p.kind !== "short")) {
      await t.step(kernel.name, () => {
        const interpreter = outcome(kernel, "interpreter", 2), jit = outcome(kernel, "jit", 2);
        assertEquals((interpreter as { said: string }).said, DONE);
        assertEquals(jit, interpreter);
      });
    }
  },
});

Deno.test({
  name: `further benchmark programs give their known results on the host CPU${skip}`,
  ignore: !gcc.available,
  async fn() {
    const path = await Deno.makeTempFile({ prefix: "vmikit-bench-" });
    try {
      for (const kernel of (await furtherPrograms()).programs.filter((p) => p.kind !== "short")) {
        await Deno.writeFile(path, linuxProgram(kernel, 2));
        await Deno.chmod(path, 0o755);
        assertEquals([kernel.name, (await timed([path])).code], [kernel.name, 0]);
      }
      const liar: Kernel = { name: "liar", kind: "integer", source: checkedLoop("mov eax, 1"), checked: true };
      await Deno.writeFile(path, linuxProgram(liar, 2));
      assertEquals((await timed([path])).code, 1);
    } finally {
      await Deno.remove(path);
    }
  },
});

Deno.test("multibootImage() of a program with a wrong result says so", () => {
  const source = checkedLoop("xor eax, eax\ncmp ecx, 2\nsete al"); // wrong once in two times
  const liar: Kernel = { name: "liar", kind: "integer", source, checked: true };
  for (const [times, said] of [[0, DONE], [1, DONE], [2, WRONG], [3, WRONG]] as const) {
    assertEquals((outcome(liar, "interpreter", times) as { said: string }).said, said);
  }
});
