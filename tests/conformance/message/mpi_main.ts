/** The suite under `mpirun -n 2 deno test`: every process runs the same tests, each its own ranks. */
import { joinMpi } from "../../../lib/host/message/mpi_transport.ts";
import { Sessions } from "../../../lib/host/message/session.ts";
import { job } from "../../../lib/vmi/message/job.ts";
import { cluster } from "../../../lib/machine/message/cluster.ts";
import { gcc } from "../../unit/guests/message/compile.ts";
import { underAllFilters } from "./all_filters.ts";
import { ALL, checkGuestJob, checkPoints, guestJob, pointsJob, skip } from "./guest_suite.ts";
import { messageSuite } from "./suite.ts";

const transport = joinMpi();
const sessions = new Sessions(transport);

messageSuite("mpi", {
  spec: { chains: [{ name: "c", layers: ["credit", "mpi"] }] },
  run: (options) => job({ ...options, transport: sessions.next() }).run(),
});

messageSuite("mpi under reliable and drop", {
  spec: {
    devices: { lossy: { module: "builtin:drop", parameters: { probability: 0.05 } } },
    chains: [{ name: "c", layers: ["reliable", "lossy", "mpi"] }],
  },
  run: (options) => job({ ...options, transport: sessions.next() }).run(),
  largest: 300_000,
});

messageSuite("mpi under all filters", {
  spec: underAllFilters("mpi"),
  run: (options) => job({ ...options, transport: sessions.next() }).run(),
  largest: 50_000,
});

for (const [name, layers, largest] of [["credit", ["credit"], 1e6], ["all filters", ALL, 20_000]] as const) {
  Deno.test({
    name: `an emulated rank conforms over mpi under ${name}${skip}`,
    ignore: !gcc.available,
    async fn() {
      const options = await guestJob([...layers, "mpi"], largest);
      checkGuestJob(await cluster({ ...options, transport: sessions.next() }).run());
      const four = await pointsJob([...layers, "mpi"]);
      checkPoints(await cluster({ ...four, transport: sessions.next() }).run());
    },
  });
}

Deno.test({
  name: "all processes leave together",
  sanitizeResources: false, // the library was opened before the tests
  fn: () => transport.close(),
});
