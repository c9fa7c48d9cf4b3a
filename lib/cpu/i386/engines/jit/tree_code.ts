/**
 * Emits the tree of one instruction into a region, with operands known: registers by number, immediates and addresses
 * as constants. A memory access tries the TLB inline, then asks a helper that fills it; whatever is left (faults, MMIO,
 * pages with code, watched pages) leaves the region before the instruction, for the interpreter to do. So a region
 * never has to undo anything. Cold code that makes hot code.
 */
import { InternalError } from "../../../../core/errors.ts";
import type { FunctionBody } from "../../../../wasm/body.ts";
import type { Field } from "../../fields.ts";
import type { AccessWidth, Expr, Stmt, ValueType } from "../../tree.ts";
import { emitProbe } from "../interpreter/memory_code.ts";
import { emitOperation, LOADS, STORES } from "../interpreter/operators.ts";
import type { FlagEmitter } from "./flag_code.ts";
import { emitGroup } from "./group_code.ts";
import type { Instruction } from "./instruction.ts";
import { recordsFlags } from "./flag_plan.ts";
import type { RegisterEmitter } from "./registers.ts";
import { emitRun } from "./run_code.ts";
import type { SegmentCode } from "./segment_code.ts";
import { targetOf } from "./segment_plan.ts";

/** Where emitted code finds things. */
export interface Site {
  /** Address of the state block. */
  readonly state: number;
  /** Byte address of the TLB table for reads. */
  readonly readTable: number;
  /** Byte address of the TLB table for writes. */
  readonly writeTable: number;
  /** Functions (linear, size) -> host address or -1, for reads and writes. */
  readonly slow: { readonly read: number; readonly write: number };
  /** Imported runs of string instructions by number. */
  readonly runs: ReadonlyMap<number, number>;
  /** Accesses look at the TLB where they are. */
  readonly probes: boolean;
  /** Shortcuts are taken. */
  readonly shortcuts: boolean;
  /** Segments. */
  readonly segments: SegmentCode;
  /** Local: EIP of offset 0 of the page. */
  readonly base: number;
}

/** What a tree does to control. */
export interface Control {
  /** Leaves before the instruction; the interpreter executes it. */
  leave(i: Instruction): void;
  /** Continues at an offset of the page. */
  goto(i: Instruction, offset: number): void;
  /** Puts on the stack how many instructions may be done besides this one before the count is checked again. */
  spare(i: Instruction): void;
  /** Takes the number in a local from the count. */
  spend(local: number): void;
  /** Continues at the EIP that `target` puts on the stack. */
  jump(i: Instruction, target: () => void): void;
}

/** Emits trees into one region. */
export class TreeCode {
  readonly #f: FunctionBody;
  readonly #site: Site;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #control: Control;
  readonly #operand = (e: Expr): void => this.#expr(e);
  readonly #la: number;
  readonly #t: number;
  readonly #place: number;
  #placeOffset = 0;
  #access = 0;
  #temps: { t: ValueType; local: number }[] = [];
  #soft: { name: Field["name"]; local: number }[] = [];
  #i: Instruction | undefined = undefined;

  /** @param f The function. @param site Addresses. @param registers Registers. @param flags Flags. @param control Exits. */
  constructor(f: FunctionBody, site: Site, registers: RegisterEmitter, flags: FlagEmitter, control: Control) {
    this.#f = f;
    this.#site = site;
    this.#registers = registers;
    this.#flags = flags;
    this.#control = control;
    this.#la = f.local("i32");
    this.#t = f.local("i32");
    this.#place = f.local("i32");
  }

  /** Emits one instruction that has a tree. */
  emit(i: Instruction): void {
    const { tree } = i;
    if (tree === undefined) throw new InternalError("An instruction without tree is not emitted");
    this.#i = i;
    this.#access = 0;
    this.#temps = tree.temps.map((t) => ({ t, local: this.#f.temp(t) }));
    this.#soft = i.soft.map((field) => this.#readSoft(i, field));
    this.#body(tree.body);
    for (const { local } of this.#soft) this.#f.release("i32", local);
    for (const { t, local } of this.#temps) this.#f.release(t, local);
  }

  /** Reads a constant of an instruction from its code, before anything of it is done. */
  #readSoft(i: Instruction, { name, at, size, signed }: Field): { name: Field["name"]; local: number } {
    const f = this.#f, local = f.temp("i32");
    f.i32(0);
    f.mem(size === 4 ? "i32.load" : `i32.load${size === 1 ? 8 : 16}_${signed ? "s" : "u"}` as const, i.at + at);
    f.set(local);
    return { name, local };
  }

  /** A constant of the instruction on the stack. */
  #constant(name: Field["name"]): void {
    const i = this.#instruction, soft = this.#soft.find((s) => s.name === name);
    if (soft === undefined) this.#f.i32(i[name]);
    else this.#f.get(soft.local);
  }

  /** Puts the condition of a conditional jump on the stack. */
  condition(i: Instruction): void {
    const [s] = i.tree?.body ?? [];
    if (s?.s !== "if") throw new InternalError("A jump without condition is not one of this kind");
    this.#i = i;
    this.#soft = [];
    this.#expr(s.c);
  }

  get #instruction(): Instruction {
    if (this.#i === undefined) throw new InternalError("No instruction is being emitted");
    return this.#i;
  }

  #body(body: readonly Stmt[]): void {
    for (const s of body) this.#stmt(s);
  }

  #stmt(s: Stmt): void {
    const f = this.#f, i = this.#instruction;
    switch (s.s) {
      case "let":
        this.#expr(s.e);
        f.set(this.#temps[s.id].local);
        break;
      case "setGpr":
        this.#registers.set(i.slot(s.slot), s.w, () => this.#expr(s.e));
        break;
      case "setReg":
        this.#registers.set(s.n, s.w, () => this.#expr(s.e));
        break;
      case "setState":
        f.i32(0);
        this.#expr(s.e);
        f.mem("i32.store", this.#site.state + s.at);
        break;
      case "ea":
        this.#offset(s.add);
        this.#segment(i.seg, s);
        f.set(this.#temps[s.id].local);
        break;
      case "address":
        this.#expr(s.offset);
        this.#segment(s.seg === "operand" ? i.seg : s.seg, s);
        f.set(this.#temps[s.id].local);
        break;
      case "load":
        f.mem(LOADS[s.w], this.#host(s.addr, s.w, false));
        f.set(this.#temps[s.id].local);
        break;
      case "loadForWrite":
        this.#placeOffset = this.#host(s.addr, s.w, true);
        f.tee(this.#place);
        f.mem(LOADS[s.w], this.#placeOffset);
        f.set(this.#temps[s.id].local);
        break;
      case "storeBack":
        f.get(this.#place);
        this.#expr(s.e);
        f.mem(STORES[s.w], this.#placeOffset);
        break;
      case "store": {
        const offset = this.#host(s.addr, s.w, true);
        this.#expr(s.e);
        f.mem(STORES[s.w], offset);
        break;
      }
      case "flags":
        if (i.flagsLive) this.#flags.record(s, (e) => this.#expr(e));
        break;
      case "if":
        this.#if(s);
        break;
      case "jumpRelative":
        this.#control.goto(i, i.next + i.imm);
        break;
      case "jump":
        this.#control.jump(i, () => this.#expr(s.target));
        break;
      case "checkTarget":
        this.#checkTarget(i, s.target);
        break;
      case "bulk":
        emitRun(f, i, s, this.#temps[s.id].local, {
          site: this.#site,
          control: this.#control,
          expr: (e) => this.#expr(e),
        });
        break;
      case "again":
        this.#control.goto(i, i.offset);
        break;
      case "raise":
        this.#control.leave(i);
        break;
    }
  }

  #if(s: Stmt & { readonly s: "if" }): void {
    if (s.shortcut === true && !this.#site.shortcuts) return this.#body(s.otherwise);
    const f = this.#f;
    const records = this.#instruction.flagsLive && recordsFlags(s);
    this.#expr(s.c);
    if (records) this.#flags.forget(); // the condition is on the stack already
    f.if();
    this.#body(s.then);
    if (records) this.#flags.forget();
    if (s.otherwise.length > 0) {
      f.else();
      this.#body(s.otherwise);
      if (records) this.#flags.forget();
    }
    f.end();
  }

  /** Effective offset on the stack. */
  #offset(add: Expr | null): void {
    const f = this.#f, i = this.#instruction;
    let any = false;
    const plus = (): void => {
      if (any) f.num("i32.add");
      any = true;
    };
    if (i.base >= 0) {
      this.#registers.get(i.base, 32);
      plus();
    }
    if (i.index >= 0) {
      this.#registers.get(i.index, 32);
      if (i.scale > 0) {
        f.i32(i.scale);
        f.num("i32.shl");
      }
      plus();
    }
    if (i.disp !== 0 || !any || i.isSoft("disp")) {
      this.#constant("disp");
      plus();
    }
    if (add !== null) {
      this.#expr(add);
      f.num("i32.add");
    }
    if (i.addrSize === 16) {
      f.i32(0xffff);
      f.num("i32.and");
    }
  }

  /** Offset on the stack -> linear address. */
  #segment(seg: number, { size, write }: { size: number; write: boolean }): void {
    this.#site.segments.address(seg, size, write, () => this.#control.leave(this.#instruction));
  }

  /** Targets that the region knows were checked when it was entered. */
  #checkTarget(i: Instruction, target: Expr): void {
    if (this.#site.segments.isFlatCode || targetOf(i) !== undefined) return;
    this.#expr(target);
    this.#site.segments.target(() => this.#control.leave(i));
  }

  /** Host address of an access on the stack. @returns Offset to be added by the access itself. */
  #host(addr: Expr, w: AccessWidth, write: boolean): number {
    const f = this.#f;
    const access = this.#instruction.accesses[this.#access++];
    if (access === undefined || access.group.count < 2) {
      this.#expr(addr);
      this.#translate(w, write);
      return 0;
    }
    const { group, offset } = access, distance = offset - group.start;
    if (group.local < 0) {
      emitGroup(f, group, distance, { ...this.#site, la: this.#la, t: this.#t }, () => this.#expr(addr));
    }
    f.get(group.local);
    f.tee(this.#t);
    f.i32(0);
    f.num("i32.lt_s");
    f.if("unlikely"); // the group has no translation: this access alone
    this.#expr(addr);
    this.#translate(w, write);
    f.i32(distance);
    f.num("i32.sub");
    f.set(this.#t);
    f.end();
    f.get(this.#t);
    if (--group.left === 0) f.release("i32", group.local);
    return distance;
  }

  /** Linear address on the stack -> host address on the stack. */
  #translate(w: AccessWidth, write: boolean): void {
    const f = this.#f, { probes, slow, readTable, writeTable } = this.#site;
    if (probes) {
      emitProbe(f, w, this.#la, this.#t, write ? writeTable : readTable);
      f.if("unlikely");
      f.get(this.#la);
    }
    f.i32(w >>> 3);
    f.call(write ? slow.write : slow.read);
    f.tee(this.#t);
    f.i32(0);
    f.num("i32.lt_s");
    f.if("unlikely");
    this.#control.leave(this.#instruction);
    f.end();
    if (probes) f.end();
    f.get(this.#t);
  }

  #expr(e: Expr): void {
    const f = this.#f, i = this.#instruction;
    switch (e.k) {
      case "const":
      case "unary":
      case "binary":
      case "select":
        emitOperation(f, e, this.#operand);
        break;
      case "imm":
        this.#constant("imm");
        break;
      case "imm2":
        this.#constant("imm2");
        break;
      case "gpr":
        this.#registers.get(i.slot(e.slot), e.w);
        break;
      case "reg":
        this.#registers.get(e.n, e.w);
        break;
      case "state":
        f.i32(0);
        f.mem("i32.load", this.#site.state + e.at);
        break;
      case "temp":
        f.get(this.#temps[e.id].local);
        break;
      case "cf":
        this.#flags.carry();
        break;
      case "flagsWord":
        this.#flags.word();
        break;
      case "cond":
        this.#flags.condition(e.cc);
        break;
      case "nextEip":
        f.get(this.#site.base);
        f.i32(i.next);
        f.num("i32.add");
        break;
      case "offset":
        this.#offset(null);
        break;
    }
  }
}
