/**
 * What a tree does to flags and registers and where it may stop, found once per tree by walking it. Cold.
 */
import type { Expr, Slot, Stmt, Tree } from "../../tree.ts";
import { FlagsKind } from "../../flags.ts";
import { runNumber } from "../../kernels/string_runs.ts";

/** Effects of a tree, operands not yet known. */
export interface Effects {
  /** Reads a flag. */
  readonly usesFlags: boolean;
  /** Reads a flag for something else than the flags it records. */
  readonly needsFlags: boolean;
  /** Records flags: 0 no, 1 on some paths, 2 always. */
  readonly setsFlags: 0 | 1 | 2;
  /** May leave the region before it is done: memory, faults. */
  readonly mayLeave: boolean;
  /** Transfers control or repeats. */
  readonly jumps: boolean;
  /** May be executed again by itself. */
  readonly repeats: boolean;
  /** Registers by number, as a mask; 8-bit ones count as their whole register. */
  readonly registers: number;
  /** Registers written. */
  readonly written: number;
  /** Registers named by the encoding: slot and width, written or not. */
  readonly slots: readonly { readonly slot: Slot; readonly w: number; readonly written: boolean }[];
  /** Runs of string instructions it calls, by number. */
  readonly runs: readonly number[];
  /** Uses base and index of the memory operand. */
  readonly usesAddress: boolean;
}

const known: WeakMap<Tree, Effects> = new WeakMap();

/** Number of the 32-bit register that holds register `n` of width `w`. */
export function wholeRegister(n: number, w: number): number {
  return w === 8 ? n & 3 : n;
}

/** The effects of a tree. */
export function effectsOf(tree: Tree): Effects {
  let e = known.get(tree);
  if (e === undefined) {
    e = new Walker().walk(tree);
    known.set(tree, e);
  }
  return e;
}

class Walker {
  #usesFlags = false;
  #needsFlags = false;
  #recording = false;
  #mayLeave = false;
  #jumps = false;
  #repeats = false;
  #registers = 0;
  #written = 0;
  #usesAddress = false;
  readonly #runs: number[] = [];
  readonly #slots: { slot: Slot; w: number; written: boolean }[] = [];

  walk(tree: Tree): Effects {
    const setsFlags = this.#body(tree.body);
    return {
      usesFlags: this.#usesFlags,
      needsFlags: this.#needsFlags,
      setsFlags,
      mayLeave: this.#mayLeave,
      jumps: this.#jumps,
      repeats: this.#repeats,
      registers: this.#registers,
      written: this.#written,
      slots: this.#slots,
      runs: this.#runs,
      usesAddress: this.#usesAddress,
    };
  }

  #body(body: readonly Stmt[]): 0 | 1 | 2 {
    let sets: 0 | 1 | 2 = 0;
    for (const s of body) {
      const one = this.#stmt(s);
      if (one > sets) sets = one;
    }
    return sets;
  }

  #stmt(s: Stmt): 0 | 1 | 2 {
    switch (s.s) {
      case "let":
      case "setState":
      case "storeBack":
        this.#expr(s.e);
        return 0;
      case "setGpr":
        this.#expr(s.e);
        this.#slots.push({ slot: s.slot, w: s.w, written: true });
        return 0;
      case "setReg":
        this.#expr(s.e);
        this.#registers |= 1 << wholeRegister(s.n, s.w);
        this.#written |= 1 << wholeRegister(s.n, s.w);
        return 0;
      case "ea":
        this.#mayLeave = this.#usesAddress = true;
        if (s.add !== null) this.#expr(s.add);
        return 0;
      case "address":
        this.#mayLeave = true;
        this.#expr(s.offset);
        return 0;
      case "load":
      case "loadForWrite":
        this.#mayLeave = true;
        this.#expr(s.addr);
        return 0;
      case "store":
        this.#mayLeave = true;
        this.#expr(s.addr);
        this.#expr(s.e);
        return 0;
      case "flags":
        if (s.kind === FlagsKind.inc || s.kind === FlagsKind.dec) this.#usesFlags = true;
        this.#recording = true;
        for (const e of [s.a, s.b, s.c]) if (e !== null) this.#expr(e);
        this.#recording = false;
        return 2;
      case "if": {
        this.#expr(s.c);
        const a = this.#body(s.then), b = this.#body(s.otherwise);
        return a === 2 && b === 2 ? 2 : a > 0 || b > 0 ? 1 : 0;
      }
      case "jump":
        this.#expr(s.target);
        this.#jumps = true;
        return 0;
      case "jumpRelative":
        this.#jumps = true;
        return 0;
      case "bulk":
        for (const e of [s.source, s.destination, s.value, s.left]) this.#expr(e);
        this.#runs.push(runNumber(s));
        return 0;
      case "again":
        this.#repeats = true;
        return 0;
      case "raise":
        this.#mayLeave = true;
        return 0;
      case "checkTarget":
        this.#mayLeave = true; // beyond the limit of CS, where that is not flat
        return 0;
    }
  }

  #expr(e: Expr): void {
    switch (e.k) {
      case "gpr":
        this.#slots.push({ slot: e.slot, w: e.w, written: false });
        break;
      case "reg":
        this.#registers |= 1 << wholeRegister(e.n, e.w);
        break;
      case "cf":
      case "flagsWord":
      case "cond":
        this.#usesFlags = true;
        if (!this.#recording) this.#needsFlags = true;
        break;
      case "offset":
        this.#usesAddress = true;
        break;
      case "unary":
        this.#expr(e.a);
        break;
      case "binary":
        this.#expr(e.a);
        this.#expr(e.b);
        break;
      case "select":
        this.#expr(e.a);
        this.#expr(e.b);
        this.#expr(e.c);
        break;
    }
  }
}
