/**
 * Shifts and rotates by an immediate: the tree with the count put in, so that "unless the count is 0" is decided while
 * translating and the flags are known. Warm; results are kept per tree and count.
 */
import type { Expr, Stmt, Tree } from "../../tree.ts";

/** Semantics whose immediate is folded. */
const FOLDED: ReadonlySet<string> = new Set(["shl", "shr", "sar", "rol", "ror", "rcl", "rcr", "shld", "shrd"]);

/** True if the immediate of such an instruction is folded. */
export function isFolded(sem: string): boolean {
  return FOLDED.has(sem);
}

const known: WeakMap<Tree, Map<number, Tree>> = new WeakMap();

/** The tree with its immediate put in, if that decides anything. */
export function folded(tree: Tree, sem: string, imm: number): Tree {
  if (!FOLDED.has(sem)) return tree;
  let byCount = known.get(tree);
  if (byCount === undefined) known.set(tree, byCount = new Map());
  const count = imm & 31;
  let out = byCount.get(count);
  if (out === undefined) {
    out = { body: new Folder(tree, count).body(tree.body), temps: tree.temps };
    byCount.set(count, out);
  }
  return out;
}

class Folder {
  readonly #imm: number;
  readonly #sets: number[] = [];
  readonly #values: Map<number, Expr> = new Map();

  constructor(tree: Tree, imm: number) {
    this.#imm = imm;
    this.#count(tree.body);
  }

  #count(body: readonly Stmt[]): void {
    for (const s of body) {
      if (s.s === "let") this.#sets[s.id] = (this.#sets[s.id] ?? 0) + 1;
      else if (s.s === "if") {
        this.#count(s.then);
        this.#count(s.otherwise);
      }
    }
  }

  body(list: readonly Stmt[]): Stmt[] {
    return list.flatMap((s) => this.#stmt(s));
  }

  #stmt(s: Stmt): Stmt[] {
    switch (s.s) {
      case "let": {
        const e = this.#expr(s.e);
        if (e.k === "const" && this.#sets[s.id] === 1) {
          this.#values.set(s.id, e);
          return [];
        }
        return [{ ...s, e }];
      }
      case "if": {
        const c = this.#expr(s.c);
        if (c.k === "const") return this.body(c.v !== 0 ? s.then : s.otherwise);
        return [{ s: "if", c, then: this.body(s.then), otherwise: this.body(s.otherwise) }];
      }
      case "setGpr":
      case "setReg":
      case "storeBack":
        return [{ ...s, e: this.#expr(s.e) }];
      case "flags":
        return [{
          ...s,
          a: this.#expr(s.a),
          b: s.b === null ? null : this.#expr(s.b),
          c: s.c === null ? null : this.#expr(s.c),
        }];
      default:
        return [s]; // addresses and loads of these instructions do not name the count
    }
  }

  #expr(e: Expr): Expr {
    switch (e.k) {
      case "imm":
        return { k: "const", t: "i32", v: this.#imm };
      case "temp":
        return this.#values.get(e.id) ?? e;
      case "unary":
        return { ...e, a: this.#expr(e.a) };
      case "select":
        return { ...e, c: this.#expr(e.c), a: this.#expr(e.a), b: this.#expr(e.b) };
      case "binary": {
        const a = this.#expr(e.a), b = this.#expr(e.b);
        const v = e.t === "i32" && a.k === "const" && b.k === "const" ? fold(e.op, a.v, b.v) : undefined;
        return v === undefined ? { ...e, a, b } : { k: "const", t: "i32", v };
      }
      default:
        return e;
    }
  }
}

/** Value of an operator, if it is one that counts go through. */
function fold(op: string, a: number, b: number): number | undefined {
  switch (op) {
    case "and":
      return a & b;
    case "sub":
      return (a - b) | 0;
    case "add":
      return (a + b) | 0;
    case "remU":
      return b === 0 ? undefined : ((a >>> 0) % (b >>> 0)) | 0;
    default:
      return undefined;
  }
}
