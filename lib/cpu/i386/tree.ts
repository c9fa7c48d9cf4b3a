/**
 * The language instructions are written in: small expression and statement trees over i32 and i64 values.
 *
 * A tree says what one shape of an instruction does (row, memory or register operand, operand size). The reference
 * engine evaluates it, the interpreter turns it into one case of its WebAssembly function, the JIT into code with the
 * fields as constants; so a node here is a fact about i386, never about an engine. Effects happen in statement order;
 * a statement that may fault (address, load, store, raise) leaves the instruction undone, so trees change registers
 * only after the last of them. Source: none but our own. Cold data.
 */
import type { FlagsKind } from "./flags.ts";

/** Type of a value. */
export type ValueType = "i32" | "i64";

/** Width of a register or memory access in bits. */
export type AccessWidth = 8 | 16 | 32;

/** Operators on two values of one type; comparisons give i32 0 or 1. Shift counts are taken modulo the type's width. */
export type BinaryOp =
  | "add"
  | "sub"
  | "mul"
  | "divS"
  | "divU"
  | "remS"
  | "remU"
  | "and"
  | "or"
  | "xor"
  | "shl"
  | "shrS"
  | "shrU"
  | "rotl"
  | "rotr"
  | "eq"
  | "ne"
  | "ltS"
  | "ltU"
  | "gtS"
  | "gtU"
  | "leS"
  | "leU"
  | "geS"
  | "geU";

/** Operators on one value. `extend64*` takes i32 and gives i64, `wrap` the reverse; `eqz` gives i32 0 or 1. */
export type UnaryOp = "eqz" | "clz" | "ctz" | "popcnt" | "extend8" | "extend16" | "wrap" | "extend64S" | "extend64U";

/** String instructions by name. */
export type StringOp = "movs" | "cmps" | "stos" | "lods" | "scas";

/** Which register of the instruction: by ModRM.rm (or the low three opcode bits), or by ModRM.reg. */
export type Slot = "rm" | "reg";

/** A value without side effect. */
export type Expr =
  /** Constant. */
  | { readonly k: "const"; readonly t: ValueType; readonly v: number }
  /** First immediate, extended as the row says; i32. */
  | { readonly k: "imm" }
  /** Second immediate; i32. */
  | { readonly k: "imm2" }
  /** Register named by the encoding, zero-extended. */
  | { readonly k: "gpr"; readonly slot: Slot; readonly w: AccessWidth }
  /** Fixed register by number (8-bit: AL CL DL BL AH CH DH BH), zero-extended. */
  | { readonly k: "reg"; readonly n: number; readonly w: AccessWidth }
  /** i32 field of the state block; byte offset from `Layout`. Not for registers and lazy flags. */
  | { readonly k: "state"; readonly at: number }
  /** Temporary. */
  | { readonly k: "temp"; readonly id: number; readonly t: ValueType }
  | { readonly k: "unary"; readonly op: UnaryOp; readonly t: ValueType; readonly a: Expr }
  | { readonly k: "binary"; readonly op: BinaryOp; readonly t: ValueType; readonly a: Expr; readonly b: Expr }
  /** a if c is not zero, else b; both are evaluated. */
  | { readonly k: "select"; readonly t: ValueType; readonly c: Expr; readonly a: Expr; readonly b: Expr }
  /** CF, 0 or 1. */
  | { readonly k: "cf" }
  /** The six arithmetic flags as EFLAGS bits. */
  | { readonly k: "flagsWord" }
  /** Condition code 0-15 (O NO B AE Z NZ BE A S NS P NP L GE LE G), 0 or 1. */
  | { readonly k: "cond"; readonly cc: number }
  /** EIP of the following instruction. */
  | { readonly k: "nextEip" }
  /** Effective offset of the ModRM memory operand (no segment), masked to the address size. */
  | { readonly k: "offset" };

/** One effect. */
export type Stmt =
  /** Gives a temporary its value. Temporaries may be set again (inside `if`). */
  | { readonly s: "let"; readonly id: number; readonly e: Expr }
  | { readonly s: "setGpr"; readonly slot: Slot; readonly w: AccessWidth; readonly e: Expr }
  | { readonly s: "setReg"; readonly n: number; readonly w: AccessWidth; readonly e: Expr }
  | { readonly s: "setState"; readonly at: number; readonly e: Expr }
  /**
   * Linear address of the ModRM memory operand after the segment checks for `size` bytes, into temporary `id`.
   * `add` is added to the effective offset before masking (bit strings). Faults: #GP(0), #SS(0).
   */
  | { readonly s: "ea"; readonly id: number; readonly size: number; readonly write: boolean; readonly add: Expr | null }
  /**
   * Linear address of `offset` (already masked) in a segment, into temporary `id`. `seg`: 0-5 ES CS SS DS FS GS, or
   * "operand": DS unless overridden. Faults: #GP(0), #SS(0).
   */
  | {
    readonly s: "address";
    readonly id: number;
    readonly seg: number | "operand";
    readonly offset: Expr;
    readonly size: number;
    readonly write: boolean;
  }
  /** Reads memory at a linear address, zero-extended, into temporary `id`. Faults: #PF. */
  | { readonly s: "load"; readonly id: number; readonly w: AccessWidth; readonly addr: Expr }
  /** Writes memory at a linear address. Faults: #PF. */
  | { readonly s: "store"; readonly w: AccessWidth; readonly addr: Expr; readonly e: Expr }
  /** As `load`, but also checks that the place can be written; a `storeBack` follows. Faults: #PF. */
  | { readonly s: "loadForWrite"; readonly id: number; readonly w: AccessWidth; readonly addr: Expr }
  /** Writes to the place of the last `loadForWrite`. Cannot fault. */
  | { readonly s: "storeBack"; readonly w: AccessWidth; readonly e: Expr }
  /**
   * Records the arithmetic flags; see flags.ts. Operands are plain values of width `w`, not shifted. add, sub: operands
   * a and b and carry-in c (0 or 1; null: none). result: a the result, b CF, c OF (0 or 1). inc, dec: a the result; CF
   * is kept. word: a the six flags as EFLAGS bits.
   */
  | {
    readonly s: "flags";
    readonly kind: typeof FlagsKind[keyof typeof FlagsKind];
    readonly w: AccessWidth;
    readonly a: Expr;
    readonly b: Expr | null;
    readonly c: Expr | null;
  }
  /** `shortcut`: `otherwise` alone would do the same, only slower. */
  | {
    readonly s: "if";
    readonly c: Expr;
    readonly then: readonly Stmt[];
    readonly otherwise: readonly Stmt[];
    readonly shortcut?: true;
  }
  /** Continues at nextEip + imm, masked to the operand size. Faults: #GP(0) beyond the limit of CS. */
  | { readonly s: "jumpRelative" }
  /** Continues at an EIP, masked by the tree. */
  | { readonly s: "jump"; readonly target: Expr }
  /** Faults with #GP(0) if an EIP lies beyond the limit of CS; stands before effects of a near transfer. */
  | { readonly s: "checkTarget"; readonly target: Expr }
  /**
   * How many iterations of a repeated string instruction an engine has done ahead of the one that follows, into temporary
   * `id`: any number that leaves that one to be done, is used up from the ticks as if the instruction had been executed
   * so often, and met nothing but plain memory; 0 always fits. Registers are changed by what follows. Iterations go on
   * while the elements are equal (`more` is "eq"), are not ("ne"), or always. `source` and `destination` are offsets in
   * the operand's segment and in ES, `mask` is what offsets wrap at, `value` the accumulator; the count is not 0.
   */
  | {
    readonly s: "bulk";
    readonly id: number;
    readonly op: StringOp;
    readonly w: AccessWidth;
    readonly more: "eq" | "ne" | "always";
    readonly source: Expr;
    readonly destination: Expr;
    readonly value: Expr;
    readonly left: Expr;
    readonly mask: number;
  }
  /** The instruction is executed again (one iteration of a repeated string instruction is done and counted). */
  | { readonly s: "again" }
  /** Raises a fault with an error code, or -1 for none. Ends the instruction. */
  | { readonly s: "raise"; readonly vector: number; readonly code: number };

/** What one shape of an instruction does. */
export interface Tree {
  /** Statements in order. */
  readonly body: readonly Stmt[];
  /** Types of the temporaries by id. */
  readonly temps: readonly ValueType[];
}
