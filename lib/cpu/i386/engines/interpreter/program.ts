/**
 * The modules of the interpreter. The main one has the loop for flat 32-bit code and what all share; the loop for all
 * other code and each rare case are modules of their own, which import from it (links.ts makes them when they are needed).
 *
 * A module is the same for every CPU of every machine with the same memory size and state address, so it is compiled once
 * and instantiated often. Cold.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../../wasm/module.ts";
import type { ValTypeName } from "../../../../wasm/opcodes.ts";
import { InternalError } from "../../../../core/errors.ts";
import { KERNEL_SIGNATURE } from "../../kernels/kernel.ts";
import { KERNEL_COUNT } from "../../kernels/module.ts";
import { RUN_SIGNATURE } from "../../kernels/string_runs.ts";
import { Layout } from "../../state.ts";
import { type Case, cases } from "./cases.ts";
import { saveContext } from "./context_code.ts";
import type { Calls } from "./emit.ts";
import { quickReadBody, quickStoreBody, quickWriteBody, regionWriteBody } from "./code_write.ts";
import { segmentBody } from "./entry.ts";
import { carryBody, flagsBody } from "./flags_code.ts";
import { loopBody, type Others } from "./loop_code.ts";
import { type ProgramSettings, settingsKey } from "./options.ts";
import { MOST_HANDLERS } from "./partition.ts";
import { rareBody } from "./rare_code.ts";

/** What the modules import from TypeScript. */
export interface ProgramImports {
  /** Reads slowly: host address of the value, or -1 with a fault recorded. */
  slowLoad(linear: number, size: number): number;
  /** Writes slowly: 0, or -1 with a fault recorded. */
  slowStore(linear: number, size: number, value: number): number;
  /** Checks for writing and reads: host address of the value, or -1. */
  slowPlace(linear: number, size: number): number;
  /** Writes the scratch cell of the last `slowPlace` back. */
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
  /** Fills the TLB for a write of translated code: host address, or -1: the interpreter has to do it. */
  fill(linear: number, size: number): number;
  /** Records the fault of a failed segment check; `segment` is the byte address of its cache. */
  badSegment(segment: number): void;
  /** Fires hooks before an instruction: 0 execute it, 1 leave, 2 look EIP up. */
  hook(record: number): number;
}

const I32: ValTypeName = "i32";

function signature(params: number, results: number): Signature {
  return { params: new Array<ValTypeName>(params).fill(I32), results: new Array<ValTypeName>(results).fill(I32) };
}

/** A compiled module and the runs of string instructions that it imports as `run` and their number. */
export interface Compiled {
  /** The module. */
  readonly module: WebAssembly.Module;
  /** Numbers of the runs. */
  readonly runs: readonly number[];
}

/** What the modules of a CPU are made for. */
export interface ProgramPlace {
  /** Pages of memory. */
  readonly pages: number;
  /** Address of the state block. */
  readonly state: number;
  /** Size of the table of regions; 0: there is no translator. */
  readonly regions: number;
  /** Switches. */
  readonly settings: ProgramSettings;
}

/** Element of the table of rare functions that is the other loop. */
export const OTHER_LOOP = 0;

/** Functions that the main module has and others import, by parameters; each has one result. */
const SHARED = { carry: 4, flags: 4, load: 8, store: 9, place: 8, segment: 4 } as const;

/** Functions in TypeScript, with parameters and results: see {@linkcode ProgramImports}. */
const TYPESCRIPT = {
  ...{ find: [0, 1], call: [1, 1], crossing: [1, 1], badSegment: [1, 0], hook: [1, 1], hot: [1, 0] },
  ...{ fill: [2, 1] },
  ...{ slowLoad: [2, 1], slowStore: [3, 1], slowPlace: [2, 1], commit: [0, 0], raise: [2, 0] },
} as const satisfies Record<keyof ProgramImports, readonly [number, number]>;

const compiled: Map<string, Compiled> = new Map();
const built: Map<string, Imports> = new Map();

/** A module under construction; what it needs from outside is imported when it is first asked for. */
class Imports implements Calls {
  readonly m: ModuleBuilder;
  readonly runs: number[] = [];
  readonly settings: ProgramSettings;
  readonly #functions: Map<string, number> = new Map();

  constructor(settings: ProgramSettings) {
    this.m = new ModuleBuilder(settings.branchHints);
    this.settings = settings;
  }

  get carry(): number {
    return this.shared("carry");
  }

  get flags(): number {
    return this.shared("flags");
  }

  get load(): number {
    return this.shared("load");
  }

  get store(): number {
    return this.shared("store");
  }

  get place(): number {
    return this.shared("place");
  }

  get segment(): number {
    return this.shared("segment");
  }

  get commit(): number {
    return this.typescript("commit");
  }

  get raise(): number {
    return this.typescript("raise");
  }

  shared(name: keyof typeof SHARED): number {
    return this.#import(name, signature(SHARED[name], 1));
  }

  typescript(name: keyof ProgramImports): number {
    return this.#import(name, signature(...TYPESCRIPT[name]));
  }

  run(n: number): number {
    if (!this.runs.includes(n)) this.runs.push(n);
    return this.#import(`run${n}`, RUN_SIGNATURE);
  }

  /** What loops need besides. The table of regions is the first one, as modules of regions have it. */
  others(regions: number): Others {
    const { m } = this;
    if (regions > 0) m.importTable("env", "regions", regions);
    return {
      find: this.typescript("find"),
      call: this.typescript("call"),
      crossing: this.typescript("crossing"),
      segment: this.typescript("badSegment"),
      hook: this.typescript("hook"),
      hot: regions > 0 ? this.typescript("hot") : undefined,
      region: m.typeOf(REGION),
      kernels: { type: m.typeOf(KERNEL_SIGNATURE), table: m.importTable("env", "kernels", KERNEL_COUNT) },
      rare: this.rare(),
    };
  }

  /** Type and table of rare functions and the other loop. */
  rare(): Others["rare"] {
    return { type: this.m.typeOf(signature(1, 1)), table: this.m.importTable("env", "rare", MOST_HANDLERS) };
  }

  #import(name: string, type: Signature): number {
    let index = this.#functions.get(name);
    if (index === undefined) this.#functions.set(name, index = this.m.importFunction("env", name, type));
    return index;
  }
}

/** The main module: exports `run`, the shared functions, and where there is a translator `write` for its code. */
export function mainModule(at: ProgramPlace): Compiled {
  return kept("main", at, () => buildMain(at), true);
}

/** The module of the other loop: exports `loop`. */
export function otherModule(at: ProgramPlace): Compiled {
  return kept("other", at, () => {
    const imports = new Imports(at.settings);
    const body = loopBody(at.state, imports, imports.others(at.regions), cases().other);
    imports.m.addFunction(signature(1, 1), body, "loop");
    return imports;
  }, true);
}

/** The module of a rare case: exports `loop`. */
export function rareModule(one: Case, at: ProgramPlace): Compiled {
  return kept(`${one.handler}`, { ...at, regions: 0 }, () => {
    const imports = new Imports(at.settings);
    imports.m.addFunction(signature(1, 1), rareBody(one, at.state, imports), "loop");
    return imports;
  }, false);
}

/** Compiles a module or finds it; `again`: its parts are kept, since for another memory size only the import differs. */
function kept(name: string, at: ProgramPlace, make: () => Imports, again: boolean): Compiled {
  const { pages, state, regions, settings } = at;
  const parts = `${name}:${state}:${regions}:${settingsKey(settings)}`, key = `${parts}:${pages}`;
  let one = compiled.get(key);
  if (one === undefined) {
    const imports = built.get(parts) ?? make();
    if (again) built.set(parts, imports);
    imports.m.importMemory("env", "memory", pages);
    compiled.set(key, one = { module: new WebAssembly.Module(imports.m.bytes()), runs: imports.runs });
  }
  return one;
}

function buildMain({ state, regions, settings }: ProgramPlace): Imports {
  const imports = new Imports(settings), { m } = imports;
  const others = imports.others(regions), { commit, raise } = imports;
  const [load, store, place] = (["slowLoad", "slowStore", "slowPlace"] as const).map((n) => imports.typescript(n));
  const fill = regions > 0 ? imports.typescript("fill") : undefined;
  const own = (name: keyof typeof SHARED, body: FunctionBody): number =>
    m.addFunction(signature(SHARED[name], 1), body, name);
  const quickRead = m.addFunction(signature(2, 1), quickReadBody(state));
  const quickWrite = m.addFunction(signature(2, 1), quickWriteBody(state));
  const quickStore = m.addFunction(signature(3, 1), quickStoreBody(quickWrite));
  if (fill !== undefined) m.addFunction(signature(2, 1), regionWriteBody(quickWrite, fill), "write");
  const calls: Calls = {
    carry: own("carry", carryBody()),
    flags: own("flags", flagsBody()),
    load: own("load", slowBody(2, load, state, quickRead)),
    store: own("store", slowBody(3, store, state, quickStore)),
    place: own("place", slowBody(2, place, state, quickWrite)),
    segment: own("segment", segmentBody(state, others.segment)),
    run: () => {
      throw new InternalError("A string instruction is a case of the main loop");
    },
    ...{ commit, raise, settings },
  };
  const loop = m.addFunction(signature(1, 1), loopBody(state, calls, others, cases().flat));
  m.addFunction(signature(0, 1), runBody(loop, others.rare), "run");
  return imports;
}

/**
 * The first `n` parameters go to function `quick`; where that answers something negative, or not 0 for a store, record,
 * count and flags (the last six parameters) are saved and TypeScript is called.
 */
function slowBody(n: number, target: number, state: number, quick: number): FunctionBody {
  const f = new FunctionBody(n + 6), answer = f.local("i32");
  for (let i = 0; i < n; i++) f.get(i);
  f.call(quick);
  f.tee(answer);
  f.i32(0);
  f.num(n === 3 ? "i32.eq" : "i32.ge_s");
  f.if("likely");
  f.i32(0);
  f.get(n + 1);
  f.mem("i32.store", state + Layout.count); // it is read back
  f.get(answer);
  f.return();
  f.end();
  saveContext(f, { rec: n, count: n + 1, kind: n + 2, a: n + 3, b: n + 4, c: n + 5 }, state);
  for (let i = 0; i < n; i++) f.get(i);
  f.call(target);
  return f;
}

/** The exported function: the loops in turn, until one answers 0, or 1: a fault is recorded. */
function runBody(flat: number, other: Others["rare"]): FunctionBody {
  const f = new FunctionBody(0), t = f.local("i32");
  const again = f.loop();
  const leaveIfDone = (): void => {
    f.tee(t);
    f.i32(2);
    f.num("i32.lt_u");
    f.if("likely");
    f.get(t);
    f.return();
    f.end();
  };
  f.get(t);
  f.call(flat);
  leaveIfDone();
  f.get(t);
  f.i32(OTHER_LOOP);
  f.callIndirect(other.type, other.table);
  leaveIfDone();
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
