#!/usr/bin/env -S deno run
/**
 * Lesson 13, a hypervisor that misbehaves: from one snapshot in mid-work we go on three times, once undisturbed, once with a
 * page-table update that is lost, once with one that is refused, and see how the guest takes it. Needs no permission.
 */
import { expect, guests, native, type StopReason, vmiPc } from "../mod.ts";

const m = vmiPc({ backend: native() });
m.boot(guests.minikernel({ workload: "fault", count: 40 }));
expect(m.run({ until: m.serial.contains("workload: fault"), instructions: 50_000_000 }).kind).toBe("until");
const here = m.snapshot();
const HEAP = 0x08100000;

/** Goes on from the snapshot. `fail`: what becomes of the update for the eighth page of the heap. */
function goOn(fail?: () => undefined | { readonly kill: "refused" }): StopReason {
  m.restore(here);
  let lost = fail === undefined;
  const remove = m.paravirt.override("SetPxE", (call) => {
    if (lost || (call.args.flags & 0xfffff000) >>> 0 !== HEAP + 0x7000) return "native";
    lost = true;
    return fail?.();
  });
  const stop = m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
  remove();
  return stop;
}

expect(goOn().kind).toBe("until");
console.log("Undisturbed: the work is done.");

expect(goOn(() => undefined).kind).toBe("until");
console.log("One update lost: the page faults again, is mapped again, the work is done;");
console.log(`  but one frame is nowhere: ${m.serial.text.split("\n").at(-2)}`);
expect(m.serial.text).toContain("frames were lost");

const stop = goOn(() => ({ kill: "refused" }));
expect(stop.kind).toBe("killed");
console.log(`One update refused: the run ends as ${stop.kind}, at ${stop.kind === "killed" ? stop.call : "?"}.`);
