#!/usr/bin/env -S deno run
/**
 * Lesson 5, snapshots: save the complete state of a machine, run on, go back, run again. The same start gives the same
 * end, to the last bit, and a change made in between gives another. Needs no permission.
 */
import { asm, expect, MiB, pc } from "../mod.ts";

// A guest that fills memory with pseudo-random numbers, for ever.
const m = pc({ memory: 4 * MiB });
m.load(
  0x7c00,
  asm`
    mov eax, 1
  again:
    mov edi, 0x100000
    mov ecx, 0x1000
  next:
    imul eax, eax, 1664525
    add eax, 1013904223
    stosd
    loop next
    jmp again
  `,
);
m.run({ instructions: 10_000 });

const start = m.snapshot();
console.log(`Snapshot after ${m.cpu.instructions} instructions: ${start.hash()}`);
m.run({ instructions: 50_000 });
const first = m.hash();
expect(first === start.hash()).toBe(false);
console.log(`50000 instructions later:              ${first}`);

m.restore(start);
expect(m.hash()).toBe(start.hash());
expect(m.cpu.instructions).toBe(10_000);
m.run({ instructions: 50_000 });
expect(m.hash()).toBe(first);
console.log(`Back, and the same way again:          ${m.hash()}`);

m.restore(start);
m.cpu.eax ^= 1; // one bit
m.run({ instructions: 50_000 });
expect(m.hash() === first).toBe(false);
console.log(`With one bit of EAX changed:           ${m.hash()}`);
