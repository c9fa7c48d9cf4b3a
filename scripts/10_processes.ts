#!/usr/bin/env -S deno run
/**
 * Lesson 10, processes from below: a hypervisor sees no processes, only page directories that come, are loaded, and go. From
 * the calls alone we tell how many processes the guest had and how often it switched. Needs no permission.
 */
import { expect, guests, shadow, vmiPc } from "../mod.ts";

const m = vmiPc({ backend: shadow() });
m.boot(guests.minikernel());

const CLONED_DIRECTORY = 0x62, DIRECTORY = 0x42; // flags of AllocatePage and ReleasePage
const alive = new Set<number>(); // physical page numbers of directories
let most = 0, switches = 0, ended = 0;
m.paravirt.before("AllocatePage", ({ args }) => {
  if (args.flags === CLONED_DIRECTORY) most = Math.max(most, alive.add(args.pfn).size);
});
m.paravirt.before("SetCR3", () => {
  switches++;
});
m.paravirt.before("ReleasePage", ({ args }) => {
  if (args.flags === DIRECTORY && alive.delete(args.pfn)) ended++;
});

const stop = m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
expect(stop.kind).toBe("until");
console.log("The guest says:");
for (const line of m.serial.text.split("\n").filter((l) => /^(init|process)/.test(l))) console.log(`  ${line}`);

expect(ended).toBe(5); // the first process and its four children
console.log(`The hypervisor saw ${ended} address spaces come and go, at most ${most} at a time with the kernel's own.`);
console.log(`It was told to change the address space ${switches} times.`);
