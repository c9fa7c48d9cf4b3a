/**
 * Emits repeated MOVS, STOS, SCAS and CMPS in bulk: as many iterations at once as lie within the pages of source and
 * destination, the count of the instruction, and the slice; SCAS and CMPS up to the element that ends them. The last
 * iteration and whatever is unusual (DF, overlap, pages without a fast access, addresses that are not aligned) is left to
 * the iteration that follows, which also records the flags. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Flag } from "../../../../spec/i386_regs.ts";
import { SegReg } from "../../segment.ts";
import { Layout } from "../../state.ts";
import type { AccessWidth } from "../../tree.ts";
import { LOADS } from "../interpreter/operators.ts";
import type { Instruction } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";
import type { Site } from "./tree_code.ts";

const REPE = 0xf3;
const EAX = 0, ECX = 1, ESI = 6, EDI = 7;

/** Fewer iterations are not worth it. */
const LEAST = 8;

/** True if an instruction can be done in bulk. */
export function isBulk(i: Instruction): boolean {
  if (i.effects?.repeats !== true || i.addrSize !== 32) return false;
  if (i.sem === "stos" || i.sem === "scas") return true;
  return (i.sem === "movs" || i.sem === "cmps") && (i.seg === SegReg.ds || i.seg === SegReg.es || i.seg === SegReg.ss);
}

/** Emits what comes before an iteration; `need` instructions are left in `count` afterwards. */
export function emitBulk(
  f: FunctionBody,
  i: Instruction,
  site: Site,
  registers: RegisterEmitter,
  count: number,
  need: number,
): void {
  new BulkEmitter(f, i, site, registers).emit(count, need);
}

class BulkEmitter {
  readonly #f: FunctionBody;
  readonly #i: Instruction;
  readonly #site: Site;
  readonly #registers: RegisterEmitter;
  readonly #width: AccessWidth;
  readonly #shift: number;
  readonly #n: number;
  readonly #to: number;
  readonly #from: number;

  constructor(f: FunctionBody, i: Instruction, site: Site, registers: RegisterEmitter) {
    this.#f = f;
    this.#i = i;
    this.#site = site;
    this.#registers = registers;
    this.#width = i.width === 8 ? 8 : i.width === 16 ? 16 : 32;
    this.#shift = Math.log2(this.#width >>> 3);
    this.#n = f.temp("i32");
    this.#to = f.temp("i32");
    this.#from = f.temp("i32");
  }

  emit(count: number, need: number): void {
    const f = this.#f, n = this.#n, { sem } = this.#i, moves = sem === "movs" || sem === "cmps";
    const no = f.block();
    this.#conditions(moves, no);
    this.#registers.get(ECX, 32);
    f.i32(1);
    f.num("i32.sub");
    f.set(n);
    this.#limit(() => {
      f.get(count);
      f.i32(need);
      f.num("i32.sub");
    });
    this.#limit(() => this.#rest(EDI));
    if (moves) this.#limit(() => this.#rest(ESI));
    f.get(n);
    f.i32(LEAST);
    f.num("i32.lt_u");
    f.brIf(no);
    const writes = sem === "movs" || sem === "stos";
    this.#host(EDI, writes ? this.#site.writeTable : this.#site.readTable, this.#to, no);
    if (moves) this.#host(ESI, this.#site.readTable, this.#from, no);
    if (sem === "movs") this.#copy(no);
    else if (sem === "stos") this.#fill();
    else this.#search(moves);
    this.#advance(EDI);
    if (moves) this.#advance(ESI);
    this.#registers.set(ECX, 32, () => {
      this.#registers.get(ECX, 32);
      f.get(n);
      f.num("i32.sub");
    });
    f.get(count);
    f.get(n);
    f.num("i32.sub");
    f.set(count);
    f.end();
    for (const local of [n, this.#to, this.#from]) f.release("i32", local);
  }

  /** ECX is 0, DF is set, an address is not aligned, a value not the same in all bytes: not in bulk. */
  #conditions(moves: boolean, no: number): void {
    const f = this.#f;
    this.#registers.get(ECX, 32);
    f.num("i32.eqz");
    f.brIf(no);
    f.i32(0);
    f.mem("i32.load", this.#site.state + Layout.eflags);
    f.i32(Flag.df);
    f.num("i32.and");
    if (this.#shift > 0) {
      this.#registers.get(EDI, 32);
      if (moves) {
        this.#registers.get(ESI, 32);
        f.num("i32.or");
      }
      f.i32((1 << this.#shift) - 1);
      f.num("i32.and");
      f.num("i32.or");
    }
    f.brIf(no);
    if (this.#i.sem !== "stos" || this.#shift === 0) return;
    this.#registers.get(EAX, this.#width);
    this.#registers.get(EAX, 8);
    f.i32(this.#width === 16 ? 0x0101 : 0x01010101);
    f.num("i32.mul");
    f.num("i32.ne");
    f.brIf(no);
  }

  /** n = min(n, limit), unsigned. */
  #limit(limit: () => void): void {
    const f = this.#f, t = f.temp("i32");
    limit();
    f.tee(t);
    f.get(this.#n);
    f.get(t);
    f.get(this.#n);
    f.num("i32.lt_u");
    f.select();
    f.set(this.#n);
    f.release("i32", t);
  }

  /** Elements to the end of the page. */
  #rest(register: number): void {
    const f = this.#f;
    f.i32(0x1000);
    this.#registers.get(register, 32);
    f.i32(0xfff);
    f.num("i32.and");
    f.num("i32.sub");
    if (this.#shift === 0) return;
    f.i32(this.#shift);
    f.num("i32.shr_u");
  }

  #host(register: number, table: number, local: number, no: number): void {
    const f = this.#f;
    this.#registers.get(register, 32);
    f.i32(12);
    f.num("i32.shr_u");
    f.i32(2);
    f.num("i32.shl");
    f.mem("i32.load", table);
    this.#registers.get(register, 32);
    f.num("i32.xor");
    f.tee(local);
    f.i32(0);
    f.num("i32.lt_s");
    f.brIf(no);
  }

  #bytes(): void {
    this.#f.get(this.#n);
    if (this.#shift === 0) return;
    this.#f.i32(this.#shift);
    this.#f.num("i32.shl");
  }

  /** A destination that begins inside the source repeats what was written. */
  #copy(no: number): void {
    const f = this.#f;
    f.get(this.#to);
    f.get(this.#from);
    f.num("i32.sub");
    this.#bytes();
    f.num("i32.lt_u");
    f.brIf(no);
    f.get(this.#to);
    f.get(this.#from);
    this.#bytes();
    f.memoryCopy();
  }

  #fill(): void {
    const f = this.#f;
    f.get(this.#to);
    this.#registers.get(EAX, 8);
    this.#bytes();
    f.memoryFill();
  }

  /** Passes over elements that let SCAS or CMPS go on; n becomes their number. */
  #search(two: boolean): void {
    const f = this.#f, left = f.temp("i32"), value = f.temp("i32");
    const load = LOADS[this.#width], bytes = this.#width >>> 3;
    if (!two) {
      this.#registers.get(EAX, this.#width);
      f.set(value);
    }
    f.get(this.#n);
    f.set(left);
    const out = f.block();
    const next = f.loop();
    if (two) {
      f.get(this.#from);
      f.mem(load, 0);
    } else f.get(value);
    f.get(this.#to);
    f.mem(load, 0);
    f.num(this.#i.rep === REPE ? "i32.ne" : "i32.eq");
    f.brIf(out);
    for (const pointer of two ? [this.#to, this.#from] : [this.#to]) {
      f.get(pointer);
      f.i32(bytes);
      f.num("i32.add");
      f.set(pointer);
    }
    f.get(left);
    f.i32(1);
    f.num("i32.sub");
    f.tee(left);
    f.brIf(next, "likely");
    f.end();
    f.end();
    f.get(this.#n);
    f.get(left);
    f.num("i32.sub");
    f.set(this.#n);
    f.release("i32", left);
    f.release("i32", value);
  }

  #advance(register: number): void {
    this.#registers.set(register, 32, () => {
      this.#registers.get(register, 32);
      this.#bytes();
      this.#f.num("i32.add");
    });
  }
}
