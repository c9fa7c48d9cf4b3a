/**
 * Finds memory accesses of a block that lie at constant distances: struct fields, stack frames, pushes and pops. One look
 * at the TLB then serves them all. Registers are followed symbolically as root plus offset through moves, additions and
 * pushes; what is not such a sum is a root of its own. Warm.
 */
import { Reg } from "../../../../spec/i386_regs.ts";
import { SegReg } from "../../segment.ts";
import type { AccessWidth, Expr, Stmt } from "../../tree.ts";
import type { Block } from "./discover.ts";
import type { Instruction } from "./instruction.ts";

/** Accesses that share a translation. */
export class Group {
  /** Offset from the root that is translated: the lowest one, aligned as the widest access. */
  start = 0;
  /** Bytes from there to the end of the last access. */
  span = 0;
  /** Bytes of the widest access. */
  width = 1;
  /** Some access writes. */
  write = false;
  /** Number of accesses. */
  count = 0;
  /** Local with the host address of `start`, or something negative; while emitting. */
  local = -1;
  /** Accesses still to be emitted. */
  left = 0;

  /** Takes an access in if it lies near enough and is aligned to the others; `unit`: the alignment it wants. */
  take(offset: number, bytes: number, write: boolean, unit: number = bytes): boolean {
    const width = Math.max(this.width, unit);
    if (this.count === 0) this.start = offset;
    if ((offset - this.start) % Math.min(this.width, unit) !== 0) return false;
    let start = this.start;
    if (offset < start) start -= Math.ceil((start - offset) / width) * width;
    else if ((offset - start) % unit !== 0) return false;
    const span = Math.max(this.start + this.span, offset + bytes) - start;
    if (span > MOST) return false;
    this.start = start;
    this.span = span;
    this.width = width;
    this.write ||= write;
    this.count++;
    return true;
  }
}

/** One access: its group, and its distance from the root. */
export interface Access {
  readonly group: Group;
  readonly offset: number;
}

/** Bytes a group may span. */
const MOST = 1024;

interface Value {
  readonly root: number;
  readonly offset: number;
}

/** Root of absolute addresses. */
const ABSOLUTE = 8;

/** Gives each access of the block its group. */
export function findGroups(block: Block): void {
  new Finder().block(block);
}

class Finder {
  readonly #registers: Value[] = [...Array(8).keys()].map((root) => ({ root, offset: 0 }));
  readonly #sums: Map<string, number> = new Map();
  readonly #open: Map<number, Group[]> = new Map();
  #temps: (Value | undefined)[] = [];
  #accesses: (Access | undefined)[] = [];
  #next = ABSOLUTE + 1;
  #conditional = 0;

  block(block: Block): void {
    for (const i of block.instructions) {
      this.#accesses = [];
      this.#temps = [];
      if (i.tree !== undefined) this.#body(i, i.tree.body);
      else if (i.x87 !== undefined) this.#x87(i, i.x87.writesAx);
      i.accesses = this.#accesses;
    }
  }

  /** Operands of the x87 need no alignment. */
  #x87(i: Instruction, writesAx: boolean): void {
    const operand = i.operand;
    if (operand !== undefined) {
      const bytes = operand.size;
      this.#access(this.#address(i), bytes, operand.write, 1);
    }
    if (writesAx) this.#registers[Reg.eax] = this.#fresh();
  }

  #body(i: Instruction, body: readonly Stmt[]): void {
    for (const s of body) this.#stmt(i, s);
  }

  #stmt(i: Instruction, s: Stmt): void {
    switch (s.s) {
      case "let":
        this.#temps[s.id] = this.#conditional > 0 ? undefined : this.#value(i, s.e);
        break;
      case "setGpr":
        this.#set(i.slot(s.slot), s.w, () => this.#value(i, s.e));
        break;
      case "setReg":
        this.#set(s.n, s.w, () => this.#value(i, s.e));
        break;
      case "ea":
        this.#temps[s.id] = s.add === null && i.addrSize === 32 && isFlat(i.seg) ? this.#address(i) : undefined;
        break;
      case "address":
        this.#temps[s.id] = isFlat(s.seg === "operand" ? i.seg : s.seg) ? this.#value(i, s.offset) : undefined;
        break;
      case "load":
      case "loadForWrite":
        this.#access(this.#value(i, s.addr), s.w >>> 3, s.s === "loadForWrite");
        break;
      case "store":
        this.#access(this.#value(i, s.addr), s.w >>> 3, true);
        break;
      case "if":
        this.#conditional++;
        this.#body(i, s.then);
        this.#body(i, s.otherwise);
        this.#conditional--;
        break;
    }
  }

  #set(n: number, w: AccessWidth, value: () => Value): void {
    if (w === 32 && this.#conditional === 0) this.#registers[n] = value();
    else this.#registers[w === 8 ? n & 3 : n] = this.#fresh();
  }

  #fresh(): Value {
    return { root: this.#next++, offset: 0 };
  }

  #access(at: Value | undefined, bytes: number, write: boolean, unit: number = bytes): void {
    if (at === undefined || this.#conditional > 0) {
      this.#accesses.push(undefined);
      return;
    }
    let open = this.#open.get(at.root);
    if (open === undefined) this.#open.set(at.root, open = []);
    let group = open.find((g) => g.take(at.offset, bytes, write, unit));
    if (group === undefined) {
      group = new Group();
      group.take(at.offset, bytes, write, unit);
      open.push(group);
    }
    this.#accesses.push({ group, offset: at.offset });
  }

  #address(i: Instruction): Value {
    if (i.isSoft("disp")) return this.#fresh();
    const base = i.base < 0 ? { root: ABSOLUTE, offset: 0 } : this.#registers[i.base];
    if (i.index < 0) return { root: base.root, offset: (base.offset + i.disp) | 0 };
    const index = this.#registers[i.index];
    return {
      root: this.#sum(`${base.root}+${index.root}<${i.scale}`),
      offset: (base.offset + (index.offset << i.scale) + i.disp) | 0,
    };
  }

  #sum(key: string): number {
    let root = this.#sums.get(key);
    if (root === undefined) this.#sums.set(key, root = this.#next++);
    return root;
  }

  #value(i: Instruction, e: Expr): Value {
    switch (e.k) {
      case "const":
        return { root: ABSOLUTE, offset: e.v };
      case "imm":
        return i.isSoft("imm") ? this.#fresh() : { root: ABSOLUTE, offset: i.imm };
      case "reg":
        return e.w === 32 ? this.#registers[e.n] : this.#fresh();
      case "gpr":
        return e.w === 32 ? this.#registers[i.slot(e.slot)] : this.#fresh();
      case "temp":
        return this.#temps[e.id] ?? this.#fresh();
      case "offset":
        return i.addrSize === 32 ? this.#address(i) : this.#fresh();
      case "binary": {
        if (e.t !== "i32" || (e.op !== "add" && e.op !== "sub")) return this.#fresh();
        const a = this.#value(i, e.a), b = this.#value(i, e.b);
        if (b.root === ABSOLUTE) {
          return { root: a.root, offset: (e.op === "add" ? a.offset + b.offset : a.offset - b.offset) | 0 };
        }
        if (a.root === ABSOLUTE && e.op === "add") return { root: b.root, offset: (a.offset + b.offset) | 0 };
        return this.#fresh();
      }
      default:
        return this.#fresh();
    }
  }
}

function isFlat(seg: number): boolean {
  return seg === SegReg.es || seg === SegReg.ss || seg === SegReg.ds;
}
