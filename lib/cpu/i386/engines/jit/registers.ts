/**
 * Guest registers while a region is emitted: locals, filled at entry and written back at exits, or the state block
 * itself when the option is off. Narrow registers are parts of the whole one. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { AccessWidth } from "../../tree.ts";
import { LOADS, registerOffset, STORES } from "../interpreter/operators.ts";
import { wholeRegister } from "./effects.ts";

/** A memory operand: numbers of its registers, or -1. */
export interface AddressParts {
  /** Base register. */
  readonly base: number;
  /** Index register. */
  readonly index: number;
  /** Shift of the index. */
  readonly scale: number;
  /** Displacement. */
  readonly disp: number;
}

/** Registers of one region. */
export class RegisterEmitter {
  readonly #f: FunctionBody;
  readonly #state: number;
  /** Registers are locals. */
  readonly inLocals: boolean;
  readonly #locals: number[];
  readonly #used: number;
  readonly #written: number;

  /**
   * @param f The function. @param state Address of the state block. @param inLocals False: no locals.
   * @param used Mask of registers used. @param written Mask of registers written.
   */
  constructor(f: FunctionBody, state: number, inLocals: boolean, used: number, written: number) {
    this.#f = f;
    this.#state = state;
    this.inLocals = inLocals;
    this.#used = used;
    this.#written = written;
    this.#locals = [];
    for (let n = 0; n < 8 && inLocals; n++) this.#locals.push((used >>> n & 1) !== 0 ? f.local("i32") : -1);
  }

  /** Reads the used registers from the state block. */
  load(): void {
    this.#each(this.#used, (n) => {
      this.#f.i32(0);
      this.#f.mem("i32.load", this.#state + n * 4);
      this.#f.set(this.#locals[n]);
    });
  }

  /** Writes registers to the state block; those the region changes at most. */
  store(mask: number): void {
    this.#each(mask & this.#written, (n) => {
      this.#f.i32(0);
      this.#f.get(this.#locals[n]);
      this.#f.mem("i32.store", this.#state + n * 4);
    });
  }

  /** Locals of some registers. */
  localsOf(mask: number): number[] {
    const out: number[] = [];
    this.#each(mask, (n) => out.push(this.#locals[n]));
    return out;
  }

  /** Writes one register to the state block, if its local may be newer. */
  spill(n: number): void {
    if (!this.inLocals || (this.#used & this.#written & (1 << n)) === 0) return;
    this.#f.i32(0);
    this.#f.get(this.#locals[n]);
    this.#f.mem("i32.store", this.#state + n * 4);
  }

  /** Reads one register from the state block, where something else wrote it. */
  refresh(n: number): void {
    if (!this.inLocals || (this.#used & (1 << n)) === 0) return;
    this.#f.i32(0);
    this.#f.mem("i32.load", this.#state + n * 4);
    this.#f.set(this.#locals[n]);
  }

  #each(mask: number, what: (n: number) => void): void {
    for (let n = 0; n < 8 && this.inLocals; n++) if ((mask >>> n & 1) !== 0) what(n);
  }

  /** Puts a register on the stack, zero-extended. */
  get(n: number, w: AccessWidth): void {
    const f = this.#f;
    if (!this.inLocals) {
      f.i32(0);
      f.mem(LOADS[w], this.#state + registerOffset(n, w));
      return;
    }
    f.get(this.#locals[wholeRegister(n, w)]);
    if (w === 32) return;
    if (w === 8 && n >= 4) {
      f.i32(8);
      f.num("i32.shr_u");
    }
    f.i32(w === 8 ? 0xff : 0xffff);
    f.num("i32.and");
  }

  /** Puts base plus scaled index plus displacement on the stack. */
  address({ base, index, scale, disp }: AddressParts): void {
    const f = this.#f;
    f.i32(disp);
    if (base >= 0) {
      this.get(base, 32);
      f.num("i32.add");
    }
    if (index >= 0) {
      this.get(index, 32);
      f.i32(scale);
      f.num("i32.shl");
      f.num("i32.add");
    }
  }

  /** Sets a register to what `value` puts on the stack; bits above the width are ignored. */
  set(n: number, w: AccessWidth, value: () => void): void {
    const f = this.#f;
    if (!this.inLocals) {
      f.i32(0);
      value();
      f.mem(STORES[w], this.#state + registerOffset(n, w));
      return;
    }
    const local = this.#locals[wholeRegister(n, w)];
    value();
    if (w === 32) {
      f.set(local);
      return;
    }
    const mask = w === 8 ? 0xff : 0xffff, shift = w === 8 && n >= 4 ? 8 : 0;
    f.i32(mask);
    f.num("i32.and");
    if (shift !== 0) {
      f.i32(shift);
      f.num("i32.shl");
    }
    f.get(local);
    f.i32(~(mask << shift));
    f.num("i32.and");
    f.num("i32.or");
    f.set(local);
  }
}
