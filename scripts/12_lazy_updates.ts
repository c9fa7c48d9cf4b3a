#!/usr/bin/env -S deno run
/**
 * Lesson 12, lazy updates: a fork changes many entries of page tables and lets the hypervisor take them in one batch. We
 * answer SetLazyMode ourselves, so that the hypervisor never hears of it, and look at what changes. Needs no permission.
 */
import { expect, guests, shadow, vmiPc } from "../mod.ts";

interface Outcome {
  readonly text: string;
  readonly batches: number;
  readonly deferred: number;
}

function run(lazy: boolean): Outcome {
  const m = vmiPc({ backend: shadow() });
  if (!lazy) {
    m.paravirt.override("SetLazyMode", () => undefined);
    // The guest also marks single entries as deferrable; without the mode they still wait for the next flush.
  }
  m.boot(guests.minikernel({ workload: "fork", count: 10 }));
  expect(m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 }).kind).toBe("until");
  const { backend } = m.paravirt.stats();
  return { text: m.serial.text, batches: backend["batches"] ?? 0, deferred: backend["updates deferred"] ?? 0 };
}

const [lazy, eager] = [run(true), run(false)];
console.log(`With lazy mode:    ${lazy.deferred} updates waited, taken in ${lazy.batches} batches.`);
console.log(`Without lazy mode: ${eager.deferred} updates waited, taken in ${eager.batches} batches.`);
expect(eager.deferred).toBeLessThan(lazy.deferred);
expect(eager.text).toBe(lazy.text); // the guest cannot tell
console.log("The guest said the same both times.");
