/**
 * Nasty guest: the language of its edges, and how an edge becomes a kernel.
 *
 * - `ask NAME argument=value ...` makes a call of the ROM; values are numbers, labels, or registers that no argument uses
 *   (EBX, ESI, EDI, EBP); 64-bit arguments are `low,high`. `note` prints EAX.
 * - `try` ... `caught`: a fault in between is printed, and the guest goes on behind it.
 * - `user LABEL` enters ring 3 there; a system call ends it behind the next `caught`. `iret` leaves by the IRET call.
 *
 * Everything else is assembly. Cold.
 */
import { InternalError } from "../../core/errors.ts";
import { PARAVIRT_CALLS } from "../../spec/paravirt_calls.ts";
import { begin, rest } from "./frame.ts";

/** An edge of the interface. */
export interface NastyEdge {
  /** What it tries, in a few words. */
  readonly name: string;
  /** Code in the language of edges. */
  readonly code: string;
  /** Three-level tables. */
  readonly pae?: boolean;
  /** False: Init is not called. */
  readonly init?: boolean;
}

/** The edge as assembly for origin NASTY_ORIGIN. */
export function nastySource(edge: NastyEdge): string {
  let label = 0, open = "";
  const lines = edge.code.split("\n").flatMap((line) => {
    const [word = "", ...args] = line.trim().split(/\s+/);
    switch (word) {
      case "ask":
        return ask(args);
      case "note":
        return ["  call note"];
      case "try":
        open = `caught_${++label}`;
        return [`  mov dword [ss:resume], ${open}`, "  mov [ss:resume_esp], esp"];
      case "caught":
        return [`${open}:`, "  mov dword [ss:resume], 0"];
      case "user":
        return [
          "  push dword 0x7b",
          "  push dword 0x9f00",
          "  push dword 0x202",
          "  push dword 0x73",
          `  push dword ${args[0]}`,
          "  jmp leave_by_iret",
        ];
      case "iret":
        return ["  jmp leave_by_iret"];
      default:
        return [line];
    }
  });
  return [
    begin(edge.pae ?? false, edge.init ?? true),
    ...lines,
    "  jmp finish",
    rest(edge.name),
    "",
  ].join("\n");
}

/** A call: arguments to where the call table says. */
function ask([name = "", ...given]: readonly string[]): string[] {
  const row = PARAVIRT_CALLS.find((r) => r.name === name);
  if (row === undefined) throw new InternalError(`The nasty guest calls ${name}, which is not in the call table`);
  const values = new Map(given.map((g) => g.split("=") as [string, string]));
  const stack: string[] = [], lines: string[] = [];
  for (const text of row.args as readonly string[]) {
    const [arg = "", places = ""] = text.split("@");
    const words = (values.get(arg) ?? "0").split(",");
    values.delete(arg);
    places.split(",").forEach((place, i) => {
      const word = words[i] ?? "0";
      if (place.startsWith("stack")) stack.unshift(`  push dword ${word}`);
      else if (word !== place) lines.push(`  mov ${place}, ${word}`);
    });
  }
  if (values.size > 0) {
    throw new InternalError(`The nasty guest gives ${name} no argument ${[...values.keys()].join()}`);
  }
  const drop = stack.length > 0 ? [`  lea esp, [esp+${4 * stack.length}]`] : [];
  return [...stack, ...lines, `  call dword [ss:calls+${row.no}*4]`, ...drop];
}
