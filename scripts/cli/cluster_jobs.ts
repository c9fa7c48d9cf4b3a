/**
 * The programs `vmikit cluster` knows by name, and the description of its jobs: this module is what Workers load. Cold.
 */
import {
  barrierGuest,
  type ClusterOptions,
  elf,
  ep,
  heat,
  heatGuest,
  is,
  matrixGuest,
  matrixMultiply,
  messageGuest,
  type MessageSpec,
  type NodeProgram,
  pingPong,
  pingPongGuest,
  ring,
  ringGuest,
  sampleSort,
  sortGuest,
} from "../../mod.ts";
import { loadModules } from "../../lib/host/mod.ts";

/** Programs by name; `n` is what `--size` gives. */
export const PROGRAMS: {
  readonly [name: string]: { readonly text: string; readonly make: (n?: number) => NodeProgram };
} = {
  "ring": { text: "token around all ranks, size: rounds", make: (n = 10) => ring(n) },
  "ping-pong": { text: "ranks 0 and 1, size: bytes", make: (n = 8) => pingPong(n, 100) },
  "heat": { text: "heat stencil of 64 x 64 cells, size: steps", make: (n = 100) => heat(64, n) },
  "ep": { text: "NPB EP, size: M (24 is class S)", make: (n = 20) => ep(n) },
  "is": { text: "NPB IS class S", make: () => is("S") },
  "is-w": { text: "NPB IS class W", make: () => is("W") },
  "is-a": { text: "NPB IS class A", make: () => is("A") },
  "matrix": { text: "matrix multiplication, size: rows", make: (n = 64) => matrixMultiply(n) },
  "sort": { text: "sample sort, size: keys a rank", make: (n = 10_000) => sampleSort(n) },
  "guest-ring": { text: "the same as emulated machines, size: rounds", make: (n = 10) => ringGuest(n) },
  "guest-ping-pong": { text: "machines 0 and 1, size: bytes", make: (n = 8) => pingPongGuest(n, 100) },
  "guest-barrier": { text: "machines meet, size: times", make: (n = 10) => barrierGuest(n) },
  "guest-matrix": { text: "matrix multiplication, size: rows", make: (n = 64) => matrixGuest(n) },
  "guest-sort": { text: "sample sort, size: keys a rank", make: (n = 1000) => sortGuest(n) },
  "guest-heat": { text: "heat stencil of 64 x 64 cells, size: steps", make: (n = 100) => heatGuest(64, n) },
};

/** What the description needs; plain data. */
export interface JobArgs {
  /** Name of a program; absent: `source` or `image` is one. */
  readonly program?: string;
  /** An ELF file for the machines. */
  readonly image?: Uint8Array;
  /** Assembler source of a guest, over the message library. */
  readonly source?: string;
  /** Its size. */
  readonly size?: number;
  /** Nodes. */
  readonly nodes: number;
  /** Clock. */
  readonly time: "virtual" | "real";
  /** Seed. */
  readonly seed: number;
  /** Devices and chains. */
  readonly spec: MessageSpec;
  /** Address of the spec: its modules may lie beside it. */
  readonly base?: string;
  /** May modules come from addresses, if the spec has their hash? */
  readonly remote?: boolean;
  /** Cluster of each rank. */
  readonly clusters?: readonly number[];
  /** Worker of each rank. */
  readonly placement?: readonly number[];
}

/** Options of the job. */
export async function describe(args: JobArgs): Promise<ClusterOptions> {
  const { clusters, placement, nodes, time, seed, spec, base, remote } = args;
  return {
    ...{ nodes, time, seed, spec },
    program: programOf(args),
    modules: await loadModules(spec, {
      ...(base === undefined ? {} : { base }),
      ...(remote === true ? { allow: "with-hash" as const } : {}),
    }),
    ...(clusters === undefined ? {} : { clusters }),
    ...(placement === undefined ? {} : { placement }),
  };
}

function programOf({ program, source, image, size }: JobArgs): NodeProgram {
  if (image !== undefined) return elf(image);
  return source === undefined ? PROGRAMS[program ?? "ring"].make(size) : messageGuest(source);
}

/** The spec of jobs that name none: frames are seen, flow is controlled, the network is that of the medium. */
export function ordinarySpec(medium: string, traced: boolean): MessageSpec {
  return {
    devices: { net: { module: `builtin:${medium}` } },
    chains: [{ name: "default", layers: [...(traced ? ["trace"] : []), "credit", "net"] }],
  };
}
