/**
 * A stack onto which an event or far call pushes, perhaps not the current one: chosen first, checked as a whole, then
 * written, so that a fault leaves nothing half done. ESP and SS of the CPU change only when the caller commits.
 * Sources: SDM-3A 5.8.5, 6.12.1. Warm; no allocation.
 */
import { Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { Layout, Seg } from "./state.ts";
import { Desc, type Descriptor, descriptorBase, descriptorLimit } from "./descriptor.ts";
import { firstOffset, inBounds, lastOffset } from "./segment.ts";

/** Stack of which the pointer is private until committed. */
export class Frame {
  /** ESP, i32: moves with each push. */
  esp = 0;
  #base = 0;
  #lo = 0;
  #hi = 0;
  #mask = 0;
  #user = false;
  #code = 0;

  /** The CPU's stack, written at the current privilege. `code`: error code of #SS. */
  useCurrent(c: Context, code: number): void {
    const s = c.state;
    this.esp = s.reg32(4);
    this.#base = s.seg(2, Seg.base);
    this.#lo = s.seg(2, Seg.lo);
    this.#hi = s.seg(2, Seg.hi);
    this.#mask = s.get(Layout.stackMask);
    this.#user = s.get(Layout.cpl) === 3;
    this.#code = code;
  }

  /** A stack of an inner level, written at supervisor privilege. `code`: error code of #SS. */
  useInner(ss: Descriptor, esp: number, code: number): void {
    const limit = descriptorLimit(ss.low, ss.high);
    this.esp = esp | 0;
    this.#base = descriptorBase(ss.low, ss.high);
    this.#lo = firstOffset(limit, ss.high) | 0;
    this.#hi = lastOffset(limit, ss.high) | 0;
    this.#mask = (ss.high & Desc.big) !== 0 ? -1 : 0xffff;
    this.#user = false;
    this.#code = code;
  }

  /** Checks that `count` pushes of `size` bytes stay within the segment. Fault: #SS. */
  room(c: Context, count: number, size: number): void {
    const total = count * size;
    const first = ((this.esp - total) & this.#mask) >>> 0;
    const last = ((this.esp - 1) & this.#mask) >>> 0;
    if (first <= last) {
      if (!inBounds(this.#lo, this.#hi, first, total)) c.raise(Vector.ss, this.#code);
      return;
    }
    for (let i = 1; i <= count; i++) { // the pushes wrap around the end of the segment
      const offset = (this.esp - i * size) & this.#mask;
      if (!inBounds(this.#lo, this.#hi, offset, size)) c.raise(Vector.ss, this.#code);
    }
  }

  /** Checks room and write access for `count` pushes of `size` bytes, in their order. Faults: #SS, #PF. */
  reserve(c: Context, count: number, size: number): void {
    this.room(c, count, size);
    const first = ((this.esp - count * size) & this.#mask) >>> 0;
    const last = ((this.esp - 1) & this.#mask) >>> 0;
    if (first <= last && (this.#base + first) >>> 12 === (this.#base + last) >>> 12) {
      c.mem.probeWrite((this.#base + last + 1 - size) | 0, size, this.#user);
      return;
    }
    for (let i = 1; i <= count; i++) {
      c.mem.probeWrite((this.#base + ((this.esp - i * size) & this.#mask)) | 0, size, this.#user);
    }
  }

  /** Pushes 2 or 4 bytes; the place was checked by {@linkcode Frame.reserve}. */
  push(c: Context, size: number, value: number): void {
    const offset = (this.esp - size) & this.#mask;
    const linear = (this.#base + offset) | 0;
    this.esp = (this.esp & ~this.#mask) | offset;
    if (size === 4) {
      if (this.#user) c.mem.write32(linear, value);
      else c.mem.sysWrite32(linear, value);
    } else if (this.#user) c.mem.write16(linear, value & 0xffff);
    else c.mem.sysWrite16(linear, value & 0xffff);
  }
}
