/**
 * The end of a run in words for GDB's console. Cold.
 */
import { hex32 } from "../../base/hex.ts";
import type { StopReason } from "../../core/stop.ts";

/** One line for a person. */
export function stopWords(stop: StopReason): string {
  const at = `at EIP ${hex32(stop.eip)}`;
  switch (stop.kind) {
    case "halt":
      return `the guest halted for good ${at}`;
    case "budget":
      return `${stop.instructions} instructions were run ${at}`;
    case "until":
    case "hook":
    case "stopped":
      return `${stop.name} ended the run ${at}`;
    case "fault":
      return `no handler for fault ${stop.vector} ${at}, error code ${hex32(stop.errorCode)}, address ${
        hex32(stop.linear)
      }`;
    case "reset":
      return `the guest asked for a reset ${at}`;
    case "power-off":
      return `the guest powered off ${at}`;
    case "killed":
      return `call ${stop.call} ended the guest (${stop.code}) ${at}`;
    case "unimplemented":
      return `${stop.what} is not emulated ${at}`;
  }
}
