#!/usr/bin/env -S deno run
/**
 * Lesson 14, hypervisors of today: a guest asks CPUID who its hypervisor is, finds KVM, shares a clock with it and makes
 * hypercalls. The script watches them, answers one itself, takes time from the guest, and makes a call in its place.
 * Debian's kernel is such a guest: `vmikit boot --backend kvm`. Needs no permission.
 */
import { asm, expect, kvm, MiB, pc } from "../mod.ts";

const m = pc({ memory: 4 * MiB, personality: kvm(), date: "2026-01-01T00:00:00" });
m.load(
  0x7c00,
  asm`
  mov eax, 0x40000000     ; who is there?
  cpuid
  mov [0x600], ebx
  mov [0x604], ecx
  mov [0x608], edx
  mov ecx, 0x4b564d01     ; system time to 0x2000
  mov eax, 0x2001
  xor edx, edx
  wrmsr
  mov ecx, 0x4b564d03     ; stolen time to 0x2040
  mov eax, 0x2041
  wrmsr
again:
  mov eax, 9              ; CLOCK_PAIRING to 0x3000
  mov ebx, 0x3000
  xor ecx, ecx
  vmcall
  mov [0x60c], eax
  mov eax, 57             ; nobody knows this one
  vmcall
  mov [0x610], eax
  jmp again
`,
);

const seen = m.hypercalls.record();
m.run({ instructions: 24 });
const name = new TextDecoder().decode(m.physical.peek(0x600, 9));
expect(name).toBe("KVMKVMKVM");
expect(seen.names()).toEqual(["CLOCK_PAIRING", "UNKNOWN"]);
expect([m.physical.peek32(0x60c), m.physical.peek32(0x610) | 0]).toEqual([0, -1000]);
console.log(`The guest found ${name} and made these calls:`);
for (const { name, args, result } of seen.entries) console.log(`  ${name} ${JSON.stringify(args)} = ${result}`);

// The guest reads time from memory: (counter - first) times a factor.
const clock = new DataView(m.physical.peek(0x2000, 32).buffer);
const factor = clock.getUint32(24, true) * 2 ** (clock.getInt8(28) - 32);
expect(factor).toBe(1e9 / m.clock.hz);
console.log(`One tick of its time-stamp counter is ${factor} ns.`);

// Somebody else has the processor for a millisecond.
m.hypercalls.steal(m.clock.hz / 1000);
expect(m.physical.peek32(0x2040)).toBe(1_000_000);

// From now on the script answers the call that nobody knows.
m.hypercalls.override("UNKNOWN", (call) => Number(call.args["number"]) + 1);
m.run({ instructions: 20 });
expect(m.physical.peek32(0x610)).toBe(58);

// A call made in the guest's place; its registers stay.
const { eax, eip } = m.cpu;
expect(m.hypercalls.inject("CLOCK_PAIRING", { address: 0x3100 })).toBe(0);
expect([m.cpu.eax, m.cpu.eip]).toEqual([eax, eip]);
const seconds = m.physical.peek32(0x3100);
expect(seconds).toBe(1_767_225_600);
console.log(`Injected CLOCK_PAIRING: ${seconds} seconds since 1970.`);
