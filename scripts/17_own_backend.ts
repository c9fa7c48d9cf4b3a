#!/usr/bin/env -S deno run
/**
 * Lesson 17, a hypervisor of one's own: a seventh backend that counts the guest's calls, keeps account of its page tables,
 * and ends a guest that asks for more than its share. Needs no permission.
 */
import { expect, guests, native, type ParavirtBackend, vmiPc } from "../mod.ts";

/** What a guest may have. */
const SHARE = 2_000;

function counting(share: number): ParavirtBackend & { readonly counts: Map<string, number> } {
  const inner = native(); // who knows the native code of each call, and virtual time
  let counts = new Map<string, number>();
  return {
    name: "counting",
    get counts() {
      return counts;
    },
    attach: (host) => inner.attach(host),
    slot(name) {
      const plan = inner.slot(name); // the same code, but a trap in front of it: then `call` is asked first
      return plan.reloc === "call" || plan.reloc === "jump" ? { ...plan, trap: true } : plan;
    },
    call(call) {
      const count = (counts.get(call.name) ?? 0) + 1;
      counts.set(call.name, count);
      if (call.name === "SetPxE" && count > share) return { kill: "refused" };
      return inner.call(call); // "native" where the code behind the trap is to go on
    },
    stats: () => Object.fromEntries(counts),
    reset() {
      inner.reset();
      counts = new Map();
    },
    save: () => ({ version: 1, fields: { counts: [...counts], inner: { ...inner.save() } } }),
    load(section) {
      counts = new Map(section.fields.counts as [string, number][]);
      inner.load(section.fields.inner as unknown as ReturnType<ParavirtBackend["save"]>);
    },
  };
}

const backend = counting(SHARE);
const m = vmiPc({ backend });
m.boot(guests.minikernel());
expect(m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 }).kind).toBe("until");
const total = [...backend.counts.values()].reduce((sum, n) => sum + n, 0);
console.log(`The guest made ${total} calls, most of them:`);
for (const [name, n] of [...backend.counts].sort(([, a], [, b]) => b - a).slice(0, 3)) console.log(`  ${n} ${name}`);

const seen = m.paravirt.record(); // scripts watch and change it as they do with any backend
const here = m.snapshot(), then = new Map(backend.counts);
m.run({ instructions: 100_000 });
expect(seen.names().length).toBeGreaterThan(0);
m.restore(here);
expect(backend.counts).toEqual(then);

const strict = vmiPc({ backend: counting(20) });
strict.boot(guests.minikernel());
const stop = strict.run({ until: strict.serial.contains("ready"), instructions: 50_000_000 });
expect(stop.kind).toBe("killed");
if (stop.kind === "killed") console.log(`With a share of 20 page-table entries it ends at ${stop.call}: ${stop.code}.`);
