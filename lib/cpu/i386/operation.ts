/**
 * A decoded instruction as instructions in TypeScript see it: fields of the decoder, operands with segment checks. Warm.
 */
import { checkAlignment } from "./alignment.ts";
import type { Context, Op } from "./context.ts";
import { type Decoded, NO_REGISTER } from "./decode.ts";
import type { OpRow } from "../../spec/i386_op_row.ts";
import { checkSegment } from "./segment.ts";

/** Displacement of the memory operand; POP counts ESP as already moved where ESP is its base. */
export function effectiveDisplacement(d: Decoded): number {
  const popped = d.row.sem === "pop" && d.isMem && d.base === 4 && d.addrSize === 32;
  return popped ? (d.disp + (d.opSize >>> 3)) | 0 : d.disp;
}

/** An instruction bound to its CPU. */
export class Operation implements Op {
  /** See {@linkcode Op}. */
  row: OpRow;
  /** See {@linkcode Op}. */
  opcode = 0;
  /** See {@linkcode Op}. */
  opSize: 16 | 32 = 32;
  /** See {@linkcode Op}. */
  addrSize: 16 | 32 = 32;
  /** See {@linkcode Op}. */
  width = 0;
  /** See {@linkcode Op}. */
  rep = 0;
  /** See {@linkcode Op}. */
  lock = false;
  /** See {@linkcode Op}. */
  seg = 3;
  /** See {@linkcode Op}. */
  reg = 0;
  /** See {@linkcode Op}. */
  rm = 0;
  /** See {@linkcode Op}. */
  isMem = false;
  /** See {@linkcode Op}. */
  modrm = 0;
  /** See {@linkcode Op}. */
  imm = 0;
  /** See {@linkcode Op}. */
  imm2 = 0;
  /** See {@linkcode Op}. */
  length = 0;
  readonly #c: Context;
  #base = NO_REGISTER as number;
  #index = NO_REGISTER as number;
  #scale = 0;
  #disp = 0;

  /** @param c The CPU. @param d Fields to start with. */
  constructor(c: Context, d: Decoded) {
    this.#c = c;
    this.row = d.row;
    this.fill(d, d.length);
  }

  /** A new operation with a copy of the fields. */
  static copy(c: Context, d: Decoded, length: number): Operation {
    const op = new Operation(c, d);
    op.length = length;
    return op;
  }

  /** Takes the fields of another instruction. */
  fill(d: Decoded, length: number): void {
    this.row = d.row;
    this.opcode = d.opcode;
    this.opSize = d.opSize;
    this.addrSize = d.addrSize;
    this.width = d.width;
    this.rep = d.rep;
    this.lock = d.lock;
    this.seg = d.seg;
    this.reg = d.reg;
    this.rm = d.rm;
    this.isMem = d.isMem;
    this.modrm = d.modrm;
    this.imm = d.imm;
    this.imm2 = d.imm2;
    this.length = length;
    this.#base = d.base;
    this.#index = d.index;
    this.#scale = d.scale;
    this.#disp = effectiveDisplacement(d);
  }

  /** See {@linkcode Op.offset}. */
  offset(): number {
    const s = this.#c.state;
    const base = this.#base === NO_REGISTER ? 0 : s.reg32(this.#base);
    const index = this.#index === NO_REGISTER ? 0 : s.reg32(this.#index) << this.#scale;
    const sum = (base + index + this.#disp) >>> 0;
    return this.addrSize === 32 ? sum : sum & 0xffff;
  }

  /** See {@linkcode Op.linear}. */
  linear(size: number, write: boolean): number {
    const linear = checkSegment(this.#c, this.seg, this.offset(), size, write);
    if (size === 8 || size === 10) checkAlignment(this.#c, linear, 8);
    return linear;
  }

  /** See {@linkcode Op.readRm}. */
  readRm(width: 8 | 16 | 32): number {
    const { state: s, mem } = this.#c;
    if (this.isMem) {
      const la = this.linear(width >>> 3, false);
      return width === 8 ? mem.read8(la) : width === 16 ? mem.read16(la) : mem.read32(la);
    }
    return width === 8 ? s.reg8(this.rm) : width === 16 ? s.reg16(this.rm) : s.reg32(this.rm);
  }

  /** See {@linkcode Op.writeRm}. */
  writeRm(width: 8 | 16 | 32, value: number): void {
    const { state: s, mem } = this.#c;
    if (this.isMem) {
      const la = this.linear(width >>> 3, true);
      if (width === 8) mem.write8(la, value & 0xff);
      else if (width === 16) mem.write16(la, value & 0xffff);
      else mem.write32(la, value);
    } else if (width === 8) s.setReg8(this.rm, value);
    else if (width === 16) s.setReg16(this.rm, value);
    else s.setReg32(this.rm, value);
  }
}
