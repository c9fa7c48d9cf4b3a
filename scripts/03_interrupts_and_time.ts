#!/usr/bin/env -S deno run
/**
 * Lesson 3, interrupts and time: a real-mode guest programs the 8259 and the 8254 of a PC for 1000 ticks a second and
 * sleeps. Time is virtual, so a tenth of a second is the same on every computer. Needs no permission.
 */
import { asm16, expect, MiB, pc } from "../mod.ts";

const m = pc({ memory: 4 * MiB });
m.load(
  0x7c00,
  asm16`
    mov word [0x20], tick ; vector 8, offset and segment
    mov word [0x22], 0
    mov al, 0x11          ; first 8259: edge triggered, vectors from 8
    out 0x20, al
    mov al, 8
    out 0x21, al
    mov al, 4
    out 0x21, al
    mov al, 1
    out 0x21, al
    mov al, 0xfe          ; only IRQ 0
    out 0x21, al
    mov al, 0x34          ; 8254: counter 0, mode 2, 1193 = 1193182 Hz / 1000
    out 0x43, al
    mov al, 0xa9
    out 0x40, al
    mov al, 4
    out 0x40, al
    sti
  sleep:
    hlt
    jmp sleep
  tick:
    inc word [0x600]
    mov al, 0x20
    out 0x20, al
    iret
  `,
);

const times: number[] = [];
m.onInterrupt(8, () => times.push(m.now));
const stop = m.run({ ticks: m.clock.hz / 10 });
expect(stop.kind).toBe("budget");
expect(m.now).toBe(m.clock.hz / 10);
expect(m.read(0x600, 16)).toBe(times.length);
expect(times.length).toBeGreaterThanOrEqual(99);
expect(times.length).toBeLessThanOrEqual(101);
const gap = (times[50] - times[0]) / 50 / m.clock.hz;
expect(gap).toBeCloseTo(0.001, 0.00001);
console.log(`${times.length} interrupts in a tenth of a second, ${(gap * 1e6).toFixed(1)} microseconds apart.`);
console.log(`The guest slept most of it: it executed only ${m.cpu.instructions} instructions.`);
