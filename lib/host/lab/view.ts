/**
 * A machine as data for the lab page: registers, instructions to come, page tables, screen. Nothing here changes the
 * machine. Cold.
 */
import { hex, hex32, hexdump } from "../../base/hex.ts";
import { disassemble } from "../../cpu/i386/disasm.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import type { Machine } from "../../machine/machine.ts";
import type { LabLine } from "./protocol.ts";

/** Registers shown, in this order, those of them that the CPU has. */
const WANTED = [
  ...["eax", "ebx", "ecx", "edx", "esi", "edi", "ebp", "esp", "eip", "eflags"],
  ...["cs", "ss", "ds", "es", "fs", "gs", "cr0", "cr2", "cr3", "cr4", "cpl", "gdt", "idt"],
];
/** Hex digits of those that are no words. */
const DIGITS: Readonly<Record<string, number>> = { cs: 4, ss: 4, ds: 4, es: 4, fs: 4, gs: 4, cpl: 1 };
/** Bits of EFLAGS by name. */
const FLAGS: readonly (readonly [bit: number, name: string])[] = [
  ...[[0, "CF"], [2, "PF"], [4, "AF"], [6, "ZF"], [7, "SF"], [8, "TF"], [9, "IF"], [10, "DF"], [11, "OF"]] as const,
  ...[[14, "NT"], [16, "RF"], [17, "VM"], [18, "AC"], [19, "VIF"], [20, "VIP"], [21, "ID"]] as const,
];
/** Instructions shown. */
const LINES = 16;
/** Lines of memory shown. */
const ROWS = 16;
/** Bytes of the longest instruction. */
const LONGEST = 15;

/** Registers in hex; of a CPU of another architecture its first ones. */
export function registersOf(cpu: CpuView): readonly (readonly [name: string, value: string])[] {
  const names = cpu.architecture === "i386" ? WANTED : cpu.registerNames.slice(0, 32);
  return names.map((name) => {
    const value = cpu.get(name);
    return [name, value instanceof Uint8Array ? value.toHex() : hex(value, DIGITS[name] ?? 8)];
  });
}

/** Names of the flags that are set. */
export function flagsOf(cpu: CpuView): string {
  if (cpu.architecture !== "i386") return "";
  return FLAGS.filter(([bit]) => ((cpu.eflags >>> bit) & 1) !== 0).map(([, name]) => name).join(" ");
}

/** Instructions to come, the next one first. */
export function codeOf(m: Machine, cpu: CpuView): readonly LabLine[] {
  const from = cpu.pcLinear;
  const texts = cpu.disassemble(from, LINES);
  const lengths = cpu.architecture === "i386" ? lengthsOf(bytesAt(m, cpu, from, LINES * LONGEST), from, texts) : [];
  let at = from;
  return texts.map((text, i) => {
    if (i > 0) at = (at + (lengths[i - 1] ?? 0)) >>> 0;
    return { at: i === 0 || lengths[i - 1] !== undefined ? hex32(at) : "", text };
  });
}

/** How long the instructions of these texts are: those of the code size that gives the same texts. */
function lengthsOf(bytes: Uint8Array, from: number, texts: readonly string[]): readonly number[] {
  const [wide, narrow] = [true, false].map((is32) => {
    const lengths: number[] = [];
    for (let at = 0; lengths.length < texts.length && at < bytes.length;) {
      const one = disassemble(bytes, at, Math.min(LONGEST, bytes.length - at), (from + at) >>> 0, is32);
      if (one.text !== texts[lengths.length]) break;
      lengths.push(one.length);
      at += one.length;
    }
    return lengths;
  });
  return wide.length >= narrow.length ? wide : narrow;
}

/** Bytes at a linear address, up to the first page that is not there. */
function bytesAt(m: Machine, cpu: CpuView, at: number, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const linear = (at + done) >>> 0;
    const physical = cpu.translate(linear);
    if (physical < 0) break;
    const n = Math.min(0x1000 - (linear & 0xfff), size - done);
    bytes.set(m.peek(physical, n), done);
    done += n;
  }
  return bytes.subarray(0, done);
}

/** Lines of memory from a linear address on, sixteen bytes each. */
export function memoryOf(m: Machine, cpu: CpuView, from: number): readonly string[] {
  return Array.from({ length: ROWS }, (_, row) => {
    const at = (from + 16 * row) >>> 0, bytes = bytesAt(m, cpu, at, 16);
    return bytes.length === 0 ? `${hex32(at)}  nothing is mapped` : hexdump(bytes, at);
  });
}

/** The text screen, or empty: there is none, or nothing on it. */
export function screenOf(m: Machine): string {
  const text = (m as { readonly screen?: { text(): string } }).screen?.text() ?? "";
  return text.trim() === "" ? "" : text;
}
