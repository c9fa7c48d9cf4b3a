/** Runs one MMX or SSE instruction by its `sem` on a {@linkcode FakeContext}. */
import type { Op } from "../../../../../lib/cpu/i386/context.ts";
import { SIMD_FNS } from "../../../../../lib/cpu/i386/simd/index.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { SIMD_ROWS } from "../../../../../lib/spec/i386_ops_simd.ts";
import { Cr4 } from "../../../../../lib/spec/i386_regs.ts";
import { FakeContext } from "../fake_context.ts";

/** A context in which SSE is enabled. */
export function sseContext(): FakeContext {
  const c = new FakeContext();
  c.state.set(Layout.cr4, Cr4.osfxsr | Cr4.osxmmexcpt);
  return c;
}

/** Operands of an instruction. */
export interface Operands {
  /** ModRM.reg. */
  readonly reg?: number;
  /** ModRM.rm when the operand is a register. */
  readonly rm?: number;
  /** Linear address of a memory operand. */
  readonly at?: number;
  /** Immediate. */
  readonly imm?: number;
}

/** Executes; the vector it raises, or -1. */
export function execute(c: FakeContext, sem: string, o: Operands = {}): number {
  const row = SIMD_ROWS.find((r) => r.sem === sem);
  if (row === undefined) throw new Error(`no row with sem "${sem}"`);
  const s = c.state, reg = o.reg ?? 0, rm = o.rm ?? 0, at = o.at ?? 0, isMem = o.at !== undefined;
  const op: Op = {
    row,
    opcode: row.opcode,
    opSize: 32,
    addrSize: 32,
    width: row.width === "v" ? 32 : row.width,
    rep: 0,
    lock: false,
    seg: 3,
    reg,
    rm,
    isMem,
    modrm: (isMem ? 0 : 0xc0) | (reg << 3) | rm,
    imm: o.imm ?? 0,
    imm2: 0,
    length: 4,
    offset: () => at,
    linear: () => at,
    readRm: (width) => {
      if (isMem) return width === 8 ? c.mem.read8(at) : width === 16 ? c.mem.read16(at) : c.mem.read32(at);
      return width === 8 ? s.reg8(rm) : width === 16 ? s.reg16(rm) : s.reg32(rm);
    },
    writeRm: (width, value) => {
      if (isMem) {
        if (width === 32) c.mem.write32(at, value);
        else c.mem.write16(at, value);
      } else if (width === 32) s.setReg32(rm, value);
      else s.setReg16(rm, value);
    },
  };
  return c.faultOf(() => SIMD_FNS[sem](c, op));
}

/** Sets an XMM register from four dwords, lowest first. */
export function setXmm(c: FakeContext, n: number, ...dwords: readonly number[]): void {
  dwords.forEach((v, i) => c.state.set(Layout.xmm + 16 * n + 4 * i, v | 0));
}

/** An XMM register as four u32, lowest first. */
export function getXmm(c: FakeContext, n: number): number[] {
  return [0, 1, 2, 3].map((i) => c.state.get(Layout.xmm + 16 * n + 4 * i) >>> 0);
}

/** Bits of a single. */
export function bits(v: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setFloat32(0, v);
  return view.getUint32(0);
}
