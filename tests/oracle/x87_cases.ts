/** Generated x87 cases: one instruction, a state made of special operands, memory made of special operands. */
import { Prng } from "../../lib/base/prng.ts";
import type { Operand, OpRow } from "../../lib/spec/i386_op_row.ts";

/** One case. */
export interface X87Case {
  /** Row of the opcode table. */
  readonly row: OpRow;
  /** ModRM byte; memory operands are [rsi]. */
  readonly modrm: number;
  /** FSAVE image. */
  readonly image: DataView<ArrayBuffer>;
  /** EFLAGS. */
  readonly eflags: number;
  /** Memory operand, 112 bytes. */
  readonly memory: Uint8Array<ArrayBuffer>;
}

/** Makes case after case from one seed. */
export class CaseMaker {
  private readonly random: Prng;

  /** @param seed Seed of the sequence. */
  constructor(seed: number) {
    this.random = new Prng(seed);
  }

  /** A case of one row. */
  make(row: OpRow): X87Case {
    const r = this.random;
    const image = new DataView(new ArrayBuffer(108));
    const masks = r.below(3) === 0 ? r.below(64) : 0x3f;
    const pc = r.below(3) === 0 ? r.below(4) : 3;
    const fcw = 0x40 | masks | (pc << 8) | (r.below(4) << 10);
    const pending = r.below(4) === 0 ? r.below(128) & (masks | 0x40) : 0;
    const fsw = (r.u32() & 0x7f00) | pending;
    let tags = 0;
    if (r.below(3) !== 0) {
      for (let n = 0; n < 8; n++) if (r.below(6) === 0) tags |= 3 << (2 * n);
      if (r.below(2) === 0) tags |= 3 << ((((fsw >>> 11) + 7) & 7) * 2);
    } else tags = 3 << ((((fsw >>> 11) + 7) & 7) * 2);
    image.setUint32(0, 0xffff0000 + fcw, true);
    image.setUint32(4, 0xffff0000 + fsw, true);
    image.setUint32(8, 0xffff0000 + tags, true);
    const around = r.below(3) === 0 ? r.below(0x8000) : 0;
    for (let n = 0; n < 8; n++) this.extended(image, 28 + 10 * n, row.sem, around);
    const memory = new Uint8Array(112);
    this.operand(new DataView(memory.buffer), row.operands[0]);
    return { row, modrm: this.modrm(row), image, eflags: r.u32() & 0x8d5, memory };
  }

  private modrm(row: OpRow): number {
    if (row.modrm !== undefined) return row.modrm;
    const digit = (row.digit ?? 0) << 3;
    return row.mod === "mem" ? digit | 6 : 0xc0 | digit | this.random.below(8);
  }

  /** An extended number of a random class. */
  private extended(v: DataView, at: number, sem: string, around: number): void {
    const r = this.random;
    let hi = this.word() | 0x80000000, lo = this.word(), exp = 16383 - 8 + r.below(16);
    switch (r.below(20)) {
      case 0:
        hi = lo = exp = 0;
        break;
      case 1:
        hi = 0x80000000;
        lo = 0;
        exp = 0x7fff;
        break;
      case 2:
        exp = 0x7fff;
        break;
      case 3:
        exp = 0x7fff;
        hi &= 0xbfffffff;
        break;
      case 4:
        exp = 0;
        hi = (this.word() & 0x7fffffff) >>> r.below(32);
        break;
      case 5:
        exp = 0;
        break;
      case 6:
        hi &= 0x7fffffff;
        if (r.below(2) === 0) exp = 0x7fff;
        break;
      case 7:
        exp = r.below(0x8000);
        break;
      case 8:
        exp = r.below(70);
        break;
      case 9:
        exp = 0x7fff - r.below(70);
        break;
      case 10:
        exp = 16383 + r.below(70);
        break;
      case 11:
        exp = 16383 - 160 + r.below(320);
        break;
      case 12:
        exp = 16383 + (r.below(2) === 0 ? -1 : 1) * (sem.includes("64") ? 1010 + r.below(70) : 110 + r.below(45));
        break;
      case 13:
        hi = 0x80000000;
        lo = 0;
        break;
      case 14:
      case 15:
        if (around > 80 && around < 0x7fa0) exp = around + r.below(70);
        break;
    }
    v.setUint32(at, lo, true);
    v.setUint32(at + 4, hi, true);
    v.setUint16(at + 8, exp | (r.below(2) << 15), true);
  }

  /** A word whose ends are often all zeros or ones. */
  private word(): number {
    const r = this.random;
    switch (r.below(6)) {
      case 0:
        return 0;
      case 1:
        return 0xffffffff;
      case 2:
        return (r.u32() << r.below(32)) >>> 0;
      case 3:
        return (1 << r.below(32)) >>> 0;
      default:
        return r.u32();
    }
  }

  private operand(v: DataView, kind: Operand | undefined): void {
    const r = this.random;
    for (let n = 0; n < 112; n += 4) v.setUint32(n, r.u32(), true);
    if (kind === "m32fp") {
      const exp = [0, 0xff, r.below(256), r.below(256), 127 + r.below(8)][r.below(5)];
      v.setUint32(0, (r.below(2) << 31) | (exp << 23) | (this.word() & 0x7fffff), true);
    } else if (kind === "m64fp") {
      const exp = [0, 0x7ff, r.below(2048), r.below(2048), 1023 + r.below(8)][r.below(5)];
      v.setUint32(0, this.word(), true);
      v.setUint32(4, (r.below(2) << 31) | (exp << 20) | (this.word() & 0xfffff), true);
    } else if (kind === "m80fp") this.extended(v, 0, "", 0);
    else if (kind === "m16int") v.setUint16(0, this.word() & 0xffff, true);
    else if (kind === "m32int") v.setUint32(0, this.word(), true);
    else if (kind === "m64int") {
      v.setUint32(0, this.word(), true);
      v.setUint32(4, this.word(), true);
    } else if (kind === "m80bcd") {
      for (let n = 0; n < 9; n++) v.setUint8(n, r.below(10) | (r.below(10) << 4));
      v.setUint8(9, r.below(2) << 7);
    }
  }
}
