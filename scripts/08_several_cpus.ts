#!/usr/bin/env -S deno run
/**
 * Lesson 8, several CPUs: the first CPU of a PC starts the second through its local APIC, then both add to the same two
 * counters, once with a LOCK prefix and once without. CPUs take turns on the same virtual time, so even a race ends
 * the same way every time. Needs no permission.
 */
import { asm, asm16, expect, MiB, pc } from "../mod.ts";

const ROUNDS = 1000;
const LOCKED = 0x600, PLAIN = 0x604, DONE = 0x608;

/** A PC with two CPUs; the second waits until a start-up message names its page. */
function race(): string {
  const m = pc({ memory: 4 * MiB, cpus: 2 });
  m.load(
    0x7c00,
    asm`
      mov ebx, 0xfee00000                ; local APIC
      mov dword [ebx+0x310], 0x01000000  ; to the second CPU:
      mov dword [ebx+0x300], 0x4500      ; INIT
      mov dword [ebx+0x300], 0x4608      ; start at page 8
      mov ecx, ${ROUNDS}
    again:
      lock inc dword [${LOCKED}]
      mov eax, [${PLAIN}]
      mov edx, eax
      inc edx
      mov [${PLAIN}], edx
      loop again
    wait:
      pause
      cmp dword [${DONE}], 1
      jne wait
      hlt
    `,
  );
  m.load(
    0x8000,
    asm16`
      mov cx, ${ROUNDS}
    again:
      lock inc dword [${LOCKED}]
      mov eax, [${PLAIN}]
      mov edx, eax
      inc edx
      mov [${PLAIN}], edx
      loop again
      mov word [${DONE}], 1
      hlt
    `,
  );
  const order: string[] = [];
  m.onMemory({ at: PLAIN, size: 4, access: "write" }, (event) => {
    if (order.at(-1) !== `cpu${event.cpu}`) order.push(`cpu${event.cpu}`);
  });
  expect(m.cpus[1].waiting).toBe(true);
  expect(m.run({ instructions: 100_000 }).kind).toBe("halt");
  expect(m.read(LOCKED)).toBe(2 * ROUNDS);
  expect(m.read(PLAIN)).toBeLessThan(2 * ROUNDS);
  console.log(`Locked: ${m.read(LOCKED)} of ${2 * ROUNDS}, plain: ${m.read(PLAIN)}; turns: ${order.length}.`);
  return m.hash();
}

expect(race()).toBe(race());
console.log("Twice the same, to the last bit.");
