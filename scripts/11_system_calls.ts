#!/usr/bin/env -S deno run
/**
 * Lesson 11, what a system call costs a hypervisor: the guest makes a hundred of them by INT 0x80 and by SYSENTER, and every
 * exit is counted. A second run with no calls is taken off, so that only the calls are left. Needs no permission.
 */
import { expect, guests, hardware, type ParavirtBackend, shadow, trap, vmiPc } from "../mod.ts";

/** Everything that left the guest while it did so many system calls, by reason. */
function exits(make: () => ParavirtBackend, count: number): Map<string, number> {
  const m = vmiPc({ backend: make() });
  m.boot(guests.minikernel({ workload: "syscall", count }));
  expect(m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 }).kind).toBe("until");
  const { calls, backend } = m.paravirt.stats();
  const seen = new Map(Object.entries(calls).map(([name, n]) => [`call ${name}`, n]));
  for (const [name, n] of Object.entries(backend)) if (name.startsWith("exits ")) seen.set(name, n);
  return seen;
}

const BACKENDS: readonly (readonly [string, () => ParavirtBackend])[] = [
  ["shadow, INT 0x80", () => shadow()],
  ["shadow, SYSENTER", () => shadow({ sysenter: true })],
  ["trap, SYSENTER", () => trap()],
  ["hardware, SYSENTER", () => hardware()],
];

for (const [name, make] of BACKENDS) {
  const none = exits(make, 0), hundred = exits(make, 100);
  const left = [...hundred].map(([reason, n]) => [reason, (n - (none.get(reason) ?? 0)) / 100] as const)
    .filter(([, n]) => n !== 0);
  console.log(`${name}: ${left.map(([reason, n]) => `${n} x ${reason}`).join(", ") || "nothing leaves the guest"}`);
  expect(left.length).toBe({ shadow: 2, trap: 3, hardware: 0 }[name.split(",")[0] as "shadow"]);
}
