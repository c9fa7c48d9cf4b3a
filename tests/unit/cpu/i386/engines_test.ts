/**
 * All engines side by side: random programs of tree instructions in every mode of segments and sizes must end in the
 * same registers, flags, memory, tick count and fault. The pages of code are written by the programs themselves now and
 * then, and programs cross a page end.
 */
import { Prng } from "../../../../lib/base/prng.ts";
import { interpreter } from "../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../lib/cpu/i386/engines/reference.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { prepare } from "./random_program.ts";
import { MODES, Rig, setMode } from "./rig.ts";

const EAGER = jit({ threshold: 1 });

for (const mode of MODES) {
  Deno.test(`engines agree on random tree instructions: ${mode.name}`, () => {
    const rigs = [new Rig(interpreter), new Rig(reference), new Rig(EAGER)];
    for (let seed = 1; seed <= 300; seed++) {
      const limit = 1 + new Prng(seed).below(24);
      const [a, b, c] = rigs.map((rig) => {
        prepare(rig, mode, seed);
        try {
          return rig.outcome(rig.cpu.run(limit));
        } catch (error) {
          return { stopped: String(error).slice(0, 60) }; // an instruction that is not there yet
        }
      });
      assertEquals(a, b, `${mode.name}, seed ${seed}, limit ${limit}`);
      assertEquals(c, b, `jit, ${mode.name}, seed ${seed}, limit ${limit}`);
    }
  });
}

for (const engine of [interpreter, reference, EAGER]) {
  Deno.test(`${engine.name}: an instruction over a page end is decoded again after a write to its second page`, () => {
    const rig = new Rig(engine), { cpu, space } = rig;
    setMode(cpu, MODES[0]);
    // 4ffe: add byte [0x5004], 1, whose immediate lies at 5004; 5005: jmp 4ffe
    space.writePhysical(0x4ffe, Uint8Array.of(0x80, 0x05, 0x04, 0x50, 0x00, 0x00, 0x01, 0xeb, 0xf7));
    cpu.set("eip", 0x4ffe);
    assertEquals(cpu.run(5), "count");
    const immediate = new Uint8Array(1);
    space.readPhysical(0x5004, immediate);
    assertEquals(immediate[0], 8); // 1, 2, 4, 8: the instruction adds its own immediate to itself
    assertEquals(cpu.pc, 0x5005);
  });
}
