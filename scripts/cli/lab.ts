/**
 * `vmikit lab`: a guest in a web page on this host. Cold.
 */
import { guests, MiB, type PcMachine } from "../../mod.ts";
import { type LabServer, serveLab } from "../../lib/host/mod.ts";
import { type Command, integer } from "../deps/cli.ts";
import { makePc } from "./boot.ts";
import { addGuestOptions, type GuestOptions, makeGuest, namesGuest } from "./guest_options.ts";
import { Exit, type Io, json } from "./io.ts";

const EXAMPLES = `
The page shows the serial line, and what you type there goes to the guest; registers, the next instructions, the page
tables in use, the text screen, and the hypercalls on a time line. Run, step, go back (what you had typed is typed again on
the way) and restart. Without a kernel, BIOS or image it is the guest that ships, on backend shadow.

The address that is printed has a secret part: only who knows it can drive the guest, and only from this host. Ctrl-C ends
the lab.

Exit codes: 64 wrong usage, 130 Ctrl-C

Examples:
  deno task vmikit lab
  deno task vmikit lab --kernel bzImage --initrd root.cpio --append "console=ttyS0" --memory 128
  deno task vmikit lab --kernel bzImage --initrd root.cpio --append "console=ttyS0" --backend kvm --port 8080
  deno task vmikit lab --image hello.bin@0x7c00 --json
`;

/** Options of the command. */
interface Options extends GuestOptions {
  readonly port: number;
  readonly json?: true;
}

/** Adds the command. */
export function addLab(program: Command, io: Io, done: (code: number) => void): void {
  addGuestOptions(program.command("lab") as unknown as Command)
    .description("Look at a guest and drive it in a web page on this host")
    .option("--port <n>", "TCP port; 0: any", integer("a port", { max: 65535 }), 0)
    .option("--json", "print the address, and the outcome, as JSON, one object a line")
    .addHelpText("after", EXAMPLES)
    .action(async (given) => {
      const o = given as unknown as Options;
      const m = namesGuest(o) ? await makeGuest(io, o, "look at") : shipped(o);
      done(await openLab(io, (say) => serveLab(m, { port: o.port, say }), o.json === true));
    });
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
