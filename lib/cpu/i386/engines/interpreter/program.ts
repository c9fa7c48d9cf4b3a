/**
 * Builds the interpreter: one WebAssembly function, a loop around a branch table with a case per distinct tree.
 *
 * The module is the same for every CPU of every machine with the same memory size and state address, so it is compiled
 * once and instantiated often. Cold.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../../wasm/module.ts";
import type { ValTypeName } from "../../../../wasm/opcodes.ts";
import { Layout } from "../../state.ts";
import { cases } from "./cases.ts";
import { type Calls, type Labels, type Locals, TreeEmitter } from "./emit.ts";
import { emitAddress, emitLookup, segmentBody } from "./entry.ts";
import { KERNELS } from "../../kernels/index.ts";
import { KERNEL_SIGNATURE } from "../../kernels/module.ts";
import { RUN_SIGNATURE, RUNS } from "../../kernels/string_runs.ts";
import { carryBody, flagsBody } from "./flags_code.ts";
import { emitKernel, emitKernelMemory, type KernelLinks } from "./kernel_cases.ts";
import { FIRST_TREE, Handler, Rec, RECORD_BYTES } from "./record.ts";

/** What the module imports from TypeScript. */
export interface ProgramImports {
  /** Reads slowly: host address of the value, or -1 with a fault recorded. */
  load(linear: number, size: number): number;
  /** Writes slowly: 0, or -1 with a fault recorded. */
  store(linear: number, size: number, value: number): number;
  /** Checks for writing and reads: host address of the value, or -1. */
  place(linear: number, size: number): number;
  /** Writes the scratch cell of the last `place` back. */
  commit(): void;
  /** Records a fault. */
  raise(vector: number, code: number): void;
  /** Record at `Layout.eip`, or 0: leave, with 1 in `Layout.exit` if a fault is recorded. */
  find(): number;
  /** Runs TypeScript instruction `index`: 0 go on with the following record, 1 look EIP up, 2 fault. */
  call(index: number): number;
  /** Checks the second page of the instruction of `record`: as `call`. */
  crossing(record: number): number;
  /** The block of counter `record` was executed often: it may be translated. */
  hot(record: number): void;
  /** Records the fault of a failed segment check; `segment` is the byte address of its cache. */
  segment(segment: number): void;
  /** Fires hooks before an instruction: 0 execute it, 1 leave. */
  hook(record: number): number;
}

const I32: ValTypeName = "i32";
const compiled: Map<string, WebAssembly.Module> = new Map();
const built: Map<string, ModuleBuilder> = new Map();

/** The compiled module for a memory size, state address and size of the table of regions (0: no translator). */
export function program(memoryPages: number, state: number, regions: number = 0): WebAssembly.Module {
  const key = `${memoryPages}:${state}:${regions}`;
  const known = compiled.get(key);
  if (known !== undefined) return known;
  const module = new WebAssembly.Module(buildProgram(memoryPages, state, regions));
  compiled.set(key, module);
  return module;
}

function params(n: number): ValTypeName[] {
  return new Array<ValTypeName>(n).fill(I32);
}

/** Bytes of the module; for another memory size only the import differs. */
export function buildProgram(memoryPages: number, state: number, regions: number = 0): Uint8Array<ArrayBuffer> {
  const key = `${state}:${regions}`;
  let m = built.get(key);
  if (m === undefined) built.set(key, m = build(state, regions));
  m.importMemory("env", "memory", memoryPages);
  return m.bytes();
}

function build(state: number, regions: number): ModuleBuilder {
  const m = new ModuleBuilder();
  const imported = (name: string, n: number, results: number): number =>
    m.importFunction("env", name, { params: params(n), results: params(results) });
  const load = imported("load", 2, 1), store = imported("store", 3, 1), place = imported("place", 2, 1);
  const commit = imported("commit", 0, 0), raise = imported("raise", 2, 0), find = imported("find", 0, 1);
  const call = imported("call", 1, 1), crossing = imported("crossing", 1, 1), segment = imported("segment", 1, 0);
  const hook = imported("hook", 1, 1);
  const hot = regions > 0 ? imported("hot", 1, 0) : undefined;
  if (regions > 0) m.importTable("env", "regions", regions);
  const kernels = { type: m.typeOf(KERNEL_SIGNATURE), table: m.importTable("env", "kernels", KERNELS.length) };
  const runs = RUNS.map((_, n) => m.importFunction("env", `run${n}`, RUN_SIGNATURE));
  const own = (n: number, body: FunctionBody, name?: string): number =>
    m.addFunction({ params: params(n), results: [I32] }, body, name);
  const calls: Calls = {
    carry: own(4, carryBody()),
    flags: own(4, flagsBody()),
    load: own(8, slowBody(2, load, state)),
    store: own(9, slowBody(3, store, state)),
    place: own(8, slowBody(2, place, state)),
    segment: own(4, segmentBody(state, segment)),
    runs,
    commit,
    raise,
  };
  own(0, runBody(state, calls, { find, call, crossing, segment, hook, hot, region: m.typeOf(REGION), kernels }), "run");
  return m;
}

/** Saves record, count and flags (the last six parameters), then calls TypeScript with the first `n`. */
function slowBody(n: number, target: number, state: number): FunctionBody {
  const f = new FunctionBody(n + 6);
  saveContext(f, state, n, n + 1, n + 2);
  for (let i = 0; i < n; i++) f.get(i);
  f.call(target);
  return f;
}

/** State block := EIP of record, count, flags; `flags` is the first of four consecutive locals. */
function saveContext(f: FunctionBody, state: number, rec: number, count: number, flags: number): void {
  const put = (at: number, value: () => void): void => {
    f.i32(0);
    value();
    f.mem("i32.store", state + at);
  };
  put(Layout.eip, () => {
    f.get(rec);
    f.mem("i32.load", Rec.offset);
    f.i32(0);
    f.mem("i32.load", state + Layout.codeBase);
    f.num("i32.add");
  });
  put(Layout.count, () => f.get(count));
  put(Layout.flagsKind, () => f.get(flags));
  put(Layout.flagsA, () => f.get(flags + 1));
  put(Layout.flagsB, () => f.get(flags + 2));
  put(Layout.flagsC, () => f.get(flags + 3));
}

/**
 * Type of a region: entry -> 0 look EIP up, 1 interpret the instruction at EIP first, 2 a fault is recorded, 4 look EIP
 * up where no region waits for a return.
 */
export const REGION: Signature = { params: [I32], results: [I32] };

interface Others {
  readonly find: number;
  readonly call: number;
  readonly crossing: number;
  readonly segment: number;
  readonly hook: number;
  readonly hot: number | undefined;
  readonly region: number;
  readonly kernels: Pick<KernelLinks, "type" | "table">;
}

/** The interpreter itself; returns 1 if a fault is recorded. */
function runBody(state: number, calls: Calls, others: Others): FunctionBody {
  const f = new FunctionBody(0);
  const local = (): number => f.local("i32");
  const l: Locals = {
    rec: local(),
    count: local(),
    kind: local(),
    a: local(),
    b: local(),
    c: local(),
    eip: local(),
    from: local(),
    place: local(),
    la: local(),
    t: local(),
  }; // deno-fmt-ignore
  const skip = local();
  const get = (at: number): void => {
    f.i32(0);
    f.mem("i32.load", state + at);
  };
  const reload = (): void => {
    for (
      const [at, to] of [[Layout.count, l.count], [Layout.flagsKind, l.kind], [Layout.flagsA, l.a], [
        Layout.flagsB,
        l.b,
      ], [Layout.flagsC, l.c]]
    ) {
      get(at);
      f.set(to);
    }
  };
  reload();
  get(Layout.eip);
  f.set(l.eip);
  const fault = f.block();
  const leave = f.block();
  const lookup = f.loop();
  emitLookup(f, l, state, others.find, leave, reload);
  const next = f.loop();
  // One tick an attempt; the count ends the slice at an instruction boundary.
  f.get(l.count);
  f.i32(0);
  f.num("i32.le_s");
  f.if("unlikely");
  saveContext(f, state, l.rec, l.count, l.kind);
  f.i32(0);
  f.return();
  f.end();
  f.get(l.count);
  f.i32(1);
  f.num("i32.sub");
  f.set(l.count);
  const dispatch = f.loop();
  const all = cases().trees;
  const blocks: number[] = [];
  for (let i = 0; i < FIRST_TREE + all.length; i++) blocks.push(f.block());
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.handler);
  const labels = blocks.slice().reverse();
  f.brTable(labels, labels[0]);
  const labelsOut: Labels = { next, lookup, fault };
  const e = new TreeEmitter(f, l, calls, labelsOut, state);
  f.end(); // look EIP up; the tick was not used
  untick(f, l);
  f.get(l.rec);
  f.mem("i32.load", Rec.offset);
  get(Layout.codeBase);
  f.num("i32.add");
  f.set(l.eip);
  f.br(lookup);
  emitKernels(f, l, state, dispatch, { ...others.kernels, slow: labels[Handler.call], next: () => e.next() });
  f.end(); // TypeScript
  saveContext(f, state, l.rec, l.count, l.kind);
  f.get(l.rec);
  f.mem("i32.load", Rec.op);
  f.call(others.call);
  f.set(l.t);
  reload();
  f.get(l.t);
  f.if();
  f.get(l.t);
  f.i32(2);
  f.num("i32.eq");
  f.if("unlikely"); // the state is complete; a task switch that faults late has its own EIP in it
  f.i32(1);
  f.return();
  f.end();
  get(Layout.eip);
  f.set(l.eip);
  f.br(lookup);
  f.end();
  e.next();
  f.end(); // address
  emitAddress(f, l, state, dispatch, () => {
    f.get(l.la);
    f.call(others.segment);
    f.br(fault);
  });
  f.end(); // crossing
  saveContext(f, state, l.rec, l.count, l.kind);
  f.get(l.rec);
  f.call(others.crossing);
  f.set(l.t);
  reload();
  f.get(l.t);
  f.if();
  f.get(l.t);
  f.i32(2);
  f.num("i32.eq");
  f.brIf(fault);
  untick(f, l);
  get(Layout.eip);
  f.set(l.eip);
  f.br(lookup);
  f.end();
  step(f, l, dispatch);
  f.end(); // counter
  if (others.hot === undefined) f.unreachable();
  else emitCounter(f, l, others.hot, dispatch);
  f.end(); // region
  if (others.hot === undefined) f.unreachable();
  else {
    f.get(skip);
    f.if("unlikely");
    f.i32(0);
    f.set(skip);
    step(f, l, dispatch);
    f.end();
    untick(f, l);
    saveContext(f, state, l.rec, l.count, l.kind);
    f.get(l.rec);
    f.mem("i32.load", Rec.imm);
    f.get(l.rec);
    f.mem("i32.load", Rec.op);
    f.callIndirect(others.region);
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
    reload();
    get(Layout.eip);
    f.set(l.eip);
    f.br(lookup);
  }
  f.end(); // handler 11: hook; the tick belongs to the instruction
  untick(f, l);
  saveContext(f, state, l.rec, l.count, l.kind);
  f.get(l.rec);
  f.call(others.hook);
  f.set(l.t);
  reload();
  f.get(l.t);
  f.if("unlikely");
  f.i32(0);
  f.return();
  f.end();
  e.next();
  for (const one of all) {
    f.end();
    e.emit(one);
  }
  f.end(); // dispatch
  f.end(); // next
  f.end(); // lookup
  f.end(); // leave: nothing was found at EIP; TypeScript has saved everything
  get(Layout.exit);
  f.return();
  f.end(); // fault: recorded; registers are those before the instruction
  saveContext(f, state, l.rec, l.count, l.kind);
  f.i32(1);
  return f;
}

/** The cases of kernels, in the order of their handlers. */
function emitKernels(f: FunctionBody, l: Locals, state: number, dispatch: number, links: KernelLinks): void {
  f.end();
  emitKernel(f, l, state, links, false);
  f.end();
  emitKernelMemory(f, l, state, links, false);
  f.end();
  emitKernel(f, l, state, links, true);
  f.end();
  emitKernelMemory(f, l, state, links, true);
  f.end();
  emitAddress(f, l, state, dispatch, () => {
    f.get(l.rec);
    f.i32(RECORD_BYTES);
    f.num("i32.add");
    f.set(l.rec);
    f.br(links.slow);
  });
}

/** Goes on with the following record as part of the same instruction. */
function step(f: FunctionBody, l: Locals, dispatch: number): void {
  f.get(l.rec);
  f.i32(RECORD_BYTES);
  f.num("i32.add");
  f.set(l.rec);
  f.br(dispatch);
}

/** Counts down; at 0 TypeScript is told, which leaves another count or another handler. */
function emitCounter(f: FunctionBody, l: Locals, hot: number, dispatch: number): void {
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
  f.br(dispatch);
  f.end();
  step(f, l, dispatch);
}

function untick(f: FunctionBody, l: Locals): void {
  f.get(l.count);
  f.i32(1);
  f.num("i32.add");
  f.set(l.count);
}
