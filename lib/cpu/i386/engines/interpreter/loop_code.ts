/**
 * A loop of the interpreter: records are fetched and executed, a branch table with a case per handler. Handlers it has no
 * case for are rare ones, which a function executes, or those of the other loop, to which it passes. Cold code that makes
 * hot code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import type { Case } from "./cases.ts";
import { getField, makeLocals, reload, save, saveContext } from "./context_code.ts";
import { type Calls, type Labels, type Locals, TreeEmitter } from "./emit.ts";
import { emitAddress, emitLookup } from "./entry.ts";
import { emitKernel, emitKernelMemory, emitSystem, type KernelLinks } from "./kernel_cases.ts";
import { FIRST_OF } from "./partition.ts";
import { FIRST_TREE, Handler, Rec, RECORD_BYTES } from "./record.ts";
import { emitRefresh } from "./refresh_code.ts";

/** What loops need besides the cases. */
export interface Others {
  /** See `ProgramImports`. */
  readonly find: number;
  /** See `ProgramImports`. */
  readonly call: number;
  /** See `ProgramImports`. */
  readonly crossing: number;
  /** See `ProgramImports`. */
  readonly segment: number;
  /** See `ProgramImports`. */
  readonly hook: number;
  /** See `ProgramImports`; absent without a translator. */
  readonly hot: number | undefined;
  /** Type of regions. */
  readonly region: number;
  /** Type and table of kernels. */
  readonly kernels: Pick<KernelLinks, "type" | "table">;
  /** Type and table of the functions of rare cases, which stand at the numbers of their cases; see rare_code.ts. */
  readonly rare: { readonly type: number; readonly table: number };
}

/** (record, or 0: look EIP up) -> 0, 1: a fault is recorded, or the record at which the other loop goes on. */
export function loopBody(
  state: number,
  calls: Calls,
  others: Others,
  cases: readonly Case[],
): FunctionBody {
  return new LoopCode(state, calls, others, cases).emit();
}

class LoopCode {
  readonly #f: FunctionBody = new FunctionBody(1);
  readonly #l: Locals = makeLocals(this.#f);
  readonly #state: number;
  readonly #calls: Calls;
  readonly #others: Others;
  readonly #own: readonly Case[];
  /** A region asked for the instruction at its entry to be interpreted. */
  readonly #skip: number = this.#f.local("i32");
  #labels: Labels = { next: 0, lookup: 0, fault: 0 };
  #dispatch = 0;

  constructor(state: number, calls: Calls, others: Others, cases: readonly Case[]) {
    this.#state = state;
    this.#calls = calls;
    this.#others = others;
    this.#own = cases;
  }

  emit(): FunctionBody {
    const f = this.#f, l = this.#l, state = this.#state, known = f.local("i32");
    reload(f, l, state);
    getField(f, state, Layout.eip);
    f.set(l.eip);
    f.get(l.rec);
    f.set(known);
    const fault = f.block();
    const leave = f.block();
    const lookup = f.loop();
    const found = f.block();
    f.get(known);
    f.brIf(found, "unlikely");
    emitLookup(f, l, state, this.#others.find, leave, () => reload(f, l, state));
    f.end(); // found
    f.i32(0);
    f.set(known);
    const next = f.loop();
    this.#tick();
    this.#dispatch = f.loop();
    this.#labels = { next, lookup, fault };
    this.#cases();
    f.end(); // dispatch
    f.end(); // next
    f.end(); // lookup
    f.end(); // leave: nothing was found at EIP; TypeScript has saved everything
    getField(f, state, Layout.exit);
    f.return();
    f.end(); // fault: recorded; registers are those before the instruction
    saveContext(f, l, state);
    f.i32(1);
    return f;
  }

  /** One tick an attempt; the count ends the slice at an instruction boundary. */
  #tick(): void {
    const f = this.#f, l = this.#l;
    f.get(l.count);
    f.i32(0);
    f.num("i32.le_s");
    f.if("unlikely");
    saveContext(f, l, this.#state);
    f.i32(0);
    f.return();
    f.end();
    f.get(l.count);
    f.i32(1);
    f.num("i32.sub");
    f.set(l.count);
  }

  #untick(): void {
    const f = this.#f, l = this.#l;
    f.get(l.count);
    f.i32(1);
    f.num("i32.add");
    f.set(l.count);
  }

  /** Goes on with the following record as part of the same instruction. */
  #step(): void {
    const f = this.#f, l = this.#l;
    f.get(l.rec);
    f.i32(RECORD_BYTES);
    f.num("i32.add");
    f.set(l.rec);
    f.br(this.#dispatch);
  }

  /** Looks up the EIP in the state block. */
  #look(): void {
    getField(this.#f, this.#state, Layout.eip);
    this.#f.set(this.#l.eip);
    this.#f.br(this.#labels.lookup);
  }

  #cases(): void {
    const f = this.#f, l = this.#l;
    const foreign = f.block(), rare = f.block();
    const blocks: number[] = [];
    for (let i = 0; i < FIRST_TREE + this.#own.length; i++) blocks.push(f.block());
    blocks.reverse();
    const table: number[] = new Array(FIRST_OF.rare).fill(foreign);
    for (let h = 0; h < FIRST_TREE; h++) table[h] = blocks[h];
    this.#own.forEach(({ handler }, i) => table[handler] = blocks[FIRST_TREE + i]);
    f.get(l.rec);
    f.mem("i32.load16_u", Rec.handler);
    f.brTable(table, rare);
    const e = new TreeEmitter(f, l, this.#calls, this.#labels, this.#state);
    this.#fixed(e, blocks[Handler.call]);
    for (const one of this.#own) {
      f.end();
      e.emit(one);
    }
    f.end(); // rare
    this.#callRare();
    f.end(); // foreign
    this.#untick();
    saveContext(f, l, this.#state);
    f.get(l.rec);
    f.return();
  }

  /** Calls something outside, which may change everything that is in locals; its answer is on the stack and in `t`. */
  #outside(call: () => void): void {
    const f = this.#f, l = this.#l;
    call();
    f.set(l.t);
    reload(f, l, this.#state);
    f.get(l.t);
  }

  #callRare(): void {
    const f = this.#f, l = this.#l;
    save(f, l, this.#state);
    f.get(l.rec);
    this.#outside(() => {
      f.get(l.rec);
      f.mem("i32.load16_u", Rec.handler);
      f.callIndirect(this.#others.rare.type, this.#others.rare.table);
    });
    f.i32(0);
    f.num("i32.gt_s");
    f.if("likely");
    f.get(l.t);
    f.set(l.rec);
    f.br(this.#labels.next);
    f.end();
    f.get(l.t);
    f.if("unlikely"); // a fault is recorded, and the state complete
    f.i32(1);
    f.return();
    f.end();
    this.#look();
  }

  /** The handlers that are not trees, in their order. */
  #fixed(e: TreeEmitter, slow: number): void {
    const f = this.#f, l = this.#l, state = this.#state;
    f.end(); // look EIP up; the tick was not used
    this.#untick();
    f.get(l.rec);
    f.mem("i32.load", Rec.offset);
    getField(f, state, Layout.codeBase);
    f.num("i32.add");
    f.set(l.eip);
    f.br(this.#labels.lookup);
    this.#kernels(e, slow);
    f.end(); // TypeScript
    this.#typescript();
    e.next();
    f.end(); // address
    emitAddress(f, l, state, this.#dispatch, () => {
      f.get(l.la);
      f.call(this.#others.segment);
      f.br(this.#labels.fault);
    });
    f.end(); // crossing
    this.#crossing();
    f.end(); // counter
    this.#counter();
    f.end(); // region
    this.#region();
    f.end(); // hook
    this.#hook();
    e.next();
    f.end(); // refresh
    emitRefresh(f, l);
    this.#step();
  }

  /** The cases of kernels. */
  #kernels(e: TreeEmitter, slow: number): void {
    const f = this.#f, l = this.#l, state = this.#state;
    const links: KernelLinks = { ...this.#others.kernels, slow, next: () => e.next() };
    f.end();
    emitKernel(f, l, state, links, false);
    f.end();
    emitKernelMemory(f, l, state, links, false);
    f.end();
    emitKernel(f, l, state, links, true);
    f.end();
    emitKernelMemory(f, l, state, links, true);
    f.end();
    emitAddress(f, l, state, this.#dispatch, () => {
      f.get(l.rec);
      f.i32(RECORD_BYTES);
      f.num("i32.add");
      f.set(l.rec);
      f.br(slow);
    });
    f.end();
    emitSystem(f, l, state, links, () => this.#look());
  }

  #typescript(): void {
    const f = this.#f, l = this.#l;
    saveContext(f, l, this.#state);
    f.get(l.rec);
    f.mem("i32.load", Rec.op);
    this.#outside(() => f.call(this.#others.call));
    f.if();
    f.get(l.t);
    f.i32(2);
    f.num("i32.eq");
    f.if("unlikely"); // the state is complete; a task switch that faults late has its own EIP in it
    f.i32(1);
    f.return();
    f.end();
    this.#look();
    f.end();
  }

  #crossing(): void {
    const f = this.#f, l = this.#l;
    saveContext(f, l, this.#state);
    f.get(l.rec);
    this.#outside(() => f.call(this.#others.crossing));
    f.if();
    f.get(l.t);
    f.i32(2);
    f.num("i32.eq");
    f.brIf(this.#labels.fault);
    this.#untick();
    this.#look();
    f.end();
    this.#step();
  }

  /** Counts down; at 0 TypeScript is told, which leaves another count or another handler. */
  #counter(): void {
    const f = this.#f, l = this.#l, { hot } = this.#others;
    if (hot === undefined) {
      f.unreachable();
      return;
    }
    f.get(l.rec);
    f.get(l.rec);
    f.mem("i32.load", Rec.op);
    f.i32(1);
    f.num("i32.sub");
    f.tee(l.t);
    f.mem("i32.store", Rec.op);
    f.get(l.t);
    f.num("i32.eqz");
    f.if("unlikely");
    f.get(l.rec);
    f.call(hot);
    f.br(this.#dispatch);
    f.end();
    this.#step();
  }

  #region(): void {
    const f = this.#f, l = this.#l, skip = this.#skip;
    if (this.#others.hot === undefined) {
      f.unreachable();
      return;
    }
    f.get(skip);
    f.if("unlikely");
    f.i32(0);
    f.set(skip);
    this.#step();
    f.end();
    this.#untick();
    saveContext(f, l, this.#state);
    f.get(l.rec);
    f.mem("i32.load", Rec.imm);
    f.get(l.rec);
    f.mem("i32.load", Rec.op);
    f.callIndirect(this.#others.region);
    f.tee(l.t);
    f.i32(1);
    f.num("i32.and");
    f.set(skip);
    f.get(l.t);
    f.i32(2);
    f.num("i32.eq");
    f.if("unlikely");
    f.i32(1);
    f.return();
    f.end();
    reload(f, l, this.#state);
    this.#look();
  }

  /** The tick belongs to the instruction. */
  #hook(): void {
    const f = this.#f, l = this.#l;
    this.#untick();
    saveContext(f, l, this.#state);
    f.get(l.rec);
    this.#outside(() => f.call(this.#others.hook));
    f.if("unlikely");
    getField(f, this.#state, Layout.eip);
    f.set(l.eip);
    f.get(l.t);
    f.i32(2);
    f.num("i32.eq");
    f.brIf(this.#labels.lookup);
    f.i32(0);
    f.return();
    f.end();
  }
}
