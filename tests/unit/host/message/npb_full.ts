/**
 * `deno task npb`: NPB EP and IS, both of class S, as guest programs on 1, 2, 4 and 8 machines over every medium. Takes
 * many minutes. Arguments: numbers of machines instead of those. Cold.
 */
import { gcc } from "../../guests/message/compile.ts";
import { EP_S, IS_S, verifyGuests } from "./npb_guests.ts";
import { mpirun } from "./parts.ts";

if (!gcc.available) {
  console.log(`not run: ${gcc.reason}`);
  Deno.exit(1);
}
const launcher = mpirun();
if (launcher === undefined) console.log("not run over mpi: there is no MPICH");
for (const nodes of Deno.args.length > 0 ? Deno.args.map(Number) : [8, 4, 2, 1]) {
  for (const guest of [IS_S, EP_S]) {
    await verifyGuests(guest, nodes, launcher);
    console.log(`${guest.name} class S on ${nodes}: verified over all media, at one virtual time`);
  }
}
