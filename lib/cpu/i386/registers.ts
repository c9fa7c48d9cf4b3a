/**
 * Registers by name, as scripts and debuggers see them. Writes have the meaning of a debugger's: segment registers take
 * a selector and load their cache as the mode says. Cold.
 */
import type { RegisterValue } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { REG16, REG32, REG8, SREG } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { readEflags, writeEflags } from "./flags.ts";
import { Layout, Seg } from "./state.ts";
import { setTagWord, tagWord } from "./x87/stack.ts";
import { loadSegment, setReal } from "./segment.ts";

const CONTROL: Readonly<Record<string, number>> = {
  cr0: Layout.cr0,
  cr2: Layout.cr2,
  cr3: Layout.cr3,
  cr4: Layout.cr4,
  dr0: Layout.dr,
  dr1: Layout.dr + 4,
  dr2: Layout.dr + 8,
  dr3: Layout.dr + 12,
  dr6: Layout.dr6,
  dr7: Layout.dr7,
};

const PLAIN: Readonly<Record<string, number>> = {
  eip: Layout.eip,
  cpl: Layout.cpl,
  gdt: Layout.gdtBase,
  idt: Layout.idtBase,
  fcw: Layout.fcw,
  mxcsr: Layout.mxcsr,
  fop: Layout.fop,
  fip: Layout.fip,
  fcs: Layout.fcs,
  fdp: Layout.fdp,
  fds: Layout.fds,
};

/** All names in display order. */
export const REGISTER_NAMES: readonly string[] = [
  ...REG32,
  "eip",
  "eflags",
  ...SREG,
  ...Object.keys(CONTROL),
  ...REG16,
  ...REG8,
  "cpl",
  "gdt",
  "idt",
  "fcw",
  "fsw",
  "ftw",
  "fop",
  "fip",
  "fcs",
  "fdp",
  "fds",
  "mxcsr",
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `st${n}`),
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `xmm${n}`),
];

/** Reads a register. Numbers are u32; st0-st7 are 10 bytes, xmm0-xmm7 16 bytes. @throws {ConfigError} register-name */
export function readRegister(c: Context, name: string): RegisterValue {
  const s = c.state;
  const r32 = REG32.indexOf(name);
  if (r32 >= 0) return s.reg32(r32) >>> 0;
  const at = CONTROL[name] ?? PLAIN[name];
  if (at !== undefined) return s.get(at) >>> 0;
  if (name === "eflags") return readEflags(s);
  if (name === "fsw") return s.get(Layout.fsw) | (s.get(Layout.ftop) << 11);
  if (name === "ftw") return tagWord(s.i32);
  const sreg = SREG.indexOf(name);
  if (sreg >= 0) return s.seg(sreg, Seg.selector) & 0xffff;
  if (REG16.includes(name)) return s.reg16(REG16.indexOf(name));
  if (REG8.includes(name)) return s.reg8(REG8.indexOf(name));
  const wide = /^(st|xmm)([0-7])$/.exec(name);
  if (wide === null) throw unknown(name);
  const n = Number(wide[2]);
  if (wide[1] === "xmm") return s.u8.slice(Layout.xmm + 16 * n, Layout.xmm + 16 * n + 16);
  const fpr = Layout.fpr + 16 * ((s.get(Layout.ftop) + n) & 7);
  return s.u8.slice(fpr, fpr + 10);
}

/** Writes a register. @throws {ConfigError} register-name, register-value */
export function writeRegister(c: Context, name: string, value: RegisterValue): void {
  const s = c.state;
  if (typeof value !== "number" && typeof value !== "bigint") {
    writeWide(c, name, value);
    return;
  }
  if (typeof value === "number" && !Number.isInteger(value)) {
    throw new ConfigError("register-value", `Register "${name}" takes a whole number, not ${value}`);
  }
  const v = Number(BigInt.asUintN(32, BigInt(value)));
  const r32 = REG32.indexOf(name);
  if (r32 >= 0) s.setReg32(r32, v);
  else if (CONTROL[name] !== undefined) {
    s.set(CONTROL[name], v);
    c.flushTlb(true);
    c.modeChanged();
    c.debugChanged();
  } else if (PLAIN[name] !== undefined) {
    s.set(PLAIN[name], v);
    c.modeChanged();
  } else if (name === "ftw") setTagWord(s.i32, v);
  else if (name === "eflags") {
    writeEflags(s, v);
    c.modeChanged();
  } else if (SREG.includes(name)) writeSelector(c, SREG.indexOf(name), v);
  else if (REG16.includes(name)) s.setReg16(REG16.indexOf(name), v);
  else if (REG8.includes(name)) s.setReg8(REG8.indexOf(name), v);
  else throw unknown(name);
}

function writeSelector(c: Context, n: number, selector: number): void {
  if (n === 1) {
    if (!c.state.isProtected) setReal(c.state, 1, selector);
    else throw new ConfigError("register-value", "CS cannot be set in protected mode; let the guest transfer control");
    c.modeChanged();
    return;
  }
  try {
    loadSegment(c, n, selector & 0xffff);
  } catch (thrown) {
    if (thrown !== c.fault) throw thrown;
    throw new ConfigError("register-value", `Selector 0x${selector.toString(16)} cannot be loaded into ${SREG[n]}`);
  }
}

function writeWide(c: Context, name: string, value: Uint8Array): void {
  const wide = /^(st|xmm)([0-7])$/.exec(name);
  if (!(value instanceof Uint8Array)) {
    throw new ConfigError(
      "register-value",
      `Register "${name}" takes a number, a bigint or bytes, not ${typeof value}`,
    );
  }
  if (wide === null) throw unknown(name);
  const n = Number(wide[2]), want = wide[1] === "st" ? 10 : 16;
  if (value.length !== want) {
    throw new ConfigError("register-value", `${name} takes ${want} bytes, not ${value.length}`);
  }
  const s = c.state;
  if (wide[1] === "xmm") s.u8.set(value, Layout.xmm + 16 * n);
  else {
    const r = (s.get(Layout.ftop) + n) & 7;
    s.u8.set(value, Layout.fpr + 16 * r);
    s.set(Layout.fempty, s.get(Layout.fempty) & ~(1 << r));
  }
}

function unknown(name: string): ConfigError {
  return new ConfigError(
    "register-name",
    `No register "${name}"; there are ${REGISTER_NAMES.slice(0, 28).join(" ")} ...`,
  );
}
