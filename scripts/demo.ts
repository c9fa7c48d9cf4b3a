// deno run scripts/demo.ts
/**
 * A paravirtual machine from the outside: compose it, boot the guest that ships, watch and change its hypercalls, make
 * some of your own, and state what must come out. Needs no permission.
 */
import { expect, guests, inject, native, vmiPc } from "../mod.ts";

const m = vmiPc({ backend: native() }); // a PC with an option ROM that speaks the paravirtual interface
m.boot(guests.minikernel());

const seen = m.paravirt.record(); // every call: name, arguments, result, place, time
m.paravirt.override("GetWallclockTime", () => 1_000_000_000n); // the guest shall think it is 1970
const mapped: Set<number> = new Set();
m.paravirt.before("SetPxE", (call) => {
  if (call.args.flags & 0x10) mapped.add(call.args.flags & 0xfffff000); // the entry is of the current address space
});

const stop = m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
expect(stop.kind).toBe("until");
expect(m.serial.text).toContain("paravirt: found vmikit");
expect(m.serial.text).toContain("clock: 1 seconds since 1970");

console.log("The guest says:");
console.log(m.serial.text.trim().replaceAll(/^/gm, "  "));

console.log("\nIt called the hypervisor:");
for (const [name, count] of seen.counts()) console.log(`  ${String(count).padStart(4)} ${name}`);
expect(seen.names().slice(0, 2)).toEqual(["Init", "GetRelocationInfo"]);
const pages = [...mapped].map((at) => `0x${(at >>> 0).toString(16)}`);
console.log(`\nIt changed the mapping of ${pages.length} pages, from ${pages[0]} to ${pages.at(-1)}.`);

const hz = inject(m, "GetCycleFrequency"); // as if the guest had called, at this boundary
expect(hz).toBeGreaterThan(1_000_000n);
const before = inject(m, "GetCycleCounter", { counter: 0 });
m.run({ instructions: 100_000 });
const after = inject(m, "GetCycleCounter", { counter: 0 });
expect(after).toBeGreaterThan(before);
console.log(
  `\nInjected: ${hz} cycles a second, ${after - before} cycles went by; page directory at 0x${
    inject(m, "GetCR3").toString(16)
  }`,
);

m.serial.send("h"); // the guest's command to halt
const end = m.run({ instructions: 50_000_000 });
expect(end.kind).toBe("halt");
expect(m.serial.text).toContain("halted");
console.log(`The guest halted after ${m.now} ticks of virtual time.`);
