/**
 * Values and machines as a failed assertion prints them: numbers in decimal and hex, the place in the guest, the last
 * trace entries, the tail of the serial port. Cold.
 */
import { hex, hexBytes } from "../base/hex.ts";
import { Machine } from "../machine/machine.ts";

/** Characters of a value that a message shows. */
const LONGEST = 2000;

/** A value on one line, cut where it gets long; numbers also in hex. */
export function show(value: unknown): string {
  const text = shown(value, 0);
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}

function shown(value: unknown, depth: number): string {
  switch (typeof value) {
    case "number":
      return Number.isInteger(value) && Math.abs(value) > 9 ? `${hex(value)} (${value})` : String(value);
    case "bigint":
      return value > 9n ? `${hex(value)}n (${value}n)` : `${value}n`;
    case "string":
      return JSON.stringify(value.length > 400 ? `...${value.slice(-400)}` : value);
    case "function":
      return `function ${value.name}`;
  }
  if (value === null || typeof value !== "object") return String(value);
  if (value instanceof Uint8Array) {
    return `${value.length} bytes: ${hexBytes(value.subarray(0, 64))}${value.length > 64 ? " ..." : ""}`;
  }
  if (depth > 4) return "...";
  if (value instanceof Machine) return `a machine at ${hex(value.current.pc)}, described below`;
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const items = Array.from(value as ArrayLike<unknown>);
    const more = items.length > 32 ? ", ..." : "";
    return `[${items.slice(0, 32).map((v) => shown(v, depth + 1)).join(", ")}${more}]`;
  }
  const fields = Object.entries(value).slice(0, 32).map(([k, v]) => `${k}: ${shown(v, depth + 1)}`);
  return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
}

/** Where a machine stands: EIP with disassembly, registers, the last trace entries, the serial tail. */
export function describe(machine: Machine): string {
  const cpu = machine.current;
  const which = machine.cpus.length === 1 ? "" : `${cpu.name} `;
  const lines = [`${which}at ${hex(cpu.pc)}, linear ${hex(cpu.pcLinear)}, tick ${machine.now}, ${cpu.engine} engine`];
  lines.push(...attempt(() => cpu.disassemble(cpu.pcLinear, 3)).map((line) => `  ${line}`));
  lines.push(...attempt(() => registerLines(machine)).map((line) => `  ${line}`));
  const trace = machine.trace.tail(8);
  if (trace.length > 0) lines.push("trace:");
  for (const e of trace) {
    const who = machine.cpus.length === 1 ? "" : ` cpu${e.cpu}`;
    lines.push(`  ${String(e.time).padStart(12)}${who} ${hex(e.eip)} ${e.kind}: ${e.text}`);
  }
  const serial = machine.serialTail(400);
  if (serial !== "") lines.push("serial:", ...serial.split("\n").slice(-8).map((line) => `  | ${line}`));
  return lines.join("\n");
}

function registerLines(machine: Machine): string[] {
  const cells: string[] = [];
  for (const name of machine.current.registerNames) {
    const value = machine.current.get(name);
    if (typeof value === "number") cells.push(`${name} ${hex(value)}`);
  }
  const lines: string[] = [];
  for (let i = 0; i < Math.min(cells.length, 16); i += 4) lines.push(cells.slice(i, i + 4).join("  "));
  return lines;
}

/** A failure message must not fail itself: what cannot be shown is left out. */
function attempt(lines: () => string[]): string[] {
  try {
    return lines();
  } catch {
    return [];
  }
}
