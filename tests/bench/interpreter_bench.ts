/**
 * Speed of the engines on small integer and x87 programs: each iteration runs a million guest instructions (the reference
 * engine ten thousand), so a millisecond is 1000 MIPS. Figures are for reading side by side in one run; nothing is gated on
 * them.
 */
import { asm, i386, machine, ram } from "../../mod.ts";
import { KERNELS } from "../../scripts/bench/kernels.ts";
import { prepare } from "../../scripts/bench/measure.ts";

/** Instructions of one iteration. */
const INSTRUCTIONS = 1_000_000;

for (const kernel of KERNELS) {
  const m = prepare(kernel, "interpreter");
  m.run({ instructions: 20 * INSTRUCTIONS });
  Deno.bench({
    name: `interpreter: ${kernel.name}, 1 M instructions`,
    group: kernel.name,
    baseline: true,
    fn: () => void m.run({ instructions: INSTRUCTIONS }),
  });
  const r = prepare(kernel, "reference");
  Deno.bench({
    name: `reference: ${kernel.name}, 10 k instructions`,
    group: kernel.name,
    fn: () => void r.run({ instructions: INSTRUCTIONS / 100 }),
  });
}

const IDLE = asm`jmp $`;
Deno.bench({
  name: "new machine to first instruction",
  fn: () => {
    const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 << 20 })] });
    m.load(0x8_0000, IDLE).run({ instructions: 1 });
  },
});
