/**
 * NPB EP (small) and IS (class S) as guest programs on 8 machines over every medium, between real Workers and processes.
 * The same on 1, 2 and 4 machines, and EP of class S, take many minutes: `deno task npb` runs them.
 */
import { gcc } from "../../guests/message/compile.ts";
import { EP_SMALL, IS_S, verifyGuests } from "./npb_guests.ts";
import { mpirun } from "./parts.ts";

const launcher = mpirun();
const mpi = launcher === undefined ? " (no MPICH here: not over mpi)" : ", mpi";
const skip = gcc.available ? "" : " (no 32-bit compiler here)";

for (const guest of [EP_SMALL, IS_S]) {
  Deno.test({
    name: `NPB ${guest.name} in C on 8 machines verifies at one virtual time over loopback, worker, tcp${mpi}${skip}`,
    ignore: !gcc.available,
    fn: () => verifyGuests(guest, 8, launcher),
  });
}
