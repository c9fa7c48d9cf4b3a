#!/usr/bin/env -S deno run
/**
 * Lesson 1, the first script: compose a machine of a CPU and memory, load a program written in assembler, run it within
 * a budget, look at registers and memory, and state what must come out. Needs no permission.
 */
import { asm, expect, hex32, i386, machine, MiB, ram } from "../mod.ts";

const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })] });

// The sum of 1 to 10, left in memory. The first program that is loaded is also where the CPU starts.
m.load(
  0x7c00,
  asm`
    xor eax, eax
    mov ecx, 10
  next:
    add eax, ecx
    dec ecx
    jnz next
    mov [0x1000], eax
    hlt
  `,
);
console.log("The program begins with:");
for (const line of m.cpu.disassemble(0x7c00, 3)) console.log(`  ${line}`);

// A single step first, then the rest. A run always ends, with a reason.
m.step();
console.log(`After one step EIP is ${hex32(m.cpu.eip)}.`);
const stop = m.run({ instructions: 1_000 });
expect(stop.kind).toBe("halt");
expect(m.cpu.eax).toBe(55);
expect(m.read(0x1000)).toBe(55);
console.log(`The sum is ${m.read(0x1000)}; it took ${m.cpu.instructions} instructions.`);

// A budget that is too small is an answer as well, not an error.
m.reset();
expect(m.run({ instructions: 5 }).kind).toBe("budget");
console.log(`After five instructions EAX is ${m.cpu.eax}.`);
expect(m.cpu.eax).toBe(10);
