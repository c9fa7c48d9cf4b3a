/**
 * Generates cases of single instructions and short sequences from the opcode table.
 *
 * Left out is what means something else in the host's address space: segment loads, interrupts, far transfers,
 * descriptor reads, CPUID and the clock. Privileged instructions are run for the faults they end in.
 */
import { Prng } from "../../lib/base/prng.ts";
import { type OpRow, OPS } from "../../lib/spec/i386_ops.ts";
import { Reg } from "../../lib/spec/i386_regs.ts";
import { type Case, CODE_AT, CODE_BYTES, FLAGS_MASK, WINDOW_AT, WINDOW_BYTES } from "./case.ts";
import { encode, type Limits, type Step } from "./encode.ts";
import { double, extended, integer, lanes, single } from "./generate_values.ts";

const LEFT_OUT: ReadonlySet<string> = new Set(
  ("int int3 int1 into iret sysenter callFar jmpFar retFar loadFar popSreg movToSreg sldt str verr verw sgdt sidt smsw " +
    "vmcall lar lsl rdtsc rdpmc cpuid rsm movFromTr movToTr " +
    // Judged by the x87 tests: they agree within an ulp only, or store pointers that processors keep differently.
    "f2xm1 fyl2x fyl2xp1 fptan fpatan fsin fcos fsincos fnsave fnstenv").split(" "),
);

/** Groups of rows that can be chosen. */
export type Group = "integer" | "x87" | "simd";

function groupOf(row: OpRow): Group {
  if (row.prefix !== undefined || row.feature === "mmx" || row.feature === "fxsr") return "simd";
  return row.opcode >= 0xd8 && row.opcode <= 0xdf ? "x87" : "integer";
}

/** Rows the oracle can judge. */
export function oracleRows(group: Group): OpRow[] {
  return OPS.filter((row) => !LEFT_OUT.has(row.sem) && groupOf(row) === group && row.addrSize !== 16);
}

/** Do not define their flags when the count is zero. */
const CONDITIONAL = new Set(["rol", "ror", "rcl", "rcr", "shl", "shr", "sar", "shld", "shrd"]);
/** Read flags. */
const READERS = new Set(
  "adc sbb rcl rcr jcc setcc cmovcc lahf daa das aaa aas loope loopne cmc salc pushf".split(" "),
);
function readsFlags(sem: string): boolean {
  return READERS.has(sem) || sem.startsWith("fcmov");
}

/** Only alone: they need a code address on the stack or in a register, or their result is not defined to the bit. */
const ALONE = new Set(
  "ret jmpInd callInd leave enter popa popf fxsave fxrstor fcomi fcomip fucomi fucomip rcpps rcpss rsqrtps rsqrtss"
    .split(" "),
);

const ANY_REGISTER = [0, 1, 2, 3, 5, 6, 7];
/** In sequences these hold addresses and are not written. */
const HELD = [Reg.ebx, Reg.esi, Reg.edi];
const FREE = [Reg.eax, Reg.ecx, Reg.edx, Reg.ebp];

/** Only their faults at privilege level 3 can be judged; none may be followed by anything. */
const PRIVILEGED = new Set(
  ("hlt in out ins outs cli sti movFromCr movFromDr movToCr movToDr lldt ltr lgdt lidt lmsw invlpg clts invd wbinvd " +
    "wrmsr rdmsr sysexit").split(" "),
);

/** Makes cases; equal seeds make equal cases. */
export class Generator {
  readonly #r: Prng;
  readonly #rows: readonly OpRow[];

  /** @param seed Seed. @param rows Rows to choose from. */
  constructor(seed: number, rows: readonly OpRow[]) {
    this.#r = new Prng(seed);
    this.#rows = rows;
  }

  /** A case of `length` instructions. */
  next(length: number): Case {
    const r = this.#r;
    const regs = this.#registers();
    const memory = this.#memory();
    const limits: Limits = length === 1
      ? { regs, general: [...ANY_REGISTER, 4], pointers: ANY_REGISTER, adjustable: true }
      : { regs, general: FREE, pointers: HELD, adjustable: false };
    const code: number[] = [], starts: number[] = [], steps: Step[] = [];
    let undef = 0;
    for (let i = 0; i < length; i++) {
      const row = this.#row(length, undef);
      if (row.sem === "fxrstor") memory.set(this.#fx());
      if (row.sem === "popf") plainFlags(memory, regs[Reg.esp]);
      const ends = row.ends && row.sem !== "ud2" && row.sem !== "popf" && !PRIVILEGED.has(row.sem);
      const step = this.#encode(row, limits, ends ? 2 : 0);
      if (code.length + step.bytes.length + 2 > CODE_BYTES) break;
      if (row.sem === "ldmxcsr" && r.below(4) !== 0) clearReserved(memory, step.address);
      starts.push(code.length);
      steps.push(step);
      code.push(...step.bytes);
      if (ends) {
        if (length === 1) land(step, regs, memory, code.length + 1);
        // What a taken jump passes over.
        starts.push(code.length, code.length + 1);
        code.push(0x40, 0x41);
      }
      undef = (CONDITIONAL.has(row.sem) || row.rep !== undefined ? undef : undef & ~row.sets) | row.undef;
    }
    starts.push(code.length);
    if (steps.some((s) => s.row.rep !== undefined) && r.below(20) !== 0) regs[Reg.ecx] = r.below(7);
    // With a count of zero the manual's REP does nothing; processors check the permission even then.
    if (PRIVILEGED.has(steps[0]?.row.sem ?? "") && regs[Reg.ecx] === 0) regs[Reg.ecx] = 1;
    return {
      regs,
      eflags: r.u32() & (r.below(4) === 0 ? FLAGS_MASK : FLAGS_MASK & ~0x400),
      fx: this.#fx(),
      memory,
      code: Uint8Array.from(code),
      starts,
      steps,
      undef,
      name: steps.map((s) => s.row.mnemonic).join(", "),
    };
  }

  #encode(row: OpRow, limits: Limits, skip: number): Step {
    return encode(this.#r, row, limits, skip);
  }

  #row(length: number, undef: number): OpRow {
    for (;;) {
      const row = this.#r.pick(this.#rows);
      if (length === 1) return row;
      if (ALONE.has(row.sem) || PRIVILEGED.has(row.sem) || (undef !== 0 && readsFlags(row.sem))) continue;
      return row;
    }
  }

  #registers(): Uint32Array {
    const r = this.#r;
    const regs = Uint32Array.from({ length: 8 }, () => integer(r));
    regs[Reg.esp] = WINDOW_AT + 160 + 4 * r.below(60) + (r.below(10) === 0 ? r.below(4) : 0);
    for (const n of [Reg.esi, Reg.edi]) {
      if (r.below(8) !== 0) regs[n] = WINDOW_AT + 32 + r.below(WINDOW_BYTES - 64);
    }
    if (r.below(2) === 0) regs[Reg.edx] = r.below(2) === 0 ? 0 : (-r.below(2)) >>> 0;
    return regs;
  }

  #memory(): Uint8Array {
    const r = this.#r;
    const memory = new Uint8Array(WINDOW_BYTES), view = new DataView(memory.buffer);
    for (let at = 0; at < WINDOW_BYTES; at += 16) {
      if (r.below(3) === 0) { for (let i = 0; i < 16; i += 4) view.setUint32(at + i, integer(r), true); }
      else if (r.below(4) === 0) extended(r, view, at);
      else lanes(r, view, at);
    }
    return memory;
  }

  #fx(): Uint8Array {
    const r = this.#r;
    const fx = new Uint8Array(512), view = new DataView(fx.buffer);
    const top = r.below(8);
    view.setUint16(
      0,
      0x37f ^ (r.below(3) === 0 ? r.below(16) << 8 : 0) ^ (r.below(12) === 0 ? 1 << r.below(6) : 0),
      true,
    );
    view.setUint16(2, (top << 11) | (r.below(4) === 0 ? r.u32() & 0x4740 : 0), true);
    view.setUint8(4, r.pick([0, 0xff, 0xff, 0xff, r.below(256)]));
    let mxcsr = 0x1f80;
    if (r.below(3) === 0) mxcsr |= r.below(4) << 13;
    if (r.below(6) === 0) mxcsr |= 0x8000;
    if (r.below(6) === 0) mxcsr |= 0x40;
    if (r.below(6) === 0) mxcsr |= r.below(64);
    if (r.below(6) === 0) mxcsr ^= (1 << r.below(6)) << 7;
    view.setUint32(24, mxcsr, true);
    for (let i = 0; i < 8; i++) {
      extended(r, view, 32 + 16 * i);
      if (r.below(3) === 0) view.setUint16(40 + 16 * i, 0xffff, true);
      if (r.below(8) === 0) view.setUint32(32 + 16 * i, r.below(70), true);
      lanes(r, view, 160 + 16 * i);
    }
    // Scalars are often small so that conversions have something to do.
    if (r.below(4) === 0) view.setUint32(160 + 16 * r.below(8), single(r), true);
    if (r.below(4) === 0) view.setBigUint64(160 + 16 * r.below(8), double(r), true);
    return fx;
  }
}

/** Makes a word of memory a valid MXCSR. */
function clearReserved(memory: Uint8Array, address: number): void {
  const at = address - WINDOW_AT;
  if (at >= 0 && at + 4 <= WINDOW_BYTES) memory.fill(0, at + 2, at + 4);
}

/** Makes the flags that POPF will load harmless: no trap flag, no alignment checks, no nested task. */
function plainFlags(memory: Uint8Array, address: number): void {
  const at = address - WINDOW_AT, view = new DataView(memory.buffer);
  if (at >= 0 && at + 4 <= WINDOW_BYTES) view.setUint32(at, view.getUint32(at, true) & (FLAGS_MASK | 0x3200), true);
}

/** Makes an indirect transfer or a return land behind the filler's first byte. */
function land(step: Step, regs: Uint32Array, memory: Uint8Array, offset: number): void {
  const to = CODE_AT + offset, view = new DataView(memory.buffer);
  const put = (at: number): void => {
    const where = at - WINDOW_AT;
    if (where >= 0 && where + 4 <= WINDOW_BYTES) view.setUint32(where, to, true);
  };
  if (step.row.sem === "ret") put(regs[Reg.esp]);
  if (step.row.sem !== "jmpInd" && step.row.sem !== "callInd") return;
  if (step.isMem) put(step.address);
  else if ((step.modrm & 7) !== Reg.esp) regs[step.modrm & 7] = to;
}
