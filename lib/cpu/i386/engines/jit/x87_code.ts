/**
 * The x87 stack of a region while it is emitted: slots, tags, status and control word and the last-instruction fields in
 * locals, read from the state block where the plan says so and written back where control leaves. The inexact exception
 * is the OR of all that was cut off, C1 and the conditions are values of their own, tags that are known are constants:
 * all of it is joined only when somebody looks. Cold code that makes hot code. Sources: SDM-1 8.1.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Cr0 } from "../../../../spec/i386_regs.ts";
import { Code, type Local, type Value } from "../../kernels/code.ts";
import { parted, type PartedNum } from "../../kernels/x87_parts.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";
import { Fsw } from "../../x87/float80/format.ts";
import { Guard, slotOf, STORED, type X87State } from "./x87_state.ts";

/** Bits of the guard word: why instructions may not be done in place. */
const BAD_READY = Cr0.em | Cr0.ts | Fsw.es;
/** Control word bits that matter, above the others in the guard word. */
const CONTROL = 0xf20, CONTROL_SHIFT = 8, USUAL = 0x320, ROUNDING = 0xc00;

/** What of the guard word must be zero, by {@linkcode Guard}. */
const GUARD_MASKS: readonly number[] = [
  Cr0.em | Cr0.ts,
  BAD_READY,
  BAD_READY | (CONTROL & ~ROUNDING) << CONTROL_SHIFT,
  BAD_READY | CONTROL << CONTROL_SHIFT,
];

/** Slots that a region uses. */
export interface X87Use {
  /** Mask of slots used. */
  readonly used: number;
  /** Mask of slots written. */
  readonly written: number;
  /** Some instruction loads the control word. */
  readonly control: boolean;
}

/** A stack register in locals. */
export type Slot = PartedNum & { readonly m: Local };

/** Locals of the stack in one region. */
export class X87Locals {
  /** What is known here. */
  state: X87State = STORED;
  /** Notation for code without a slow way. */
  readonly k: Code;
  /** PE: all that was cut off, i64. */
  readonly lost: Local;
  /** C1 as 0 or 1. */
  readonly c1: Local;
  /** C0, C2, C3. */
  readonly conditions: Local;
  /** Status word without those. */
  readonly fsw: Local;
  /** Control word. */
  readonly fcw: Local;
  /** Offset of the last memory operand. */
  readonly operand: Local;
  readonly #use: X87Use;
  readonly #base: Value;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #bad: Local;
  readonly #top: Local;
  readonly #empty: Local;
  readonly #note: Local;
  readonly #segment: Local;
  readonly #leave: Local;

  /** @param f The function. @param state Address of the state block. @param base Local with EIP of the page. @param use Slots. */
  constructor(f: FunctionBody, state: number, base: number, use: X87Use) {
    const none: Value = () => {};
    const k = new Code(f, state, { reg: none, src: none, imm: none, slow: 0 });
    const local = (type: "i32" | "i64"): Local => k.local(type);
    this.k = k;
    this.#use = use;
    this.#base = () => f.get(base);
    this.lost = local("i64");
    [this.c1, this.conditions, this.fsw, this.fcw] = [local("i32"), local("i32"), local("i32"), local("i32")];
    [this.operand, this.#bad, this.#top, this.#empty] = [local("i32"), local("i32"), local("i32"), local("i32")];
    [this.#note, this.#segment, this.#leave] = [local("i32"), local("i32"), local("i32")];
    for (let n = 0; n < 8; n++) {
      const isUsed = (use.used >>> n & 1) !== 0;
      this.#slots.push(isUsed ? parted(k, local("i64"), local("i32"), local("i32")) : undefined);
    }
  }

  /** ST(n). */
  st(n: number): Slot {
    const slot = this.#slots[slotOf(this.state, n)];
    if (slot === undefined) throw new RangeError("An x87 register is not among those of the region");
    return slot;
  }

  /** Reads the stack from the state block. */
  begin(): void {
    const { k } = this, top = this.#top;
    k.set(top, k.field(Layout.ftop));
    const tags = k.i("or", k.field(Layout.fempty), k.i("shl", k.field(Layout.fempty), 8));
    k.set(this.#empty, k.i("and", k.i("shr_u", tags, top), 0xff));
    k.set(this.fsw, k.field(Layout.fsw));
    k.set(this.c1, k.i("and", k.i("shr_u", this.fsw, 9), 1));
    k.set(this.conditions, k.i("and", this.fsw, CONDITIONS));
    k.set(this.lost, k.cl(0n));
    k.set(this.fcw, k.field(Layout.fcw));
    const cr0 = k.i("and", k.field(Layout.cr0), Cr0.em | Cr0.ts);
    k.set(this.#bad, k.i("or", k.i("or", cr0, k.i("and", this.fsw, Fsw.es)), this.#controlBits()));
    k.set(this.#note, 0);
    k.set(this.#segment, 0);
    this.#each(0xff, (slot, at) => {
      k.set(slot.m, k.load("i64.load", at, k.at(Layout.fpr)));
      k.set(slot.exp, k.load("i32.load", at, k.at(Layout.fpr) + 8));
      k.set(slot.sign, k.i("and", slot.exp, ~0x7fff));
      k.set(slot.exp, k.i("and", slot.exp, 0x7fff));
    });
  }

  #controlBits(): Value {
    const { k } = this;
    return k.i("shl", k.i("xor", k.i("and", this.fcw, CONTROL), USUAL), CONTROL_SHIFT);
  }

  #each(mask: number, what: (slot: Slot, at: Value) => void): void {
    const { k } = this;
    this.#slots.forEach((slot, n) => {
      if (slot === undefined || (mask >>> n & 1) === 0) return;
      what(slot, k.i("shl", k.i("and", k.i("add", this.#top, n), 7), 4));
    });
  }

  /** Writes everything back, as what is known here tells. */
  flush(): void {
    const { k, state } = this;
    if (!state.live || state.dirty === 0) return;
    const tags = k.i("or", k.i("and", this.#empty, ~state.full), state.empty);
    this.#store(state.dirty & this.#use.written, k.i("and", k.i("add", this.#top, state.top), 7), tags);
  }

  /** In front of a branch to the code of {@linkcode X87Locals.flushLeft}; false: nothing has to be written. */
  prepareLeave(): boolean {
    const { k, state } = this;
    if (!state.live || state.dirty === 0) return false;
    k.set(this.#leave, state.top | state.full << 8 | state.empty << 16);
    return true;
  }

  /** Writes everything back, for all that leave. */
  flushLeft(): void {
    const { k } = this, packed = this.#leave;
    const byte = (shift: number): Value => k.i("and", k.i("shr_u", packed, shift), 0xff);
    k.set(this.#empty, k.i("or", k.i("and", this.#empty, k.i("xor", byte(8), -1)), byte(16)));
    this.#store(this.#use.written, k.i("and", k.i("add", this.#top, packed), 7), this.#empty);
  }

  #store(slots: number, top: Value, tags: Value): void {
    const { k } = this;
    this.#each(slots, (slot, at) => {
      k.store("i64.store", at, slot.m, k.at(Layout.fpr));
      k.store("i32.store", at, slot.se, k.at(Layout.fpr) + 8);
    });
    const turned = k.i("shl", tags, this.#top);
    k.setField(Layout.fempty, k.i("and", k.i("or", turned, k.i("shr_u", turned, 8)), 0xff));
    k.setField(Layout.ftop, top);
    k.setField(Layout.fsw, this.status());
    if (this.#use.control) k.setField(Layout.fcw, this.fcw);
    const selector = (segment: Value): Value =>
      k.load("i32.load16_u", k.i("mul", segment, SEG_BYTES), k.at(Layout.segs + Seg.selector));
    k.if(this.#note, () => {
      k.setField(Layout.fop, k.i("shr_u", this.#note, 16));
      k.setField(Layout.fip, k.i("add", this.#base, k.i("shr_u", k.i("and", this.#note, 0xffff), 1)));
      k.setField(Layout.fcs, selector(k.c(SegReg.cs)));
    });
    k.if(this.#segment, () => {
      k.setField(Layout.fdp, this.operand);
      k.setField(Layout.fds, selector(k.i("sub", this.#segment, 1)));
    });
  }

  /** Status word without TOP. */
  status(): Value {
    const { k } = this;
    const kept = k.i("or", k.i("and", this.fsw, ~(CONDITIONS | Fsw.c1)), this.conditions);
    const rounding = k.i("or", k.i("shl", this.c1, 9), k.i("shl", k.l("ne", this.lost, 0), 5));
    return k.i("or", kept, rounding);
  }

  /** Status word with TOP. */
  statusAndTop(): Value {
    const { k } = this;
    const top = k.i("and", k.i("add", this.#top, this.state.top), 7);
    return k.i("or", k.i("and", this.status(), 0xc7ff), k.i("shl", top, 11));
  }

  /** Clears the exceptions. */
  clear(): void {
    const { k } = this;
    k.set(this.fsw, k.i("and", this.fsw, ~(0x3f | Fsw.sf | Fsw.es | Fsw.busy)));
    k.set(this.lost, k.cl(0n));
  }

  /** Loads the control word; no error is pending and CR0 allows the x87. */
  setControl(value: Value): void {
    this.k.set(this.fcw, value);
    this.k.set(this.#bad, this.#controlBits());
  }

  /** True if an instruction needs a look at the guard word. */
  bad(guard: number): Value | undefined {
    const { k, state } = this;
    return state.guard >= Math.max(guard, Guard.ready) ? undefined : k.i("and", this.#bad, GUARD_MASKS[guard]);
  }

  /** True at run time unless all of the slots are full; undefined: they are. */
  someEmpty(slots: number): Value | undefined {
    const { k, state } = this, unknown = slots & ~state.full;
    if (unknown === 0) return undefined;
    return (unknown & state.empty) !== 0 ? k.c(1) : k.i("and", this.#empty, unknown);
  }

  /** True at run time unless a slot is empty; undefined: it is. */
  isFull(slot: number): Value | undefined {
    const { k, state } = this, bit = 1 << slot;
    if ((state.empty & bit) !== 0) return undefined;
    return (state.full & bit) !== 0 ? k.c(1) : k.i("eqz", k.i("and", this.#empty, bit));
  }

  /** Records an instruction as the last one, and the segment of its memory operand, if it has one. */
  note(offset: number, fop: number, segment: number): void {
    this.k.set(this.#note, fop << 16 | offset << 1 | 1);
    if (segment >= 0) this.k.set(this.#segment, segment + 1);
  }

  /** Makes what is in locals be as a block expects it, whatever is known here. What is known stays unchanged. */
  pass(to: X87State): void {
    const { k, state } = this;
    if (!to.live) this.flush();
    else if (!state.live) this.begin();
    else if (state.top !== to.top) {
      this.flush();
      this.begin();
    } else {
      const full = state.full & ~to.full, empty = state.empty & ~to.empty;
      if (full !== 0) k.set(this.#empty, k.i("and", this.#empty, ~full));
      if (empty !== 0) k.set(this.#empty, k.i("or", this.#empty, empty));
    }
  }

  /** The stack is in the state block from here on. */
  forget(): void {
    this.state = STORED;
  }
}

const CONDITIONS = Fsw.c0 | Fsw.c2 | Fsw.c3;
