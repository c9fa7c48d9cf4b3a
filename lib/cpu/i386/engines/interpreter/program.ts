/**
 * Builds the interpreter: loops around branch tables with a case per distinct tree, and functions for rare cases.
 *
 * The module is the same for every CPU of every machine with the same memory size and state address, so it is compiled
 * once and instantiated often. Cold.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../../wasm/module.ts";
import type { ValTypeName } from "../../../../wasm/opcodes.ts";
import { KERNELS } from "../../kernels/index.ts";
import { KERNEL_SIGNATURE } from "../../kernels/module.ts";
import { RUN_SIGNATURE, RUNS } from "../../kernels/string_runs.ts";
import { saveContext } from "./context_code.ts";
import type { Calls } from "./emit.ts";
import { segmentBody } from "./entry.ts";
import { carryBody, flagsBody } from "./flags_code.ts";
import { loopBody, type Others } from "./loop_code.ts";
import { partition } from "./partition.ts";
import { rareBodies, rareDispatch } from "./rare_code.ts";

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
  /** Fires hooks before an instruction: 0 execute it, 1 leave, 2 look EIP up. */
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
  const { flat, other, rare } = partition();
  const functions = rareBodies(rare, state, calls).map(({ handlers, body }) => ({ handlers, index: own(1, body) }));
  const others: Others = {
    ...{ find, call, crossing, segment, hook, hot, kernels },
    region: m.typeOf(REGION),
    rare: own(1, rareDispatch(functions)),
  };
  const loops = [flat, other].map((set) => own(1, loopBody(state, calls, others, set, rare)));
  own(0, runBody(loops[0], loops[1]), "run");
  return m;
}

/** Saves record, count and flags (the last six parameters), then calls TypeScript with the first `n`. */
function slowBody(n: number, target: number, state: number): FunctionBody {
  const f = new FunctionBody(n + 6);
  saveContext(f, { rec: n, count: n + 1, kind: n + 2, a: n + 3, b: n + 4, c: n + 5 }, state);
  for (let i = 0; i < n; i++) f.get(i);
  f.call(target);
  return f;
}

/** The exported function: the loops in turn, until one answers 0, or 1: a fault is recorded. */
function runBody(flat: number, other: number): FunctionBody {
  const f = new FunctionBody(0), t = f.local("i32");
  const again = f.loop();
  for (const loop of [flat, other]) {
    f.get(t);
    f.call(loop);
    f.tee(t);
    f.i32(2);
    f.num("i32.lt_u");
    f.if("likely");
    f.get(t);
    f.return();
    f.end();
  }
  f.br(again);
  f.end();
  f.unreachable();
  return f;
}

/**
 * Type of a region: entry -> 0 look EIP up, 1 interpret the instruction at EIP first, 2 a fault is recorded, 4 look EIP
 * up where no region waits for a return.
 */
export const REGION: Signature = { params: [I32], results: [I32] };
