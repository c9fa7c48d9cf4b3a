/** Jobs that tests run in Workers and processes of their own. */
import { ringGuest } from "../../../../lib/guests/message/programs.ts";
import type { ClusterOptions } from "../../../../lib/machine/message/cluster.ts";
import { pingPong, ring } from "../../../../lib/vmi/message/programs/classic.ts";
import { ep } from "../../../../lib/vmi/message/programs/ep.ts";
import { is } from "../../../../lib/vmi/message/programs/is.ts";

/** Describes a job by name. */
export function describe(args: { [name: string]: unknown }): ClusterOptions {
  const nodes = Number(args["nodes"] ?? 4);
  const medium = String(args["medium"] ?? "worker");
  const time = args["time"] === "real" ? "real" : "virtual";
  const base = { nodes, time, spec: { chains: [{ name: "c", layers: ["credit", medium] }] } } as const;
  switch (args["job"]) {
    case "guests":
      return { ...base, program: ringGuest(5) };
    case "is":
      return { ...base, program: is("S") };
    case "ep":
      return { ...base, program: ep(Number(args["m"] ?? 18)) };
    case "ping":
      return { ...base, program: pingPong(Number(args["size"] ?? 8), Number(args["rounds"] ?? 100)) };
    case "throw":
      throw new Error("no such job today");
    case "ring":
      return { ...base, program: ring(10) };
    default:
      throw new Error(`unknown job ${args["job"]}`);
  }
}
