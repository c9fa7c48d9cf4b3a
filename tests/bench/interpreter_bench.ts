/**
 * Speed of the engines on small integer loops, as millions of guest instructions a second (each benchmark iteration
 * runs a million). Figures are for reading side by side in one run; nothing is gated on them.
 */
import { asm, type AsmSource } from "../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import { machine } from "../../lib/machine/machine.ts";
import type { Machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";

/** Instructions of one iteration. */
const INSTRUCTIONS = 1_000_000;

/** Loops that never end. */
const KERNELS: Readonly<Record<string, AsmSource>> = {
  "register loop": asm`
    again: add eax, 2
           dec ecx
           jnz again
           jmp again`,
  "memory sweep": asm`
    again: mov eax, [ebx]
           add eax, ecx
           mov [ebx], eax
           add ebx, 4
           and ebx, 0x3fff
           jmp again`,
  "calls": asm`
    again: call leaf
           jmp again
    leaf:  push ebp
           mov ebp, esp
           pop ebp
           ret`,
  "multiply and shift": asm`
    again: imul eax, edx, 69069
           inc eax
           mov edx, eax
           shr edx, 7
           xor eax, edx
           jmp again`,
  "string copy": asm`
    again: mov esi, 0x10000
           mov edi, 0x20000
           mov ecx, 1024
           rep movsd
           jmp again`,
  "x87 multiply and add": asm`
           fninit
           fld1
           fldpi
    again: fmul st1, st0
           fadd st1, st0
           fxch st1
           fxch st1
           jmp again`,
};

function prepare(engine: "interpreter" | "reference", code: AsmSource): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })] });
  m.load(0x8_0000, code);
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

const IDLE = asm`jmp $`;
Deno.bench({
  name: "new machine to first instruction",
  fn: () => void prepare("interpreter", IDLE).run({ instructions: 1 }),
});
