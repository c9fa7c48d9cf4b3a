/**
 * Emits near transfers: the record of the target is remembered where it lies in the same page. Cold code that makes hot
 * code.
 */
import { Vector } from "../../../../spec/i386_regs.ts";
import type { FunctionBody } from "../../../../wasm/body.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";
import type { Calls, Labels, Locals } from "./locals.ts";
import { Rec } from "./record.ts";

/** Emits transfers into one function body. */
export class TransferEmitter {
  readonly #f: FunctionBody;
  readonly #l: Locals;
  readonly #calls: Calls;
  readonly #labels: Labels;
  readonly #state: number;

  /** @param state Byte address of the state block. */
  constructor(f: FunctionBody, locals: Locals, calls: Calls, labels: Labels, state: number) {
    this.#f = f;
    this.#l = locals;
    this.#calls = calls;
    this.#labels = labels;
    this.#state = state;
  }

  /** #GP(0) if an EIP lies beyond the limit of CS. */
  checkTarget(target: () => void): void {
    const f = this.#f;
    target();
    f.i32(0);
    f.mem("i32.load", this.#state + Layout.segs + SegReg.cs * SEG_BYTES + Seg.limit);
    f.num("i32.gt_u");
    f.if("unlikely");
    f.i32(Vector.gp);
    f.i32(0);
    f.call(this.#calls.raise);
    f.br(this.#labels.fault);
    f.end();
  }

  /** The known record of the target, if there is one. */
  #followLink(): void {
    const f = this.#f, l = this.#l;
    f.get(l.rec);
    f.mem("i32.load", Rec.link);
    f.tee(l.t);
    f.if("likely");
    f.get(l.t);
    f.set(l.rec);
    f.br(this.#labels.next);
    f.end();
  }

  /**
   * Jumps inside the page remember the record they lead to. Where CS is not flat the same code may lie at other offsets
   * of it, so the target is computed and checked first.
   */
  jumpRelative(opSize: 16 | 32, segmented: boolean): void {
    const f = this.#f, l = this.#l;
    const links = this.#calls.settings.recordLinks;
    if (!segmented && links) this.#followLink();
    this.nextEip();
    f.get(l.rec);
    f.mem("i32.load", Rec.imm);
    f.num("i32.add");
    if (opSize === 16) {
      f.i32(0xffff);
      f.num("i32.and");
    }
    f.set(l.eip);
    if (segmented) this.checkTarget(() => f.get(l.eip));
    if (links) this.#rememberLink(segmented);
    f.br(this.#labels.lookup);
  }

  /** The record of a target in this page is to be remembered; where that was done before it may be followed now. */
  #rememberLink(follow: boolean): void {
    const f = this.#f, l = this.#l;
    f.get(l.eip);
    f.i32(0);
    f.mem("i32.load", this.#state + Layout.codeBase);
    f.num("i32.sub");
    f.i32(4096);
    f.num("i32.lt_u");
    f.if();
    if (follow) this.#followLink();
    f.get(l.rec);
    f.set(l.from);
    f.end();
  }

  /** EIP of the following instruction on the stack. */
  nextEip(): void {
    const f = this.#f, l = this.#l;
    f.get(l.rec);
    f.mem("i32.load", Rec.offset);
    f.get(l.rec);
    f.mem("i32.load8_u", Rec.length);
    f.num("i32.add");
    f.i32(0);
    f.mem("i32.load", this.#state + Layout.codeBase);
    f.num("i32.add");
  }
}
