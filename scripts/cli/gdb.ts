/**
 * `vmikit gdb`: a guest that GDB attaches to. Cold.
 */
import { MAX_CPUS, MiB } from "../../mod.ts";
import { serveGdb } from "../../lib/host/mod.ts";
import { type Command, integer, Option } from "../deps/cli.ts";
import { bootImage, makePc } from "./boot.ts";
import { Exit, type Io, json, UsageError } from "./io.ts";
import {
  address,
  DEFAULT_ENGINE,
  ENGINES,
  flatProgram,
  HYPERVISORS,
  listenAddress,
  PERSONALITIES,
  placedFile,
} from "./options.ts";

const EXAMPLES = `
The guest waits at its first instruction until GDB lets it run. Addresses are linear; in real mode tell GDB
"set architecture i8086" and give breakpoints as linear addresses. Reverse commands (reverse-stepi, reverse-continue) work
back to the last change made from GDB, or to the beginning. "monitor help" lists what vmikit itself answers.
The serial line is shown; nothing can be typed to the guest meanwhile.

Exit codes: 0 the client detached, killed or left, 64 wrong usage, 130 Ctrl-C

Examples:
  deno task vmikit gdb --kernel kernel.elf
  deno task vmikit gdb --image hello.bin@0x7c00 --listen 127.0.0.1:2345
  gdb kernel.elf -ex "target remote 127.0.0.1:1234" -ex "break main" -ex continue
`;

/** Adds the command. */
export function addGdb(program: Command, io: Io, done: (code: number) => void): void {
  program.command("gdb")
    .description("Serve a guest to GDB")
    .option("--kernel <file>", "bzImage, multiboot kernel, ELF file or BIOS image")
    .option("--initrd <file>", "initial RAM disk, or multiboot module")
    .option("--append <text>", "kernel command line", "")
    .option("--bios <file>", "BIOS image; without a kernel the machine starts in it")
    .option("--disk <file>", "hard disk image (may be repeated)", (file: string, all: string[]) => [...all, file], [])
    .option("--image <file@address>", "bare program and where it goes (may be repeated)", placedFile)
    .option("--entry <address>", "first instruction of a bare program; default: the first image", address)
    .addOption(
      new Option("--mode <mode>", "CPU mode of a bare program").choices(["real", "protected"] as const).default(
        "real" as const,
      ),
    )
    .option("--memory <MiB>", "RAM in MiB", integer("a number of MiB", { min: 2, max: 1984 }), 64)
    .option("--cpus <n>", "number of CPUs", integer("a number of CPUs", { min: 1, max: MAX_CPUS }), 1)
    .addOption(new Option("--engine <name>", "who executes").choices(ENGINES).default(DEFAULT_ENGINE))
    .addOption(
      new Option("--backend <name>", "who answers paravirtual calls, or the hypervisor of today that the guest finds")
        .choices(HYPERVISORS).default("none" as const),
    )
    .addOption(
      new Option("--personality <name>", "the hypervisor of today that the guest finds, beside a backend")
        .choices(PERSONALITIES),
    )
    .option("--listen <host:port>", "where to listen; port 0: any", listenAddress, {
      hostname: "127.0.0.1",
      port: 1234,
    })
    .option("--json", "print where it listens, and the outcome, as JSON, one object a line")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      if ((o.image === undefined) === (o.kernel === undefined && o.bios === undefined)) {
        throw new UsageError("Give what to debug: --kernel FILE, --bios FILE or --image FILE@ADDRESS");
      }
      const { memory, cpus, engine } = o;
      const booted = o.image === undefined
        ? await bootImage(io, o)
        : { image: await flatProgram(io, o.image, o.mode, o.entry), parts: {} };
      const m = makePc({ ...booted.parts, memory: memory * MiB, cpus, engine }, o.backend, o.personality);
      m.boot(booted.image);
      m.serial.listen((byte) => (o.json === true ? io.err : io.out)(String.fromCharCode(byte)));
      const { code, said } = await serve(io, (say) => serveGdb(m, { ...o.listen, once: true, say }), o.json === true);
      if (o.json === true) io.out(line({ exit: code, said }));
      done(code);
    });
}

/** Serves one client to its end, or until Ctrl-C. */
async function serve(
  io: Io,
  start: (say: (text: string) => void) => ReturnType<typeof serveGdb>,
  quiet: boolean,
): Promise<{ readonly code: number; readonly said: string }> {
  let code: number = Exit.ok;
  let last = "";
  const server = start((text) => {
    last = text;
    io.err(`vmikit: ${text}\n`);
  });
  const { hostname, port } = server.address;
  if (quiet) io.out(line({ listening: `${hostname}:${port}` }));
  io.err(`vmikit: waiting for GDB at ${hostname}:${port}; there: target remote ${hostname}:${port}\n`);
  const ignore = io.terminal?.onInterrupt(() => {
    code = Exit.interrupted;
    server.close();
  });
  try {
    await server.done;
    return { code, said: last };
  } finally {
    ignore?.();
  }
}

function line(value: unknown): string {
  return JSON.stringify(JSON.parse(json(value))) + "\n";
}
