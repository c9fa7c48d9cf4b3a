/** Runs generated x87 cases on the host CPU and on the library and lists where they differ. */
import { X87_ROWS } from "../../lib/spec/i386_ops_x87.ts";
import { CaseMaker, type X87Case } from "./x87_cases.ts";
import { OPERAND_AT, X87Machine } from "./x87_machine.ts";

const CASE_BYTES = 240, RESULT_BYTES = 232;

/** Control instructions with state or pointers in memory are tested elsewhere; #UD here is no difference. */
const LEFT_OUT = new Set(["fldenv", "fnstenv", "frstor", "fnsave", "fninit"]);

/** Compiles the native runner into `folder`; undefined: no compiler, or none that makes x86-64 code. */
export async function buildNative(folder: string): Promise<string | undefined> {
  const source = new URL("./native/x87.c", import.meta.url).pathname, to = `${folder}/x87`;
  if (Deno.build.arch !== "x86_64" || Deno.build.os !== "linux") return undefined;
  try {
    const out = await new Deno.Command("gcc", { args: ["-O1", "-o", to, source], stderr: "piped" }).output();
    return out.success ? to : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** `count` cases, all rows in turn; `only`: those rows. */
export function makeCases(seed: number, count: number, only?: string): X87Case[] {
  const rows = X87_ROWS.filter((row) =>
    !LEFT_OUT.has(row.sem) && (only === undefined || only.split(",").includes(row.sem))
  );
  const maker = new CaseMaker(seed);
  return Array.from({ length: count }, (_, n) => maker.make(rows[n % rows.length]));
}

/** Results of the host, one after the other. */
export async function runNative(program: string, cases: readonly X87Case[]): Promise<Uint8Array> {
  const input = new Uint8Array(cases.length * CASE_BYTES);
  const view = new DataView(input.buffer);
  cases.forEach((c, n) => {
    const at = n * CASE_BYTES;
    input.set(new Uint8Array(c.image.buffer), at);
    input[at + 108] = 2;
    input[at + 109] = c.row.opcode;
    input[at + 110] = c.modrm;
    view.setUint32(at + 124, c.eflags, true);
    input.set(c.memory, at + 128);
  });
  const child = new Deno.Command(program, { stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(input).then(() => writer.close());
  const output = await child.output();
  await written;
  return output.stdout;
}

/** One difference. */
export interface Difference {
  /** Mnemonic and ModRM. */
  readonly what: string;
  /** Fields that differ, with the host's value and ours, and the operands. */
  readonly text: string;
  /** True if one register differs by one unit in the last place of its mantissa and nothing but C1 besides. */
  readonly oneUnit: boolean;
}

/**
 * Instructions after which C1 is not compared: the manual says that FCOMI and its relatives clear it, and so does the
 * library; AMD processors leave it.
 */
const C1_BY_VENDOR = new Set(["fcomi", "fcomip", "fucomi", "fucomip"]);

/** Compares the library with the results of the host. */
export function compareAll(cases: readonly X87Case[], native: Uint8Array): Difference[] {
  const machine = new X87Machine(), out: Difference[] = [];
  const ours = new DataView(new ArrayBuffer(108));
  cases.forEach((c, n) => {
    machine.load(c.image, c.eflags);
    machine.bytes.set(c.memory, OPERAND_AT);
    machine.execute(c.row, c.modrm);
    machine.save(ours);
    const found: string[] = [];
    const at = native.byteOffset + n * RESULT_BYTES;
    const units = compareOne(c, machine, ours, new DataView(native.buffer, at, RESULT_BYTES), found);
    if (found.length === 0) return;
    out.push({ what: c.row.sem, text: `${found.join("; ")} <- ${describe(c)}`, oneUnit: units < MORE });
  });
  return out;
}

/** Weight of a difference that is more than one unit in the last place of one register. */
const MORE = 100;

/** Names what differs in one case; returns units in the last place, or at least {@linkcode MORE}. */
function compareOne(c: X87Case, machine: X87Machine, ours: DataView, host: DataView, found: string[]): number {
  let units = 0;
  if (host.getUint32(228, true) !== 0) found.push(`signal ${host.getUint32(228, true)}`);
  const ignored = C1_BY_VENDOR.has(c.row.sem) ? 0x200 : 0;
  for (const [name, at] of [["cw", 0], ["sw", 4], ["tw", 8]] as const) {
    const h = host.getUint16(at, true), o = ours.getUint16(at, true);
    if (((h ^ o) & ~(name === "sw" ? ignored : 0)) === 0) continue;
    found.push(`${name} host ${hex(h, 4)} ours ${hex(o, 4)}`);
    if (name !== "sw" || (h ^ o) !== 0x200) units += MORE;
  }
  for (let r = 0; r < 8; r++) {
    const at = 28 + 10 * r, h = number80(host, at), o = number80(ours, at);
    if (h === o) continue;
    found.push(`st${r} host ${h} ours ${o}`);
    units += (ordinal(host, at) - ordinal(ours, at)) ** 2n === 1n ? 1 : MORE;
  }
  const hostFlags = host.getUint32(108, true) & 0x8d5, ourFlags = machine.eflags & 0x8d5;
  if (hostFlags !== ourFlags) found.push(`eflags host ${hex(hostFlags, 3)} ours ${hex(ourFlags, 3)}`);
  if (c.row.sem === "fnstsw_ax" && host.getUint16(112, true) !== machine.state.reg16(0)) found.push("ax");
  const memory = machine.bytes.subarray(OPERAND_AT, OPERAND_AT + 112);
  const hostMemory = new Uint8Array(host.buffer, host.byteOffset + 116, 112);
  if (memory.some((byte, k) => byte !== hostMemory[k])) {
    found.push(`memory host ${hexBytes(hostMemory)} ours ${hexBytes(memory)}`);
    units += MORE;
  }
  return units;
}

/** Extended numbers with normal exponents as consecutive integers by magnitude; the sign is a bit far above. */
function ordinal(v: DataView, at: number): bigint {
  const mantissa = v.getBigUint64(at, true) & 0x7fffffffffffffffn;
  return (BigInt(v.getUint16(at + 8, true)) << 63n) | mantissa;
}

function describe(c: X87Case): string {
  const words = [0, 4, 8].map((at) => hex(c.image.getUint16(at, true), 4)).join(" ");
  const i = c.modrm < 0xc0 ? 1 : Math.max(c.modrm & 7, 1);
  return `modrm ${hex(c.modrm, 2)} cw/sw/tw ${words} st0 ${number80(c.image, 28)} st${i === 1 ? 1 : i} ${
    number80(c.image, 28 + 10 * (c.row.modrm !== undefined ? 1 : i))
  } mem ${hexBytes(c.memory)} eflags ${hex(c.eflags, 3)}`;
}

function number80(v: DataView, at: number): string {
  return `${hex(v.getUint16(at + 8, true), 4)}:${v.getBigUint64(at, true).toString(16).padStart(16, "0")}`;
}

function hex(value: number, digits: number): string {
  return (value >>> 0).toString(16).padStart(digits, "0");
}

function hexBytes(bytes: Uint8Array): string {
  return Array.from(bytes.subarray(0, 10), (b) => hex(b, 2)).join("");
}
