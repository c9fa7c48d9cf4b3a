// deno-lint-ignore-file camelcase -- keys are the `sem` names of the opcode table
/**
 * Control instructions: control and status word, environment, whole state. None of them touches the last instruction
 * pointer, and those without a leading FWAIT in their name do not look at pending errors.
 * Sources: SDM-2A FLDCW, FSTSW, FLDENV, FSTENV, FSAVE, FRSTOR, FINIT, FCLEX, WAIT; SDM-1 8.1.10 (formats). Warm.
 */
import { checkAlignment } from "../../alignment.ts";
import { Cr0, Vector } from "../../../../spec/i386_regs.ts";
import type { Context, Op, SystemFn } from "../../context.ts";
import { Layout } from "../../state.ts";
import { Fsw } from "../float80/format.ts";
import {
  answerError,
  available,
  FCW,
  FSW,
  initialize,
  note,
  ready,
  setControlWord,
  setStatusWord,
  setTagWord,
  settles,
  st,
  statusWord,
  tagWord,
} from "../stack.ts";

const FOP = Layout.fop >>> 2, FIP = Layout.fip >>> 2, FCS = Layout.fcs >>> 2;
const FDP = Layout.fdp >>> 2, FDS = Layout.fds >>> 2;

function fwait(c: Context): void {
  const both = Cr0.mp | Cr0.ts;
  if ((c.state.get(Layout.cr0) & both) === both) c.raise(Vector.nm);
  if ((c.state.i32[FSW] & Fsw.es) !== 0) answerError(c);
}

function fldcw(c: Context, op: Op): void {
  if (!ready(c)) return;
  setControlWord(c.state.i32, c.mem.read16(op.linear(2, false)));
}

function fnstcw(c: Context, op: Op): void {
  available(c);
  c.mem.write16(op.linear(2, true), c.state.i32[FCW] & 0xffff);
}

function fnstswMemory(c: Context, op: Op): void {
  available(c);
  c.mem.write16(op.linear(2, true), statusWord(c.state.i32));
}

function fnstswAx(c: Context): void {
  available(c);
  c.state.setReg16(0, statusWord(c.state.i32));
}

function fnclex(c: Context): void {
  available(c);
  c.state.i32[FSW] &= ~(0x3f | Fsw.sf | Fsw.es | Fsw.busy);
}

function fninit(c: Context): void {
  available(c);
  initialize(c.state.i32);
}

function nop(c: Context): void {
  available(c);
}

function fnop(c: Context, op: Op): void {
  if (ready(c)) note(c, op);
}

/** True if pointers have the format of real and virtual-8086 mode: linear, without selectors. */
function isRealFormat(c: Context): boolean {
  return !c.state.isProtected || c.state.isV86;
}

/** Bytes of the environment. */
function environmentSize(op: Op): number {
  return op.opSize === 32 ? 28 : 14;
}

/** Writes the environment; the memory has been checked. */
function writeEnvironment(c: Context, op: Op, at: number): void {
  const w = c.state.i32, m = c.mem, real = isRealFormat(c);
  const ip = real ? (w[FIP] + (w[FCS] << 4)) | 0 : w[FIP];
  const dp = real ? (w[FDP] + (w[FDS] << 4)) | 0 : w[FDP];
  if (op.opSize === 32) {
    const high = 0xffff0000 | 0;
    m.write32(at, high | w[FCW]);
    m.write32((at + 4) >>> 0, high | statusWord(w));
    m.write32((at + 8) >>> 0, high | tagWord(w));
    m.write32((at + 12) >>> 0, real ? high | (ip & 0xffff) : ip);
    m.write32((at + 16) >>> 0, real ? ((ip >>> 16) << 12) | w[FOP] : (w[FOP] << 16) | w[FCS]);
    m.write32((at + 20) >>> 0, real ? high | (dp & 0xffff) : dp);
    m.write32((at + 24) >>> 0, real ? (dp >>> 16) << 12 : high | w[FDS]);
    return;
  }
  m.write16(at, w[FCW]);
  m.write16((at + 2) >>> 0, statusWord(w));
  m.write16((at + 4) >>> 0, tagWord(w));
  m.write16((at + 6) >>> 0, ip & 0xffff);
  m.write16((at + 8) >>> 0, real ? ((ip >>> 4) & 0xf000) | w[FOP] : w[FCS]);
  m.write16((at + 10) >>> 0, dp & 0xffff);
  m.write16((at + 12) >>> 0, real ? (dp >>> 4) & 0xf000 : w[FDS]);
}

/** Words of an environment just read. */
const FIELDS = new Int32Array(7);

/** Reads the fields of the environment; changes nothing yet. Faults: those of memory. */
function readFields(c: Context, op: Op, at: number): void {
  for (let n = 0; n < 7; n++) {
    FIELDS[n] = op.opSize === 32 ? c.mem.read32((at + 4 * n) >>> 0) : c.mem.read16((at + 2 * n) >>> 0);
  }
}

/** Takes over the environment read by {@linkcode readFields}. */
function takeFields(c: Context, op: Op): void {
  const w = c.state.i32, f = FIELDS;
  setControlWord(w, f[0]);
  setStatusWord(w, f[1]);
  setTagWord(w, f[2]);
  const real = isRealFormat(c);
  if (op.opSize === 32) {
    w[FIP] = real ? (f[3] & 0xffff) | ((f[4] << 4) & 0xffff0000) : f[3];
    w[FCS] = real ? 0 : f[4] & 0xffff;
    w[FOP] = (real ? f[4] : f[4] >>> 16) & 0x7ff;
    w[FDP] = real ? (f[5] & 0xffff) | ((f[6] << 4) & 0xffff0000) : f[5];
    w[FDS] = real ? 0 : f[6] & 0xffff;
    return;
  }
  w[FIP] = real ? f[3] | ((f[4] << 4) & 0xf0000) : f[3];
  w[FCS] = real ? 0 : f[4];
  w[FOP] = real ? f[4] & 0x7ff : 0;
  w[FDP] = real ? f[5] | ((f[6] << 4) & 0xf0000) : f[5];
  w[FDS] = real ? 0 : f[6];
}

function probe(c: Context, op: Op, size: number): number {
  const at = op.linear(size, true);
  checkAlignment(c, at, op.opSize >>> 3);
  c.mem.probeWrite(at, size, c.state.get(Layout.cpl) === 3);
  return at;
}

function fnstenv(c: Context, op: Op): void {
  available(c);
  writeEnvironment(c, op, probe(c, op, environmentSize(op)));
  const w = c.state.i32;
  w[FCW] |= 0x3f;
  w[FSW] &= ~(Fsw.es | Fsw.busy);
}

function fldenv(c: Context, op: Op): void {
  if (!ready(c)) return;
  readFields(c, op, op.linear(environmentSize(op), false));
  takeFields(c, op);
}

/** Reads 4 bytes of a register, which lie at any multiple of 2: alignment checks ask for no more. */
function readByWords(c: Context, at: number): number {
  return (at & 3) === 0 ? c.mem.read32(at) : c.mem.read16(at) | (c.mem.read16((at + 2) >>> 0) << 16);
}

/** Writes them. */
function writeByWords(c: Context, at: number, value: number): void {
  if ((at & 3) === 0) return c.mem.write32(at, value);
  c.mem.write16(at, value & 0xffff);
  c.mem.write16((at + 2) >>> 0, value >>> 16);
}

function fnsave(c: Context, op: Op): void {
  available(c);
  const size = environmentSize(op), at = probe(c, op, size + 80), w = c.state.i32;
  writeEnvironment(c, op, at);
  for (let n = 0; n < 8; n++) {
    const from = st(w, n), to = at + size + 10 * n;
    writeByWords(c, to >>> 0, w[from]);
    writeByWords(c, (to + 4) >>> 0, w[from + 1]);
    c.mem.write16((to + 8) >>> 0, w[from + 2] & 0xffff);
  }
  initialize(w);
}

function frstor(c: Context, op: Op): void {
  if (!ready(c)) return;
  const size = environmentSize(op), at = op.linear(size + 80, false), w = c.state.i32;
  checkAlignment(c, at, op.opSize >>> 3);
  c.mem.probeRead(at, size + 80, c.state.get(Layout.cpl) === 3);
  readFields(c, op, at);
  takeFields(c, op);
  for (let n = 0; n < 8; n++) {
    const to = st(w, n), from = at + size + 10 * n;
    w[to] = readByWords(c, from >>> 0);
    w[to + 1] = readByWords(c, (from + 4) >>> 0);
    w[to + 2] = c.mem.read16((from + 8) >>> 0);
  }
}

/** Control instructions by `sem`. */
export const CONTROL_FNS: Readonly<Record<string, SystemFn>> = {
  fwait,
  fldcw: settles(fldcw),
  fnstcw,
  fnstsw_m16: fnstswMemory,
  fnstsw_ax: fnstswAx,
  fnclex: settles(fnclex),
  fninit: settles(fninit),
  fneni: nop,
  fndisi: nop,
  fsetpm: nop,
  fnop,
  fnstenv: settles(fnstenv),
  fldenv: settles(fldenv),
  fnsave: settles(fnsave),
  frstor: settles(frstor),
};
