/**
 * The registers of an i386 in GDB's order and the description of them that GDB reads at the start, so that both sides
 * agree whatever GDB assumes by default. Sources: GDB manual, appendix G (i386 features). Cold.
 *
 * Not emulated: descriptor caches and model-specific registers; `monitor` and scripts show more.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import { fromHex, toHex } from "./packet.ts";

/** One register. */
interface Row {
  /** GDB's name. */
  readonly name: string;
  /** Name of the CPU's own, where it differs. */
  readonly ours?: string;
  /** Width in bits. */
  readonly bits: 32 | 80 | 128;
  /** GDB's type. */
  readonly type: string;
}

const word = (name: string, ours = name, type = "int32"): Row => ({ name, ours, bits: 32, type });

const CORE: readonly Row[] = [
  ...["eax", "ecx", "edx", "ebx"].map((name) => word(name)),
  word("esp", "esp", "data_ptr"),
  word("ebp", "ebp", "data_ptr"),
  word("esi"),
  word("edi"),
  word("eip", "eip", "code_ptr"),
  word("eflags", "eflags", "i386_eflags"),
  ...["cs", "ss", "ds", "es", "fs", "gs"].map((name) => word(name)),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): Row => ({ name: `st${n}`, bits: 80, type: "i387_ext" })),
  ...[["fctrl", "fcw"], ["fstat", "fsw"], ["ftag", "ftw"], ["fiseg", "fcs"], ["fioff", "fip"]].map(([n, o]) =>
    word(n, o)
  ),
  ...[["foseg", "fds"], ["fooff", "fdp"], ["fop", "fop"]].map(([n, o]) => word(n, o)),
];
const SSE: readonly Row[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n): Row => ({ name: `xmm${n}`, bits: 128, type: "vec128" })),
  word("mxcsr", "mxcsr", "i386_mxcsr"),
];
const SYSTEM: readonly Row[] = ["cr0", "cr2", "cr3", "cr4"].map((name) => word(name));

/** All registers; the index is GDB's number. */
const ROWS: readonly Row[] = [...CORE, ...SSE, ...SYSTEM];

/** How many there are. */
export const REGISTER_COUNT: number = ROWS.length;

const FLAGS = ["CF", "", "PF", "", "AF", "", "ZF", "SF", "TF", "IF", "DF", "OF", "", "", "NT", "", "RF", "VM", "AC"];
const MXCSR = ["IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM", "DM", "ZM", "OM", "UM", "PM", "", "", "FZ"];

function flags(id: string, names: readonly string[]): string {
  const fields = names.map((name, bit) => `<field name="${name}" start="${bit}" end="${bit}"/>`);
  return `<flags id="${id}" size="4">${fields.join("")}</flags>`;
}

const VECTOR = `<vector id="v4f" type="ieee_single" count="4"/><vector id="v4i" type="int32" count="4"/>` +
  `<union id="vec128"><field name="v4_float" type="v4f"/><field name="v4_int32" type="v4i"/>` +
  `<field name="uint128" type="uint128"/></union>`;

function feature(name: string, types: string, rows: readonly Row[]): string {
  const regs = rows.map((r) => `<reg name="${r.name}" bitsize="${r.bits}" type="${r.type}"/>`);
  return `<feature name="${name}">${types}${regs.join("")}</feature>`;
}

/** The description GDB asks for as `target.xml`. */
export const TARGET_XML: string = `<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd"><target>` +
  `<architecture>i386</architecture>` +
  feature("org.gnu.gdb.i386.core", flags("i386_eflags", FLAGS), CORE) +
  feature("org.gnu.gdb.i386.sse", VECTOR + flags("i386_mxcsr", MXCSR), SSE) +
  feature("org.vmikit.i386.system", "", SYSTEM) + `</target>`;

/** A register's bytes as hex digits, low byte first; `undefined`: there is none of that number. */
export function readRegister(cpu: CpuView, number: number): string | undefined {
  const row = ROWS[number];
  if (row === undefined) return undefined;
  const value = cpu.get(row.ours ?? row.name);
  if (value instanceof Uint8Array) return toHex(value);
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, Number(value), true);
  return toHex(bytes);
}

/** All registers in a row. */
export function readRegisters(cpu: CpuView): string {
  return ROWS.map((_, number) => readRegister(cpu, number)).join("");
}

/** Sets a register from hex digits; false: there is no such register, or it cannot take this. */
export function writeRegister(cpu: CpuView, number: number, digits: string): boolean {
  const row = ROWS[number];
  const bytes = fromHex(digits);
  if (row === undefined || bytes === undefined || bytes.length !== row.bits / 8) return false;
  const value = row.bits === 32 ? new DataView(bytes.buffer).getUint32(0, true) : bytes;
  const name = row.ours ?? row.name;
  try {
    const now = cpu.get(name);
    if (typeof value === "number" && Number(now) === value) return true; // GDB writes back what it has read
    cpu.set(name, value);
    return true;
  } catch (error) {
    if (error instanceof ConfigError) return false;
    throw error;
  }
}

/** Sets all registers, or none if the digits are too few. */
export function writeRegisters(cpu: CpuView, digits: string): boolean {
  const total = ROWS.reduce((sum, row) => sum + row.bits / 4, 0);
  if (digits.length !== total || fromHex(digits) === undefined) return false;
  let at = 0;
  return ROWS.map((row, number) => {
    const part = digits.slice(at, at += row.bits / 4);
    return writeRegister(cpu, number, part);
  }).every((done) => done);
}
