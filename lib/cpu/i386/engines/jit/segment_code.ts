/**
 * Emits what segments ask of a region: the address of an access, in flat code none of ES, SS, DS, and FS and GS if they
 * are flat from their base on, else the region is left; in other code the check when the region is entered, the limit of
 * an access, the base, and whether a transfer leads beyond the limit of CS. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Rights, SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";
import type { Instruction } from "./instruction.ts";
import { isFlat, REACH, type SegmentPlan } from "./segment_plan.ts";

/** Last offset that every segment of a region has at least: no access is longer. */
const LEAST = 0x7f;

/** Segments of one region. */
export class SegmentCode {
  readonly #f: FunctionBody;
  readonly #state: number;
  readonly #plan: SegmentPlan;
  readonly #base: number;
  readonly #offset: number;

  /** @param f The function. @param state Address of the state block. @param plan Segments. @param base Local: EIP of the page. */
  constructor(f: FunctionBody, state: number, plan: SegmentPlan, base: number) {
    this.#f = f;
    this.#state = state;
    this.#plan = plan;
    this.#base = base;
    this.#offset = f.local("i32");
  }

  /** Targets need not be checked. */
  get isFlatCode(): boolean {
    return this.#plan.mode.flatCode;
  }

  #field(seg: number, field: number): void {
    this.#f.i32(0);
    this.#f.mem("i32.load", this.#state + Layout.segs + seg * SEG_BYTES + field);
  }

  /** `leave` unless the page behind the first one is the one that was translated. */
  checkSecond({ second, pfn }: { readonly second: number; readonly pfn: number }, leave: () => void): void {
    const f = this.#f;
    f.get(this.#base);
    if (!this.isFlatCode) {
      this.#field(SegReg.cs, Seg.base);
      f.num("i32.add");
    }
    f.call(second);
    f.i32(pfn);
    f.num("i32.ne");
    f.if("unlikely");
    leave();
    f.end();
  }

  /** Where control comes in: `leave` if the segments are not what the region was made for. */
  check(leave: () => void, withCode: boolean): void {
    const f = this.#f, { isChecked, needs, low, high } = this.#plan, ors: (() => void)[] = [];
    if (!isChecked) return;
    for (const [seg, rights] of needs) ors.push(() => this.#isOther(seg, rights));
    if (withCode) { for (const at of [low, high]) ors.push(...this.#codeChecks(at)); }
    if (ors.length === 0) return;
    ors.forEach((or, n) => {
      or();
      if (n > 0) f.num("i32.or");
    });
    f.if("unlikely");
    leave();
    f.end();
  }

  /** Something not 0 if a segment is not of the usual kind. */
  #isOther(seg: number, rights: number): void {
    const f = this.#f;
    this.#field(seg, Seg.lo);
    this.#field(seg, Seg.rights);
    f.i32(rights);
    f.num("i32.and");
    f.i32(rights);
    f.num("i32.xor");
    f.num("i32.or");
    this.#field(seg, Seg.hi);
    f.i32(LEAST);
    f.num("i32.lt_u");
    f.num("i32.or");
  }

  /** Checks of an offset of the page: EIP lies beyond the limit of CS, or where 16-bit code cannot jump to. */
  #codeChecks(at: number): (() => void)[] {
    const f = this.#f, { flatCode, is32 } = this.#plan.mode, ors: (() => void)[] = [];
    const check = (last: () => void) => (): void => {
      f.get(this.#base);
      f.i32(at);
      f.num("i32.add");
      last();
      f.num("i32.gt_u");
    };
    if (!flatCode) ors.push(check(() => this.#field(SegReg.cs, Seg.limit)));
    if (!is32) ors.push(check(() => f.i32(0xffff)));
    return ors;
  }

  /** Makes the sum of page and offset in a local an EIP: the targets the region knows were checked when it was entered. */
  beyond(i: Instruction, offset: number, eip: number, leave: (() => void) | undefined): void {
    const f = this.#f;
    if (offset >= 0 && offset < REACH) return;
    if (i.opSize === 16) {
      f.get(eip);
      f.i32(0xffff);
      f.num("i32.and");
      f.set(eip);
    }
    if (leave === undefined || this.isFlatCode) return;
    f.get(eip);
    this.target(leave);
  }

  /** EIP on the stack: `leave` if it lies beyond the limit of CS. */
  target(leave: () => void): void {
    const f = this.#f;
    this.#field(SegReg.cs, Seg.limit);
    f.num("i32.gt_u");
    f.if("unlikely");
    leave();
    f.end();
  }

  /** Offset on the stack -> linear address of `size` bytes. */
  address(seg: number, size: number, write: boolean, leave: () => void): void {
    const f = this.#f, { isChecked, mode } = this.#plan;
    if (isFlat(seg, mode)) return;
    if (!isChecked) return this.#flatFromBase(seg, write, leave);
    f.tee(this.#offset);
    this.#field(seg, Seg.hi);
    f.i32(size - 1);
    f.num("i32.sub");
    f.num("i32.gt_u");
    f.if("unlikely");
    leave();
    f.end();
    f.get(this.#offset);
    this.#field(seg, Seg.base);
    f.num("i32.add");
  }

  /** FS, GS or CS in flat code. */
  #flatFromBase(seg: number, write: boolean, leave: () => void): void {
    const f = this.#f, rights = Rights.usable | (write ? Rights.write : Rights.read);
    this.#field(seg, Seg.lo);
    this.#field(seg, Seg.hi);
    f.i32(-1);
    f.num("i32.xor");
    f.num("i32.or");
    this.#field(seg, Seg.rights);
    f.i32(rights);
    f.num("i32.and");
    f.i32(rights);
    f.num("i32.xor");
    f.num("i32.or");
    f.if("unlikely");
    leave();
    f.end();
    this.#field(seg, Seg.base);
    f.num("i32.add");
  }
}
