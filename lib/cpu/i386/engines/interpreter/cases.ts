/**
 * The cases of the interpreter: one per distinct tree over all shapes, and a second one where a tree depends on flat
 * segments. Each is made when its shape is first asked for, because a program uses few of them. Cold.
 *
 * Most shapes of a row have the same tree, because its semantics never ask for the size in which they differ: a shape
 * that notes what is asked of it tells so without building them all. What kind a case is, and so which function has it,
 * is said in partition.ts; its number tells the kind.
 */
import { InternalError } from "../../../../core/errors.ts";
import { type OpRow, OPS } from "../../../../spec/i386_ops.ts";
import { Builder, type Shape } from "../../builder.ts";
import { TREES } from "../../semantics/index.ts";
import type { Tree } from "../../tree.ts";
import { type Needs, needsOf } from "./needs.ts";
import { CASE_KINDS, type CaseKind, FIRST_OF, isCommon, kindOf, MOST_HANDLERS } from "./partition.ts";

/** What a case is emitted from. */
export interface CaseTree {
  /** The tree. */
  readonly tree: Tree;
  /** First row and operand form it was made for. */
  readonly row: OpRow;
  /** The ModRM operand is in memory. */
  readonly isMem: boolean;
  /** Operand size. */
  readonly opSize: 16 | 32;
  /** Address size. */
  readonly addrSize: 16 | 32;
  /** Segments are checked, transfers compared with the limit of CS. */
  readonly segmented: boolean;
}

/** A case: its number, its tree and what that needs. */
export class Case implements CaseTree {
  /** The number in records. */
  readonly handler: number;
  /** Which function of the interpreter has it. */
  readonly kind: CaseKind;
  readonly tree: Tree;
  readonly row: OpRow;
  readonly isMem: boolean;
  readonly opSize: 16 | 32;
  readonly addrSize: 16 | 32;
  readonly segmented: boolean;
  #needs: Needs | undefined;

  /** @param handler Its number. @param kind Its kind. @param from What it is emitted from. */
  constructor(handler: number, kind: CaseKind, from: CaseTree) {
    this.handler = handler;
    this.kind = kind;
    this.tree = from.tree;
    this.row = from.row;
    this.isMem = from.isMem;
    this.opSize = from.opSize;
    this.addrSize = from.addrSize;
    this.segmented = from.segmented;
  }

  /** What the tree asks for, found when the first instruction of the case is lowered. */
  get needs(): Needs {
    return this.#needs ??= needsOf(this.tree);
  }
}

/** The cases of one shape. */
export interface ShapeCases {
  /** For flat segments and a 32-bit stack pointer, as far as the tree uses them; absent for a 16-bit stack pointer. */
  readonly flat: Case | undefined;
  /** For any segments. */
  readonly segmented: Case;
}

/** Operand, address and stack size. */
type Sizes = readonly [16 | 32, 16 | 32, 16 | 32];

/** A shape that notes which sizes were asked for. */
class NotedShape implements Shape {
  readonly row: OpRow;
  readonly isMem: boolean;
  readonly rep: number;
  readonly #sizes: Sizes;
  readonly asked: [boolean, boolean, boolean] = [false, false, false];

  constructor(row: OpRow, isMem: boolean, rep: number, sizes: Sizes) {
    this.row = row;
    this.isMem = isMem;
    this.rep = rep;
    this.#sizes = sizes;
  }

  get opSize(): 16 | 32 {
    this.asked[0] = true;
    return this.#sizes[0];
  }

  get addrSize(): 16 | 32 {
    this.asked[1] = true;
    return this.#sizes[1];
  }

  get stackSize(): 16 | 32 {
    this.asked[2] = true;
    return this.#sizes[2];
  }
}

/** A tree of a row, and the sizes it was built for; those nobody asked for may be any. */
interface Built {
  readonly sizes: Sizes;
  readonly asked: readonly [boolean, boolean, boolean];
  readonly cases: ShapeCases;
}

/** Sizes in all combinations; the first ones are those of flat 32-bit code. */
const SIZES: readonly Sizes[] = [
  [32, 32, 32],
  [32, 16, 32],
  [16, 32, 32],
  [16, 16, 32],
  [32, 32, 16],
  [32, 16, 16],
  [16, 32, 16],
  [16, 16, 16],
];
/** How many of them are. */
const FLAT_SIZES = 2;

/** Statements that depend on segments; in the text of a tree. */
const SEGMENTED = /"s":"(address|jump|jumpRelative|checkTarget)"/;

/** Makes cases, and keeps them: all CPUs of all machines share them. */
export class Cases {
  readonly #byForm: Map<number, Built[]> = new Map();
  readonly #byText: Map<string, ShapeCases> = new Map();
  readonly #ofKind: Readonly<Record<CaseKind, Case[]>> = { flat: [], other: [], rare: [] };
  /** Kinds of which all cases are made. */
  readonly #complete: Set<CaseKind> = new Set();

  /** Begins with the flat cases, whose loop every program needs. */
  constructor() {
    this.#common(SIZES.slice(0, FLAT_SIZES));
    this.#complete.add("flat");
  }

  /** The cases of a shape. */
  find(rowIndex: number, isMem: boolean, rep: number, sizes: Sizes): ShapeCases {
    const form = (rowIndex * 2 + (isMem ? 1 : 0)) * 256 + rep;
    let all = this.#byForm.get(form);
    if (all === undefined) this.#byForm.set(form, all = []);
    let built = all.find((b) => b.sizes.every((size, i) => !b.asked[i] || size === sizes[i]));
    if (built === undefined) all.push(built = this.#build(new NotedShape(OPS[rowIndex], isMem, rep, sizes), sizes));
    return built.cases;
  }

  /** Those of the loop for 32-bit code in flat segments. */
  get flat(): readonly Case[] {
    return this.#ofKind.flat;
  }

  /** Those of the loop for everything else: its own, and the forms for bytes. */
  get other(): readonly Case[] {
    if (!this.#complete.has("other")) this.#common(SIZES);
    this.#complete.add("other");
    return [...this.#ofKind.flat.filter(({ row }) => row.width === 8), ...this.#ofKind.other];
  }

  /** The case with a number. */
  byHandler(handler: number): Case | undefined {
    const kind = CASE_KINDS.findLast((k) => handler >= FIRST_OF[k]);
    return kind === undefined ? undefined : this.#ofKind[kind][handler - FIRST_OF[kind]];
  }

  /** Makes the cases of all common rows. */
  #common(all: readonly Sizes[]): void {
    OPS.forEach((row, index) => {
      for (const isMem of operandForms(row)) {
        if (isCommon(row, isMem)) { for (const sizes of all) this.find(index, isMem, 0, sizes); }
      }
    });
  }

  #build(shape: NotedShape, wanted: Sizes): Built {
    const { asked, row, isMem } = shape;
    const b = new Builder(shape);
    TREES[row.sem](b);
    const tree = b.finish();
    const text = JSON.stringify(tree);
    // What the emitter makes of these two depends on a size that the tree does not show.
    if (text.includes('"jumpRelative"')) asked[0] = true;
    if (text.includes('"k":"offset"')) asked[1] = true;
    // What was not asked for is 32, whoever comes first.
    const sizes: Sizes = [asked[0] ? wanted[0] : 32, asked[1] ? wanted[1] : 32, asked[2] ? wanted[2] : 32];
    const [opSize, addrSize, stackSize] = sizes;
    const key = `${text}${text.includes('"jumpRelative"') ? opSize : 0} ${asked[1] ? addrSize : 0}`;
    let cases = this.#byText.get(key);
    if (cases === undefined) {
      const one = { tree, opSize, addrSize, row, isMem };
      const flat = stackSize === 16 ? undefined : this.#add({ ...one, segmented: false });
      const both = SEGMENTED.test(text) ? undefined : flat;
      cases = { flat, segmented: both ?? this.#add({ ...one, segmented: true }) };
      this.#byText.set(key, cases);
    }
    return { sizes, asked, cases };
  }

  #add(tree: CaseTree): Case {
    const kind = kindOf(tree), all = this.#ofKind[kind], handler = FIRST_OF[kind] + all.length;
    const end = FIRST_OF[CASE_KINDS[CASE_KINDS.indexOf(kind) + 1]] ?? MOST_HANDLERS;
    if (handler >= end || this.#complete.has(kind)) throw new InternalError(`One ${kind} case more than there may be`);
    const made = new Case(handler, kind, tree);
    all.push(made);
    return made;
  }
}

/** Whether the ModRM operand of a row may be in memory, a register, or either. */
function operandForms(row: OpRow): readonly boolean[] {
  const hasModrm = row.operands.some((o) => /^[EMRG]/.test(o)) || row.digit !== undefined;
  return row.mod === "mem" ? [true] : row.mod === "reg" || !hasModrm ? [false] : [false, true];
}

let allCases: Cases | undefined;

/** The cases, made on first use. */
export function cases(): Cases {
  return allCases ??= new Cases();
}
