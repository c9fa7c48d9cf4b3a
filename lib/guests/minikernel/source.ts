/**
 * Minikernel: puts the parts together, and turns its few shorthands into plain assembly.
 *
 * - `paravirt NAME` is a call site: an indirect call through the operation's pointer, six bytes that activation may turn
 *   into a direct call. `paravirt_jump NAME` is the same with a jump, for calls that do not return.
 * - `say "text"` prints; `\n` in the text is a new line.
 *
 * The tables of operations and sites, the texts and the exception entries are made here. Cold.
 */
import { InternalError } from "../../core/errors.ts";
import { PARAVIRT_CALLS } from "../../spec/paravirt_calls.ts";
import { BOOT } from "./boot.ts";
import { MAIN } from "./main.ts";
import { MEMORY } from "./memory.ts";
import { NATIVE_OPS } from "./native_ops.ts";
import { PATCH } from "./patch.ts";
import { PROBE } from "./probe.ts";
import { SERIAL } from "./serial.ts";
import { TABLES } from "./tables.ts";
import { TIME } from "./time.ts";
import { TRAPS } from "./traps.ts";

/** Linear address of the image's first byte. */
export const MINIKERNEL_LINEAR = 0xc0100000;

/** Exceptions that push an error code. */
const WITH_ERROR_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];

/** The whole kernel as assembly source for origin {@linkcode MINIKERNEL_LINEAR}; bare instructions, labels and data. */
export function minikernelSource(): string {
  const parts = [BOOT, SERIAL, PROBE, PATCH, NATIVE_OPS, TABLES, MEMORY, TRAPS, TIME, MAIN];
  const texts: string[] = [];
  const sites: { readonly label: string; readonly no: number }[] = [];
  const ops = new Map<string, { readonly no: number; jumped: boolean }>();
  const lines = parts.join("\n").split("\n").flatMap((line) => {
    const say = /^\s*say "(.*)"\s*$/.exec(line);
    if (say !== null) {
      texts.push(`text_${texts.length}: db ${textBytes(say[1] ?? "")}`);
      return [`  mov esi, text_${texts.length - 1}`, "  call puts"];
    }
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
  const calls = [...ops];
  return [
    ...lines,
    ...exceptionEntries(),
    ...texts,
    "align 4",
    ...calls.map(([name]) => `op_${name}: dd native_${name}`),
    "op_table:",
    ...calls.map(([name, op]) => `  dd ${op.no}, op_${name}, ${op.jumped ? 1 : 0}`),
    "op_table_end:",
    "site_table:",
    ...sites.map((s) => `  dd ${s.label}, ${s.no}`),
    "site_table_end:",
    "image_end:",
    "",
  ].join("\n");
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
