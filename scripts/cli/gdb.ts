/**
 * `vmikit gdb`: a guest that GDB attaches to. Cold.
 */
import { serveGdb } from "../../lib/host/mod.ts";
import type { Command } from "../deps/cli.ts";
import { addGuestOptions, type GuestOptions, makeGuest } from "./guest_options.ts";
import { Exit, type Io, json } from "./io.ts";
import { listenAddress } from "./options.ts";

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
  addGuestOptions(program.command("gdb") as unknown as Command)
    .description("Serve a guest to GDB")
    .option("--listen <host:port>", "where to listen; port 0: any", listenAddress, {
      hostname: "127.0.0.1",
      port: 1234,
    })
    .option("--json", "print where it listens, and the outcome, as JSON, one object a line")
    .addHelpText("after", EXAMPLES)
    .action(async (o) => {
      const m = await makeGuest(io, o as unknown as GuestOptions, "debug");
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
