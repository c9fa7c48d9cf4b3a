/** Jobs that tests run in Workers and processes of their own. */
import { matrixGuest } from "../../../../lib/guests/message/matrix_program.ts";
import { heatGuest, ringGuest } from "../../../../lib/guests/message/programs.ts";
import { sortGuest } from "../../../../lib/guests/message/sort_program.ts";
import { elf } from "../../../../lib/machine/loader/elf.ts";
import type { ClusterOptions } from "../../../../lib/machine/message/cluster.ts";
import type { MessageRank } from "../../../../lib/vmi/message/rank.ts";
import { pingPong, ring } from "../../../../lib/vmi/message/programs/classic.ts";
import { ep } from "../../../../lib/vmi/message/programs/ep.ts";
import { is } from "../../../../lib/vmi/message/programs/is.ts";

/** Ranks 2 and 3 die with their process in the middle of what they receive; the others go on. */
async function survivor(rank: MessageRank): Promise<unknown> {
  const left: number[][] = [];
  rank.onDisconnect((c, status) => void left.push([c.peer, status]));
  await rank.mesh();
  if (rank.rank >= 2) {
    for (let i = 0; i < 6; i++) await rank.receive();
    Deno.exit(7);
  }
  for (let i = 0; i < 20; i++) for (const r of [2, 3]) rank.to(r).sendInline(new Uint8Array(1000));
  if (!await rank.until(() => left.length === 2, 60e9)) return "nobody left";
  const other = rank.to(1 - rank.rank);
  other.sendInline(Uint8Array.of(40 + rank.rank));
  const [got] = (await rank.receive(other.peer)).data;
  const again = await rank.tryConnect(2);
  const late = rank.to(3).sendInline(Uint8Array.of(1));
  return [left.sort((a, b) => a[0] - b[0]), got, again.status, late];
}

/** Describes a job by name. */
export function describe(args: { [name: string]: unknown }): ClusterOptions {
  const nodes = Number(args["nodes"] ?? 4);
  const medium = String(args["medium"] ?? "worker");
  const time = args["time"] === "real" ? "real" : "virtual";
  const base = { nodes, time, spec: { chains: [{ name: "c", layers: ["credit", medium] }] } } as const;
  switch (args["job"]) {
    case "guests":
      return { ...base, program: ringGuest(5) };
    case "elf":
      return {
        ...base,
        program: elf(Deno.readFileSync(String(args["file"]))),
        memory: Number(args["mebibytes"] ?? 4) << 20,
      };
    case "npb":
      return { ...base, program: async (rank) => [await ep(Number(args["m"] ?? 24))(rank), await is("S")(rank)] };
    case "machines":
      return {
        ...base,
        program: [ringGuest(5), matrixGuest(24), sortGuest(200), heatGuest(16, 10)][Number(args["which"])],
      };
    case "is":
      return { ...base, program: is("S") };
    case "ep":
      return { ...base, program: ep(Number(args["m"] ?? 18)) };
    case "ping":
      return { ...base, program: pingPong(Number(args["size"] ?? 8), Number(args["rounds"] ?? 100)) };
    case "survivors":
      return {
        ...base,
        spec: {
          devices: {
            one: { module: `builtin:${medium}` },
            two: { module: `builtin:${medium}` },
            either: { module: "builtin:failover" },
          },
          chains: [{
            name: "c",
            layers: [
              "credit",
              args["over"] === "failover" ? { device: "either", children: [["one"], ["two"]] } : "one",
            ],
          }],
        },
        lostProcess: args["lost"] === "end" ? "end" : "go-on",
        program: survivor,
      };
    case "throw":
      throw new Error("no such job today");
    case "ring":
      return { ...base, program: ring(10) };
    default:
      throw new Error(`unknown job ${args["job"]}`);
  }
}
