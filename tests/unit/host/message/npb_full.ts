/**
 * `deno task npb`: NPB EP and IS, both of class S, as guest programs on 1, 2, 4 and 8 machines over every medium, which
 * takes some minutes. Arguments: numbers of machines instead of those, and benchmarks: `ep`, `is`, `is-w`, `is-a` (classes
 * W and A). Cold.
 */
import { gcc } from "../../guests/message/compile.ts";
import { EP_S, IS_A, IS_S, IS_W, type Say, verifyGuests } from "./npb_guests.ts";
import { mpirun } from "./parts.ts";

const GUESTS = { "ep": EP_S, "is": IS_S, "is-w": IS_W, "is-a": IS_A };
const NAMES = { "ep": "EP class S", "is": "IS class S", "is-w": "IS class W", "is-a": "IS class A" };
type Name = keyof typeof GUESTS;

/** Shortest time between two reports, ms. */
const REPORT_MS = 5000;

const names = Deno.args.filter((a): a is Name => a in GUESTS);
const numbers = Deno.args.filter((a) => !(a in GUESTS)).map(Number);
if (numbers.some((n) => ![1, 2, 4, 8].includes(n))) {
  console.log(`usage: deno task npb [1|2|4|8 ...] [${Object.keys(GUESTS).join("|")} ...]`);
  Deno.exit(64);
}
if (!gcc.available) {
  console.log(`not run: ${gcc.reason}`);
  Deno.exit(1);
}
const launcher = mpirun();
if (launcher === undefined) console.log("not run over mpi: there is no MPICH");

for (const nodes of numbers.length > 0 ? numbers : [8, 4, 2, 1]) {
  for (const name of names.length > 0 ? names : ["is", "ep"] as const) {
    const what = `${NAMES[name]} on ${nodes}`;
    let said = performance.now();
    const say: Say = (medium, p) => {
      if ("seconds" in p) console.log(`${what}: ${medium} done in ${p.seconds.toFixed(1)} s`);
      else if (performance.now() - said < REPORT_MS) return;
      else console.log(`${what}: ${medium} at ${(p.time / 1e9).toFixed(3)} s of virtual time`);
      said = performance.now();
    };
    const time = await verifyGuests(GUESTS[name], nodes, launcher, say);
    console.log(`${what}: verified over all media, each at ${time} ns of virtual time`);
  }
}
