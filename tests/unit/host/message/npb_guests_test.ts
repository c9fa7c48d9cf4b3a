/**
 * NPB EP (small) and IS (class S) as guest programs on 1 to 8 machines over every medium, between real Workers and
 * processes: a sample. `deno task npb` runs both, of class S, on 1, 2, 4 and 8 machines.
 */
import { gcc } from "../../guests/message/compile.ts";
import { EP_SMALL, IS_S, type NpbGuest, verifyGuests } from "./npb_guests.ts";
import { mpirun } from "./parts.ts";

const launcher = mpirun();
const mpi = launcher === undefined ? " (no MPICH here: not over mpi)" : ", mpi";
const skip = gcc.available ? "" : " (no 32-bit compiler here)";
const SAMPLE: readonly (readonly [NpbGuest, number])[] = [[EP_SMALL, 8], [EP_SMALL, 1], [IS_S, 8], [IS_S, 2]];

for (const [guest, nodes] of SAMPLE) {
  Deno.test({
    name:
      `NPB ${guest.name} in C on ${nodes} machines verifies at one virtual time over loopback, worker, tcp${mpi}${skip}`,
    ignore: !gcc.available,
    fn: async () => void await verifyGuests(guest, nodes, launcher),
  });
}
