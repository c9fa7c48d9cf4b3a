/**
 * The cases of the interpreter: one per distinct tree over all shapes, and a second one where a tree depends on flat
 * segments. Cold; made on first use.
 *
 * Most shapes of a row have the same tree, because its semantics never ask for the size in which they differ: a shape
 * that notes what is asked of it tells so without building them all.
 */
import { type OpRow, OPS } from "../../../../spec/i386_ops.ts";
import { Builder, type Shape } from "../../builder.ts";
import { TREES } from "../../semantics/index.ts";
import type { Tree } from "../../tree.ts";
import { type Needs, needsOf } from "./needs.ts";
import { FIRST_TREE } from "./record.ts";

/** A case: its number and what it needs. */
export class Case {
  readonly handler: number;
  readonly #tree: Tree;
  #needs: Needs | undefined;

  constructor(handler: number, tree: Tree) {
    this.handler = handler;
    this.#tree = tree;
  }

  /** What the tree asks for, found when the first instruction of the case is lowered. */
  get needs(): Needs {
    return this.#needs ??= needsOf(this.#tree);
  }
}

/** The cases of one shape. */
export interface ShapeCases {
  /** For flat segments and a 32-bit stack pointer, as far as the tree uses them; absent for a 16-bit stack pointer. */
  readonly flat: Case | undefined;
  /** For any segments. */
  readonly segmented: Case;
}

/** What a case is emitted from. */
export interface CaseTree {
  readonly tree: Tree;
  /** First row and operand form it was made for. */
  readonly row: OpRow;
  /** The ModRM operand is in memory. */
  readonly isMem: boolean;
  readonly opSize: 16 | 32;
  readonly addrSize: 16 | 32;
  /** Segments are checked, transfers compared with the limit of CS. */
  readonly segmented: boolean;
}

/** Cases by shape key. */
export interface Cases {
  readonly trees: readonly CaseTree[];
  readonly byShape: ReadonlyMap<number, ShapeCases>;
}

/** Key of a shape: what decides the tree. */
export function shapeKey(
  rowIndex: number,
  isMem: boolean,
  opSize: number,
  addrSize: number,
  stackSize: number,
  rep: number,
): number {
  const r = rep === 0 ? 0 : rep === 0xf2 ? 1 : 2;
  const sizes = (opSize >> 5) | ((addrSize >> 5) << 1) | ((stackSize >> 5) << 2);
  return ((rowIndex * 2 + (isMem ? 1 : 0)) * 8 + sizes) * 3 + r;
}

/** A shape that notes which sizes were asked for. */
class NotedShape implements Shape {
  readonly row: OpRow;
  readonly isMem: boolean;
  readonly rep: number;
  readonly #sizes: readonly [16 | 32, 16 | 32, 16 | 32];
  readonly asked: [boolean, boolean, boolean] = [false, false, false];

  constructor(row: OpRow, isMem: boolean, rep: number, sizes: readonly [16 | 32, 16 | 32, 16 | 32]) {
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
  readonly sizes: readonly [16 | 32, 16 | 32, 16 | 32];
  readonly asked: readonly [boolean, boolean, boolean];
  readonly cases: ShapeCases;
}

/** Operand, address and stack size in all combinations. */
const SIZES: readonly (readonly [16 | 32, 16 | 32, 16 | 32])[] = [
  [32, 32, 32],
  [32, 16, 32],
  [16, 32, 32],
  [16, 16, 32],
  [32, 32, 16],
  [32, 16, 16],
  [16, 32, 16],
  [16, 16, 16],
];

/** Statements that depend on segments; in the text of a tree. */
const SEGMENTED = /"s":"(address|jump|jumpRelative|checkTarget)"/;

class CaseMaker {
  readonly trees: CaseTree[] = [];
  readonly byShape: Map<number, ShapeCases> = new Map();
  readonly #known: Map<string, ShapeCases> = new Map();

  row(row: OpRow, index: number): void {
    if (TREES[row.sem] === undefined) return;
    const hasModrm = row.operands.some((o) => /^[EMRG]/.test(o)) || row.digit !== undefined;
    const mems = row.mod === "mem" ? [true] : row.mod === "reg" || !hasModrm ? [false] : [false, true];
    for (const isMem of mems) {
      for (const rep of row.rep === undefined ? [0] : [0, 0xf2, 0xf3]) this.#shapes(row, index, isMem, rep);
    }
  }

  #shapes(row: OpRow, index: number, isMem: boolean, rep: number): void {
    const all: Built[] = [];
    for (const sizes of SIZES) {
      let built = all.find((b) => b.sizes.every((size, i) => !b.asked[i] || size === sizes[i]));
      if (built === undefined) all.push(built = this.#build(new NotedShape(row, isMem, rep, sizes), sizes));
      this.byShape.set(shapeKey(index, isMem, sizes[0], sizes[1], sizes[2], rep), built.cases);
    }
  }

  #build(shape: NotedShape, sizes: readonly [16 | 32, 16 | 32, 16 | 32]): Built {
    const b = new Builder(shape);
    TREES[shape.row.sem](b);
    const tree = b.finish();
    const [opSize, addrSize] = sizes, { asked } = shape;
    const text = JSON.stringify(tree);
    // What the emitter makes of these two depends on a size that the tree does not show.
    if (text.includes('"jumpRelative"')) asked[0] = true;
    if (text.includes('"k":"offset"')) asked[1] = true;
    const key = `${text}${text.includes('"jumpRelative"') ? opSize : 0} ${asked[1] ? addrSize : 0}`;
    let cases = this.#known.get(key);
    if (cases === undefined) {
      const one = { tree, opSize, addrSize, row: shape.row, isMem: shape.isMem };
      const flat = asked[2] && sizes[2] === 16 ? undefined : this.#add({ ...one, segmented: false });
      const both = SEGMENTED.test(text) ? undefined : flat;
      cases = { flat, segmented: both ?? this.#add({ ...one, segmented: true }) };
      this.#known.set(key, cases);
    }
    return { sizes, asked, cases };
  }

  #add(tree: CaseTree): Case {
    return new Case(FIRST_TREE + this.trees.push(tree) - 1, tree.tree);
  }
}

let allCases: Cases | undefined;

/** All cases, made on first use: shapes whose trees are equal share one. */
export function cases(): Cases {
  if (allCases !== undefined) return allCases;
  const maker = new CaseMaker();
  OPS.forEach((row, index) => maker.row(row, index));
  allCases = { trees: maker.trees, byShape: maker.byShape };
  return allCases;
}
