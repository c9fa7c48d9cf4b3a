/**
 * `vmikit lab`: a guest in a web page on this host. Cold.
 */
import { cluster, guests, MiB, type PcMachine } from "../../mod.ts";
import { LabCluster, type LabServer, serveLab } from "../../lib/host/mod.ts";
import { type Command, integer } from "../deps/cli.ts";
import { makePc } from "./boot.ts";
import { jobArgs } from "./cluster.ts";
import { describe } from "./cluster_jobs.ts";
import { addGuestOptions, type GuestOptions, makeGuest, namesGuest } from "./guest_options.ts";
import { Exit, type Io, json, UsageError } from "./io.ts";

const EXAMPLES = `
The page shows the serial line and the text screen, and what you type there goes to the guest; registers, the next instructions, the page
tables in use, and the hypercalls on a time line. Run, step, go back (what you had typed is typed again on
the way) and restart. Without a kernel, BIOS or image it is the guest that ships, on backend shadow.

With --program it is a cluster in virtual time, as the command cluster runs it: the page shows the messages on a time line
and the machine of the rank you choose; a step is a microsecond. Only frames that a trace filter of the spec sees are shown.

The address that is printed has a secret part: only who knows it can drive the guest, and only from this host. Ctrl-C ends
the lab.

Exit codes: 64 wrong usage, 130 Ctrl-C

Examples:
  deno task vmikit lab
  deno task vmikit lab --kernel bzImage --initrd root.cpio --append "console=ttyS0" --memory 128
  deno task vmikit lab --kernel bzImage --initrd root.cpio --append "console=ttyS0" --backend kvm --port 8080
  deno task vmikit lab --image hello.bin@0x7c00 --json
  deno task vmikit lab --program guest-heat --nodes 6
`;

/** Options of the command. */
interface Options extends GuestOptions {
  readonly port: number;
  readonly program?: string;
  readonly nodes: number;
  readonly size?: number;
  readonly spec?: string;
  readonly json?: true;
}

/** Adds the command. */
export function addLab(program: Command, io: Io, done: (code: number) => void): void {
  addGuestOptions(program.command("lab") as unknown as Command)
    .description("Look at a guest and drive it in a web page on this host")
    .option("--program <name|file>", "a cluster that runs this program, see cluster --help")
    .option("--nodes <n>", "nodes of the cluster", integer("a number of nodes", { min: 1, max: 256 }), 4)
    .option("--size <n>", "size of the program's work", integer("a size", { min: 1 }))
    .option("--spec <file>", "devices and chains of the cluster; default: flow control over a plain network, traced")
    .option("--port <n>", "TCP port; 0: any", integer("a port", { max: 65535 }), 0)
    .option("--json", "print the address, and the outcome, as JSON, one object a line")
    .addHelpText("after", EXAMPLES)
    .action(async (given) => {
      const o = given as unknown as Options;
      const subject = o.program === undefined ? await machineOf(io, o) : await clusterOf(io, o, o.program);
      done(await openLab(io, (say) => serveLab(subject, { port: o.port, say }), o.json === true));
    });
}

async function machineOf(io: Io, o: Options): Promise<PcMachine> {
  if (o.size !== undefined || o.spec !== undefined) throw new UsageError("--size and --spec go with --program");
  return namesGuest(o) ? await makeGuest(io, o, "look at") : shipped(o);
}

/** A cluster that is the same whenever it is made. */
async function clusterOf(io: Io, o: Options, program: string): Promise<LabCluster> {
  if (namesGuest(o)) throw new UsageError("Give a cluster's --program, or what one machine runs, not both");
  const { nodes, size, spec } = o;
  const args = await jobArgs(io, { nodes, program, size, spec, workers: 0, time: "virtual", seed: 1, trace: "shown" });
  const options = await describe(args);
  return new LabCluster(() => cluster(options));
}

/** The guest that ships. */
function shipped({ memory, cpus, engine, backend, personality }: Options): PcMachine {
  const m = makePc({ memory: memory * MiB, cpus, engine }, backend ?? "shadow", personality);
  m.boot(guests.minikernel());
  return m;
}

/** Keeps a lab open until Ctrl-C. */
async function openLab(io: Io, open: (say: (text: string) => void) => LabServer, asJson: boolean): Promise<number> {
  const lab = open((text) => io.err(`vmikit: ${text}\n`));
  const ignore = io.terminal?.onInterrupt(() => void lab.close());
  if (asJson) io.out(line({ url: lab.url }));
  else io.err(`vmikit: open ${lab.url} in a browser; Ctrl-C ends the lab\n`);
  try {
    await lab.done;
  } finally {
    ignore?.();
  }
  if (asJson) io.out(line({ exit: Exit.interrupted }));
  return Exit.interrupted;
}

function line(value: unknown): string {
  return JSON.stringify(JSON.parse(json(value))) + "\n";
}
