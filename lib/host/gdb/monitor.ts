/**
 * Commands that GDB passes on with `monitor`. Cold.
 */
import { hex32 } from "../../base/hex.ts";
import type { Machine } from "../../machine/machine.ts";

/** What a command said, and whether it changed the machine. */
export interface Said {
  /** For the person, with line ends. */
  readonly text: string;
  /** The past is not the past of this state any more. */
  readonly changed: boolean;
}

const HELP = `where   every CPU's next instruction, at its linear address
time    instructions and virtual time
trace   what happened lately
serial  the end of the serial output
reset   power-on state
help    this list
`;

/** Runs a command. @param position Instructions so far. */
export function monitor(m: Machine, command: string, position: number): Said {
  switch (command.trim()) {
    case "where": {
      const lines = m.cpus.map((c) => `${c.name} ${hex32(c.pcLinear)}: ${c.disassemble()[0] ?? "?"}\n`);
      return { text: lines.join(""), changed: false };
    }
    case "time":
      return { text: `${position} instructions, ${(m.now / m.clock.hz).toFixed(6)} s\n`, changed: false };
    case "trace": {
      const lines = m.trace.tail(20).map((e) => `${e.time} ${e.kind} at ${hex32(e.eip)}: ${e.text}\n`);
      return { text: lines.join("") || "nothing\n", changed: false };
    }
    case "serial":
      return { text: `${m.serialTail(1000)}\n`, changed: false };
    case "reset":
      m.reset();
      return { text: "the machine is as at power-on\n", changed: true };
    case "help":
      return { text: HELP, changed: false };
    default:
      return { text: `Unknown command; there are:\n${HELP}`, changed: false };
  }
}
