/**
 * Minikernel: puts the parts together, and turns its few shorthands into plain assembly.
 *
 * - `paravirt NAME` is a call site: an indirect call through the operation's pointer, six bytes that activation may turn
 *   into a direct call. `paravirt_jump NAME` is the same with a jump, for calls that do not return.
 * - `say "text"` prints; `\n` in the text is a new line. Programs have it too.
 *
 * The tables of operations and sites, the texts, the exception entries and the programs' pages are made here. Cold.
 */
import { assemble } from "../../cpu/i386/asm/assemble.ts";
import { InternalError } from "../../core/errors.ts";
import { PARAVIRT_CALLS } from "../../spec/paravirt_calls.ts";
import { BOOT } from "./boot.ts";
import { COMMAND_LINE } from "./command_line.ts";
import { CPUS } from "./cpus.ts";
import { FAULTS } from "./faults.ts";
import { FRAMES } from "./frames.ts";
import { MAIN } from "./main.ts";
import { MEMORY } from "./memory.ts";
import { NATIVE_OPS } from "./native_ops.ts";
import { PATCH } from "./patch.ts";
import { PROBE } from "./probe.ts";
import { PROCESSES } from "./processes.ts";
import { INIT } from "./programs/init.ts";
import { LIBRARY, USER_LAYOUT } from "./programs/library.ts";
import { WORKLOAD } from "./programs/workload.ts";
import { SCHEDULER } from "./scheduler.ts";
import { SERIAL } from "./serial.ts";
import { SPACES } from "./spaces.ts";
import { SYSCALLS } from "./syscalls.ts";
import { TABLES } from "./tables.ts";
import { TIME } from "./time.ts";
import { TRAPS } from "./traps.ts";

/** Linear address of the image's first byte. */
export const MINIKERNEL_LINEAR = 0xc0100000;

/** Exceptions that push an error code. */
const WITH_ERROR_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];

/** Bytes a program may have: one page. */
const PROGRAM_BYTES = 4096;

const PARTS: readonly string[] = [
  USER_LAYOUT,
  BOOT,
  ...[SERIAL, PROBE, PATCH, NATIVE_OPS, TABLES, FRAMES, MEMORY, PROCESSES, SPACES, SCHEDULER],
  ...[FAULTS, TRAPS, SYSCALLS, TIME, CPUS, COMMAND_LINE, MAIN],
];

/** A call site of the source. */
interface Site {
  readonly label: string;
  readonly no: number;
}

/** An operation that the source uses. */
interface Operation {
  readonly no: number;
  readonly jumped: boolean;
}

/** The whole kernel as assembly source for origin {@linkcode MINIKERNEL_LINEAR}; bare instructions, labels and data. */
export function minikernelSource(): string {
  const sites: Site[] = [];
  const ops = new Map<string, Operation>();
  const { lines, texts } = withTexts(PARTS.join("\n"));
  const code = lines.flatMap((line) => {
    const site = /^\s*(paravirt|paravirt_jump) (\w+)/.exec(line);
    if (site === null) return [line];
    const name = site[2] ?? "";
    const no = PARAVIRT_CALLS.find((row) => row.name === name)?.no;
    if (no === undefined) throw new InternalError(`The minikernel calls ${name}, which is not in the call table`);
    const jumped = site[1] === "paravirt_jump";
    ops.set(name, { no, jumped });
    sites.push({ label: `site_${sites.length}`, no });
    return [`site_${sites.length - 1}:`, `  ${jumped ? "jmp" : "call"} dword [op_${name}]`];
  });
  return [
    ...code,
    ...exceptionEntries(),
    ...texts,
    ...programs(),
    ...tables(ops, sites),
    "image_end:",
    "",
  ].join("\n");
}

/** Assembly source of a program by name, for the address at which it runs. */
function programSource(name: "init" | "workload"): string {
  const { lines, texts } = withTexts([USER_LAYOUT, LIBRARY, name === "init" ? INIT : WORKLOAD].join("\n"));
  return ["org USER_CODE", ...lines, ...texts, ""].join("\n");
}

/** The pointers that call sites go through, and what activation needs to know of both. */
function tables(ops: ReadonlyMap<string, Operation>, sites: readonly Site[]): string[] {
  const calls = [...ops];
  return [
    "align 4",
    ...calls.map(([name]) => `op_${name}: dd native_${name}`),
    "op_table:",
    ...calls.map(([name, op]) => `  dd ${op.no}, op_${name}, ${op.jumped ? 1 : 0}`),
    "op_table_end:",
    "site_table:",
    ...sites.map((s) => `  dd ${s.label}, ${s.no}`),
    "site_table_end:",
  ];
}

/** The programs as data, and the address at which their way through SYSENTER ends. */
function programs(): string[] {
  const lines: string[] = [];
  const returns = new Set<number>();
  for (const name of ["init", "workload"] as const) {
    const { bytes, labels } = assemble(programSource(name));
    if (bytes.length > PROGRAM_BYTES) {
      throw new InternalError(`Program ${name} has ${bytes.length} bytes, more than a page`);
    }
    returns.add(labels.get("sysenter_return") ?? 0);
    lines.push(`program_${name}:`);
    for (let i = 0; i < bytes.length; i += 16) lines.push(`  db ${[...bytes.subarray(i, i + 16)].join(", ")}`);
    lines.push(`program_${name}_end:`);
  }
  if (returns.size !== 1) throw new InternalError("Programs differ in where SYSENTER returns to");
  return [`SYSENTER_RETURN equ ${[...returns].join()}`, ...lines];
}

/** Puts calls in place of `say`, and their texts apart. */
function withTexts(source: string): { readonly lines: string[]; readonly texts: string[] } {
  const texts: string[] = [];
  const lines = source.split("\n").flatMap((line) => {
    const say = /^\s*say "(.*)"\s*$/.exec(line);
    if (say === null) return [line];
    texts.push(`text_${texts.length}: db ${textBytes(say[1] ?? "")}`);
    return [`  mov esi, text_${texts.length - 1}`, "  call puts"];
  });
  return { lines, texts };
}

/** An entry for each exception: an error code of 0 where the CPU pushes none, then the vector. */
function exceptionEntries(): string[] {
  const vectors = Array.from({ length: 32 }, (_, v) => v);
  return [
    ...vectors.flatMap((v) => [
      `exception_${v}:`,
      ...(WITH_ERROR_CODE.includes(v) ? [] : ["  push dword 0"]),
      `  push dword ${v}`,
      "  jmp exception_common",
    ]),
    "align 4",
    "exception_table:",
    ...vectors.map((v) => `  dd exception_${v}`),
  ];
}

/** Operands of DB for a text: its character codes and a closing 0. */
function textBytes(text: string): string {
  return [...new TextEncoder().encode(text.replaceAll("\\n", "\n")), 0].join(", ");
}
