/**
 * What a tree asks of the mode and of its operands before it can be a case of the interpreter. Cold.
 */
import type { Expr, Stmt, Tree } from "../../tree.ts";

/** The ModRM memory operand of a tree. */
export interface EaNeeds {
  /** Bytes. */
  readonly size: number;
  /** Is written. */
  readonly write: boolean;
  /** Its address cannot be computed before the tree begins: it depends on a register operand, or another access comes first. */
  readonly late: boolean;
}

/** Condition under which a tree may be lowered at all. */
export interface Needs {
  /** Uses segments other than through ModRM: its flat case wants flat ES, SS, DS and a 32-bit stack pointer. */
  readonly flatData: boolean;
  /** Uses the operand's segment in a string address. */
  readonly operandSegment: boolean;
  /** Transfers control: its flat case wants flat CS. */
  readonly flatCode: boolean;
  /** The register by ModRM.rm is an 8-bit one. */
  readonly rm8: boolean;
  /** The register by ModRM.reg is an 8-bit one. */
  readonly reg8: boolean;
  /** Uses the ModRM memory operand: how many bytes, written or not. */
  readonly ea: EaNeeds | undefined;
}

/** Finds what a tree needs. */
export function needsOf(tree: Tree): Needs {
  let flatData = false, operandSegment = false, flatCode = false, rm8 = false, reg8 = false;
  let ea: Needs["ea"] = undefined, accessed = false;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) {
      for (const n of node) visit(n);
      return;
    }
    if (typeof node !== "object" || node === null) return;
    const s = node as Partial<Stmt & Expr> & { k?: string; s?: string };
    if (s.s === "address") {
      flatData = accessed = true;
      if ((s as { seg: number | string }).seg === "operand") operandSegment = true;
    } else if (s.s === "ea") {
      const one = s as Stmt & { readonly s: "ea" };
      ea = { size: one.size, write: one.write, late: one.add !== null || accessed };
    } else if (s.s === "jump" || s.s === "jumpRelative" || s.s === "checkTarget") flatCode = true;
    if ((s.k === "gpr" || s.s === "setGpr") && (s as { w: number }).w === 8) {
      if ((s as { slot: string }).slot === "rm") rm8 = true;
      else reg8 = true;
    }
    for (const value of Object.values(s)) visit(value);
  };
  visit(tree.body);
  return { flatData, operandSegment, flatCode, rm8, reg8, ea };
}
