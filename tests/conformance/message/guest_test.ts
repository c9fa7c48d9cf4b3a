/** The conformance of emulated ranks over plain and faulty chains, each filter alone, and media between parts. */
import { cluster, type ClusterOptions, type JobResult, type LayerSpec, type Transport } from "../../../mod.ts";
import { gcc } from "../../unit/guests/message/compile.ts";
import { ALL, checkGuestJob, checkPoints, guestJob, HARM, pointsJob, SINGLE, skip } from "./guest_suite.ts";
import { clusterSplit, ringEnds, tcpEnds } from "./split.ts";

const CHAINS: readonly (readonly [name: string, layers: readonly LayerSpec[], largest: number])[] = [
  ["a plain chain", ["credit", "loopback"], 1e7],
  [
    "all filters",
    [...ALL, "loopback"],
    20_000,
  ],
  ["a first network that flaps", ["credit", { device: "either", children: [["flap", "near"], ["far"]] }], 300_000],
  ["a stripe", ["credit", { device: "both", children: [["near"], ["far"]] }], 300_000],
  ["a stripe in a fail-over", [
    "credit",
    { device: "either", children: [[{ device: "both", children: [["flap", "near"], ["far"]] }], ["third"]] },
  ], 300_000],
  ["small frames", ["credit", "tiny"], 300_000],
  ...["a", "b", "c", "d"].map((harm): (typeof CHAINS)[number] => [
    `reliable, checksum and ${HARM?.[harm].module}`,
    ["credit", "reliable", "sum", harm, "loopback"],
    300_000,
  ]),
];

const ALONE = [...Object.keys(SINGLE ?? {}), "slow", "zip", "sum"];

/** Runs both jobs; in two parts if there are ends of a transport. */
async function check(layers: readonly LayerSpec[], largest: number, ends?: () => Promise<Transport[]>): Promise<void> {
  const run = async (options: ClusterOptions): Promise<JobResult> =>
    ends === undefined ? await cluster(options).run({ untilNs: 60e9 }) : await clusterSplit(options, await ends());
  checkGuestJob(await run(await guestJob(layers, largest)));
  checkPoints(await run(await pointsJob(layers)));
}

for (const [name, layers, largest] of CHAINS) {
  Deno.test({
    name: `an emulated rank conforms over ${name}${skip}`,
    ignore: !gcc.available,
    fn: () => check(layers, largest),
  });
}

for (const filter of ALONE) {
  Deno.test({
    name: `an emulated rank conforms over ${filter}${skip}`,
    ignore: !gcc.available,
    fn: () => check(["credit", filter, "loopback"], 300_000),
  });
}

for (
  const [medium, ends] of [
    ["worker", (): Promise<Transport[]> => Promise.resolve(ringEnds(2))],
    ["tcp", (): Promise<Transport[]> => tcpEnds(2)],
  ] as const
) {
  Deno.test({
    name: `an emulated rank conforms over ${medium} between two parts, plain and under all filters${skip}`,
    ignore: !gcc.available,
    async fn() {
      await check(["credit", medium], 1e7, ends);
      await check([...ALL, medium], 20_000, ends);
    },
  });
}
