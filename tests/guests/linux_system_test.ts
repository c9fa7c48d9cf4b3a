/**
 * The system program of the benchmarks (system calls, pipes, fork and exec, page faults) comes to its known results under
 * Debian's kernel, and both fast engines go the same way from its first line to its last. No speed is asserted.
 */
import { type EngineName, linux, type Machine, MiB, pc } from "../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { PARTS, systemInitrd, systemMark } from "../bench/system.ts";
import { guestSync } from "./guest.ts";
import { toolSync } from "./tool.ts";

const kernel = guestSync("linux-686"), gcc = toolSync("gcc-m32");
const missing = [kernel, gcc].find((g) => !g.available);

/** Runs to the end of the last part, or until something is wrong. */
function finish(m: Machine): unknown {
  const last = m.serial.contains(systemMark(PARTS[PARTS.length - 1]));
  const { kind } = m.run({ until: last, instructions: 400_000_000 });
  return { kind, said: m.serial.tail(500), count: m.cpu.instructions, eip: m.cpu.pc };
}

Deno.test({
  name: `system benchmark gives its known results on every fast engine${
    missing ? " (kernel or compiler missing)" : ""
  }`,
  ignore: missing !== undefined,
  async fn() {
    if (!kernel.available) return;
    const make = (engine: EngineName): Machine => pc({ memory: 64 * MiB, engine });
    const jit = make("jit");
    const initrd = await systemInitrd(0.01);
    jit.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: "console=ttyS0 nokaslr quiet" }));
    const up = jit.run({ until: jit.serial.contains(systemMark("begin")), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", jit.serial.tail(2000));
    const here = jit.snapshot();
    const interpreter = make("interpreter");
    interpreter.restore(here);
    const expected = finish(jit);
    for (const part of PARTS) assertStringIncludes(jit.serial.text, systemMark(part));
    assertEquals(finish(interpreter), expected);
  },
});
