/**
 * Emits one tree as a case of the interpreter: fields come from the record, registers from the state block.
 *
 * The lazy flags and the count live in WebAssembly locals. A memory access tries the TLB inline; the other path saves
 * flags and count, calls TypeScript and goes on with the address it returns. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { FlagsKind, kindOf } from "../../flags.ts";
import { runNumber } from "../../kernels/string_runs.ts";
import { Rights } from "../../segment.ts";
import { Layout, SEG_BYTES } from "../../state.ts";
import type { AccessWidth, Expr, Stmt, ValueType } from "../../tree.ts";
import type { CaseTree } from "./cases.ts";
import { ConditionEmitter } from "./conditions.ts";
import { emitOffset, MemoryEmitter } from "./memory_code.ts";
import type { Calls, Labels, Locals } from "./locals.ts";
import { emitOperation, LOADS, registerOffset, STORES } from "./operators.ts";
import { Rec } from "./record.ts";
import { TransferEmitter } from "./transfers.ts";

export type { Calls, Labels, Locals } from "./locals.ts";

/** Emits trees into one function body. */
export class TreeEmitter {
  readonly #f: FunctionBody;
  readonly #l: Locals;
  readonly #calls: Calls;
  readonly #labels: Labels;
  readonly #state: number;
  readonly #conditions: ConditionEmitter;
  readonly #memory: MemoryEmitter;
  readonly #transfers: TransferEmitter;
  #temps: { t: ValueType; local: number }[] = [];
  #opSize: 16 | 32 = 32;
  #addrSize: 16 | 32 = 32;
  #segmented = false;
  readonly #operand = (e: Expr): void => this.#expr(e);

  /** @param state Byte address of the state block. */
  constructor(f: FunctionBody, locals: Locals, calls: Calls, labels: Labels, state: number) {
    this.#f = f;
    this.#l = locals;
    this.#calls = calls;
    this.#labels = labels;
    this.#state = state;
    this.#conditions = new ConditionEmitter(f, locals, calls);
    this.#memory = new MemoryEmitter(f, locals, calls, state);
    this.#transfers = new TransferEmitter(f, locals, calls, labels, state);
  }

  /** Emits one case, ending with the step to the following record. */
  emit({ tree, opSize, addrSize, segmented }: CaseTree): void {
    this.#opSize = opSize;
    this.#addrSize = addrSize;
    this.#segmented = segmented;
    this.#temps = tree.temps.map((t) => ({ t, local: this.#f.temp(t) }));
    this.#body(tree.body);
    for (const { t, local } of this.#temps) this.#f.release(t, local);
    this.next();
  }

  /** Goes on with the following record. */
  next(): void {
    const f = this.#f;
    f.get(this.#l.rec);
    f.i32(32);
    f.num("i32.add");
    f.set(this.#l.rec);
    f.br(this.#labels.next);
  }

  #body(body: readonly Stmt[]): void {
    for (const s of body) this.#stmt(s);
  }

  #stmt(s: Stmt): void {
    const f = this.#f;
    switch (s.s) {
      case "let":
        this.#expr(s.e);
        f.set(this.#temps[s.id].local);
        break;
      case "setGpr":
        f.get(this.#l.rec);
        f.mem("i32.load16_u", s.slot === "rm" ? Rec.rm : Rec.reg);
        this.#expr(s.e);
        f.mem(STORES[s.w], 0);
        break;
      case "setReg":
        f.i32(0);
        this.#expr(s.e);
        f.mem(STORES[s.w], this.#state + registerOffset(s.n, s.w));
        break;
      case "setState":
        f.i32(0);
        this.#expr(s.e);
        f.mem("i32.store", this.#state + s.at);
        break;
      case "ea":
        emitOffset(f, this.#l.rec);
        if (s.add !== null) {
          this.#expr(s.add);
          f.num("i32.add");
        }
        f.set(this.#temps[s.id].local);
        break;
      case "address":
        if (this.#segmented) this.#address(s);
        else this.#expr(s.offset);
        f.set(this.#temps[s.id].local);
        break;
      case "load":
        this.#expr(s.addr);
        this.#memory.translate(s.w, Layout.tlbRead, this.#calls.load, this.#labels.fault);
        f.mem(LOADS[s.w], 0);
        f.set(this.#temps[s.id].local);
        break;
      case "loadForWrite":
        this.#expr(s.addr);
        this.#memory.translate(s.w, Layout.tlbWrite, this.#calls.place, this.#labels.fault);
        f.tee(this.#l.place);
        f.mem(LOADS[s.w], 0);
        f.set(this.#temps[s.id].local);
        break;
      case "storeBack":
        f.get(this.#l.place);
        this.#expr(s.e);
        f.mem(STORES[s.w], 0);
        f.get(this.#l.place);
        f.i32(65536);
        f.num("i32.lt_u");
        f.if("unlikely");
        f.call(this.#calls.commit);
        this.#memory.reloadCount();
        f.end();
        break;
      case "store":
        this.#store(s.w, s.addr, s.e);
        break;
      case "flags":
        this.#flags(s);
        break;
      case "if":
        if (s.shortcut === true && !this.#calls.settings.shortcuts) {
          this.#body(s.otherwise);
          break;
        }
        this.#expr(s.c);
        f.if();
        this.#body(s.then);
        if (s.otherwise.length > 0) {
          f.else();
          this.#body(s.otherwise);
        }
        f.end();
        break;
      case "jumpRelative":
        this.#transfers.jumpRelative(this.#opSize, this.#segmented);
        break;
      case "jump":
        this.#expr(s.target);
        f.set(this.#l.eip);
        f.br(this.#labels.lookup);
        break;
      case "checkTarget":
        if (this.#segmented) this.#transfers.checkTarget(() => this.#expr(s.target));
        break;
      case "bulk":
        this.#bulk(s);
        break;
      case "again": // from the instruction's first record: its hooks are met again
        f.get(this.#l.rec);
        f.get(this.#l.rec);
        f.mem("i32.load", Rec.op);
        f.num("i32.sub");
        f.set(this.#l.rec);
        f.br(this.#labels.next);
        break;
      case "raise":
        f.i32(s.vector);
        f.i32(s.code);
        f.call(this.#calls.raise);
        f.br(this.#labels.fault);
        break;
    }
  }

  /** Linear address on the stack, after the checks of the segment. */
  #address(s: Stmt & { readonly s: "address" }): void {
    const f = this.#f;
    if (s.seg === "operand") {
      f.get(this.#l.rec);
      f.mem("i32.load16_u", Rec.base);
    } else f.i32(this.#state + Layout.segs + s.seg * SEG_BYTES);
    this.#expr(s.offset);
    f.i32(s.size - 1);
    f.i32(Rights.usable | (s.write ? Rights.write : Rights.read));
    f.call(this.#calls.segment);
    f.brIf(this.#labels.fault, "unlikely");
    f.i32(0);
    f.mem("i32.load", this.#state + Layout.ea);
  }

  /** Iterations at once, but not where the instruction has hooks: they are met at each one. */
  #bulk(s: Stmt & { readonly s: "bulk" }): void {
    const f = this.#f, l = this.#l;
    if (!this.#calls.settings.bulk) {
      f.i32(0);
      f.set(this.#temps[s.id].local);
      return;
    }
    this.#expr(s.source);
    f.get(l.rec);
    f.mem("i32.load16_u", Rec.base);
    this.#expr(s.destination);
    this.#expr(s.left);
    f.i32(0);
    f.get(l.count);
    f.get(l.rec);
    f.mem("i32.load", Rec.op);
    f.select();
    this.#expr(s.value);
    f.i32(s.mask);
    f.call(this.#calls.run(runNumber(s)));
    f.set(this.#temps[s.id].local);
    f.get(l.count);
    f.get(this.#temps[s.id].local);
    f.num("i32.sub");
    f.set(l.count);
  }

  #store(w: AccessWidth, addr: Expr, e: Expr): void {
    const value = this.#f.temp("i32");
    this.#expr(e);
    this.#f.set(value);
    this.#expr(addr);
    this.#memory.store(w, value, this.#labels.fault);
    this.#f.release("i32", value);
  }

  #flags(s: Stmt & { readonly s: "flags" }): void {
    const f = this.#f, l = this.#l;
    const shift = s.kind === FlagsKind.word ? 0 : 32 - s.w;
    const top = (e: Expr): void => {
      this.#expr(e);
      if (shift === 0) return;
      f.i32(shift);
      f.num("i32.shl");
    };
    const raw = s.kind === FlagsKind.result;
    top(s.a);
    if (s.kind === FlagsKind.inc || s.kind === FlagsKind.dec) this.#expr({ k: "cf" });
    else if (s.b === null) f.i32(0);
    else if (raw) this.#expr(s.b);
    else top(s.b);
    if (s.c === null) f.i32(0);
    else if (raw) this.#expr(s.c);
    else top(s.c);
    f.set(l.c);
    f.set(l.b);
    f.set(l.a);
    f.i32(kindOf(s.kind, s.kind === FlagsKind.word ? 32 : s.w));
    f.set(l.kind);
  }

  #expr(e: Expr): void {
    const f = this.#f;
    switch (e.k) {
      case "const":
      case "unary":
      case "binary":
      case "select":
        emitOperation(f, e, this.#operand);
        break;
      case "imm":
      case "imm2":
        f.get(this.#l.rec);
        f.mem("i32.load", e.k === "imm" ? Rec.imm : Rec.link);
        break;
      case "gpr":
        f.get(this.#l.rec);
        f.mem("i32.load16_u", e.slot === "rm" ? Rec.rm : Rec.reg);
        f.mem(LOADS[e.w], 0);
        break;
      case "reg":
        f.i32(0);
        f.mem(LOADS[e.w], this.#state + registerOffset(e.n, e.w));
        break;
      case "state":
        f.i32(0);
        f.mem("i32.load", this.#state + e.at);
        break;
      case "temp":
        f.get(this.#temps[e.id].local);
        break;
      case "cf":
        this.#conditions.flagArgs();
        f.call(this.#calls.carry);
        break;
      case "flagsWord":
        this.#conditions.flagArgs();
        f.call(this.#calls.flags);
        break;
      case "cond":
        this.#conditions.cond(e.cc);
        break;
      case "nextEip":
        this.#transfers.nextEip();
        break;
      case "offset":
        emitOffset(f, this.#l.rec);
        if (this.#addrSize === 16) {
          f.i32(0xffff);
          f.num("i32.and");
        }
        break;
    }
  }
}
