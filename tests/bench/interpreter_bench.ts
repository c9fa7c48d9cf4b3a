/**
 * Speed of the engines on small integer loops, as millions of guest instructions a second (each benchmark iteration
 * runs a million). Figures are for reading side by side in one run; nothing is gated on them.
 */
import { i386 } from "../../lib/cpu/i386/factory.ts";
import { machine } from "../../lib/machine/machine.ts";
import type { Machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";

/** Instructions of one iteration. */
const INSTRUCTIONS = 1_000_000;

/** Loops that never end, as machine code with its mnemonics. */
const KERNELS: Readonly<Record<string, readonly number[]>> = {
  // l: add eax,2; dec ecx; jnz l; jmp l
  "register loop": [0x83, 0xc0, 2, 0x49, 0x75, 0xfa, 0xeb, 0xf8],
  // l: mov eax,[ebx]; add eax,ecx; mov [ebx],eax; add ebx,4; and ebx,0xffff; add ebx,0 ; jmp l
  "memory sweep": [0x8b, 0x03, 0x01, 0xc8, 0x89, 0x03, 0x83, 0xc3, 4, 0x81, 0xe3, 0xff, 0x3f, 0, 0, 0xeb, 0xef],
  // l: call f; jmp l; f: push ebp; mov ebp,esp; pop ebp; ret
  "calls": [0xe8, 2, 0, 0, 0, 0xeb, 0xf9, 0x55, 0x89, 0xe5, 0x5d, 0xc3],
  // l: imul eax,edx,69069; inc eax; mov edx,eax; shr edx,7; xor eax,edx; jmp l
  "multiply and shift": [0x69, 0xc2, 0xcd, 0x0d, 1, 0, 0x40, 0x89, 0xc2, 0xc1, 0xea, 7, 0x31, 0xd0, 0xeb, 0xf0],
};

function prepare(engine: "interpreter" | "reference", code: readonly number[]): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })] });
  m.load(0x8_0000, { bits: 32, assemble: () => Uint8Array.from(code) });
  m.cpu.set("esp", 0x7_0000);
  m.cpu.set("ebx", 0x1_0000);
  return m;
}

for (const [name, code] of Object.entries(KERNELS)) {
  const m = prepare("interpreter", code);
  m.run({ instructions: 20 * INSTRUCTIONS });
  Deno.bench({
    name: `interpreter: ${name}, 1 M instructions`,
    group: name,
    baseline: true,
    fn: () => void m.run({ instructions: INSTRUCTIONS }),
  });
  const r = prepare("reference", code);
  Deno.bench({
    name: `reference: ${name}, 10 k instructions`,
    group: name,
    fn: () => void r.run({ instructions: INSTRUCTIONS / 100 }),
  });
}

Deno.bench({
  name: "new machine to first instruction",
  fn: () => void prepare("interpreter", [0xeb, 0xfe]).run({ instructions: 1 }),
});
