#!/usr/bin/env -S deno run
/**
 * Lesson 6, hypercalls: boot the paravirtual guest that ships, record its calls to the hypervisor, answer one of them
 * differently, and make calls in its place. Needs no permission.
 */
import { expect, guests, inject, vmiPc } from "../mod.ts";

const m = vmiPc();
m.boot(guests.minikernel());

const seen = m.paravirt.record();
m.paravirt.override("GetWallclockTime", () => 86_400_000_000_000n); // nanoseconds: one day after 1970 began
const stop = m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
expect(stop.kind).toBe("until");
expect(m.serial.text).toContain("clock: 86400 seconds since 1970");
expect(seen.names()).toStartWith(["Init", "GetRelocationInfo"]);

console.log("The guest says:");
for (const line of m.serial.text.trim().split(/\r?\n/)) console.log(`  ${line}`);
console.log("Its hypercalls, by number:");
const counts = [...seen.counts()].sort(([, a], [, b]) => b - a);
for (const [name, count] of counts.slice(0, 5)) console.log(`  ${String(count).padStart(4)} ${name}`);

// Calls made from outside, at the boundary where the guest stands; its registers are as before.
const { eax, eip } = m.cpu;
const hz = inject(m, "GetCycleFrequency");
expect(hz).toBe(BigInt(m.clock.hz));
expect(inject(m, "GetCR3")).toBe(m.cpu.get("cr3"));
expect([m.cpu.eax, m.cpu.eip]).toEqual([eax, eip]);
console.log(`Injected GetCycleFrequency: ${hz} cycles a second.`);
