/** A bounded sample of the lockstep runs, the harness against an engine that is wrong, memory under changing code. */
import type { EngineFactory } from "../../lib/cpu/i386/engine.ts";
import { interpreter } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { assert, assertEquals, assertGreater } from "../../scripts/deps/std.ts";
import { change } from "./changing.ts";
import { compare, Pair, shrink } from "./lockstep.ts";
import { generate } from "./programs.ts";
import { VARIANTS } from "./variants.ts";

for (const variant of Object.keys(VARIANTS)) {
  Deno.test(`lockstep: JIT and interpreter agree, ${variant}`, () => {
    const { reports, boundaries } = compare(variant, 10_001, 25);
    assertEquals(reports, []);
    assertGreater(boundaries, 300);
  });
}

/** The interpreter, but EDI changes when a slice ends with EBX odd. */
const WRONG: EngineFactory = {
  ...interpreter,
  name: "wrong",
  create(cpu) {
    const engine = interpreter.create(cpu);
    const run = engine.run.bind(engine);
    engine.run = (): boolean => {
      const faulted = run();
      if ((cpu.state.reg32(3) & 1) !== 0) cpu.state.setReg32(7, cpu.state.reg32(7) ^ 4);
      return faulted;
    };
    return engine;
  },
};

Deno.test("lockstep: an engine that is wrong is found, and its program shrinks to less than the whole", () => {
  const pair = new Pair(() => WRONG);
  const found = [...Array(50).keys()].map((i) => generate(i + 1)).find((p) => pair.difference(p) !== undefined);
  assert(found !== undefined);
  const small = shrink(pair, found);
  assert(pair.difference(small) !== undefined);
  const parts = (blocks: typeof small.blocks): number => blocks.reduce((sum, b) => sum + b.parts.length, 0);
  assertGreater(parts(found.blocks), parts(small.blocks));
});

Deno.test("JIT: memory does not grow without bound while code changes all the time", async () => {
  const { early, late, samples } = await change(60, () => Deno.memoryUsage().rss, 20);
  assert(late < early + (192 << 20), `${early >> 20} MiB at first, ${late >> 20} MiB later`);
  assertEquals(samples.length, 10);
  const last = samples[9];
  assertGreater(last.made, samples[4].made, "code is translated all the time");
  assertGreater(last.made, last.alive + 500, "modules of code that is gone are gone");
});
