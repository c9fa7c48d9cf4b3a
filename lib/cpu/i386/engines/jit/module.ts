/**
 * Puts regions into WebAssembly modules: imports, the functions all regions of a module share, elements of the table.
 * Warm.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../../wasm/module.ts";
import { Flag } from "../../../../spec/i386_regs.ts";
import { Layout } from "../../state.ts";
import { emitJumpEntry } from "../interpreter/jump_entry.ts";
import { carryBody, flagsBody } from "../interpreter/flags_code.ts";
import { RUN_SIGNATURE } from "../../kernels/string_runs.ts";
import { KERNEL_SIGNATURE } from "../../kernels/kernel.ts";
import { kernelSize } from "../../kernels/module.ts";
import { REGION } from "../interpreter/program.ts";
import { Handler, Rec } from "../interpreter/record.ts";
import { emitBoundary } from "./boundary_code.ts";
import type { JitSettings } from "./options.ts";
import type { Plan } from "./plan.ts";
import { emitRegion } from "./region.ts";

/** Second pages remembered. */
export const SECONDS = 1024;
/** Bytes they take. */
export const SECONDS_BYTES: number = SECONDS * 8;

/** Addresses a module is made for. */
export interface Target {
  /** Memory in 64 KiB pages. */
  readonly pages: number;
  /** Size of the table of regions. */
  readonly tableSize: number;
  /** Address of the state block. */
  readonly state: number;
  /** Byte address of the TLB table for reads. */
  readonly readTable: number;
  /** Byte address of the TLB table for writes. */
  readonly writeTable: number;
  /** Code at CPL 3. */
  readonly user: boolean;
  /** Byte address of the second pages, pairs (linear page * 2 + user + 1, physical page) of {@linkcode SECONDS}. */
  readonly seconds: number;
  /** Byte address of the jump cache. */
  readonly jumpCache: number;
}

/** Kernels of at most so many bytes are always emitted in place. */
const SMALL_BYTES = 600;
/** Larger ones, but not the transcendental ones, if a region has no more than so many bytes of them. */
const LARGE_BYTES = 1500, REGION_BYTES = 12_000;

/** Numbers of the kernels that a plan calls; a module imports kernel n as `kn`. The others are emitted in place. */
export function kernelsOf(plan: Plan, inline: boolean): Set<number> {
  const numbers = new Set<number>();
  const sizes: [number, number][] = [];
  for (const b of plan.blocks) {
    for (const { kernel, x87 } of b.instructions) {
      if (kernel !== undefined && x87 === undefined) sizes.push([kernel.number, kernelSize(kernel.number)]);
    }
  }
  const large = sizes.filter(([, size]) => size > SMALL_BYTES && size <= LARGE_BYTES);
  const isCrowded = large.reduce((sum, [, size]) => sum + size, 0) > REGION_BYTES;
  for (const [n, size] of sizes) if (!inline || size > (isCrowded ? SMALL_BYTES : LARGE_BYTES)) numbers.add(n);
  return numbers;
}

/** Numbers of the system kernels that a plan calls; a module imports kernel n as `sn`. */
export function systemKernelsOf(plan: Plan): Set<number> {
  const all = plan.blocks.flatMap((b) => b.instructions);
  return new Set(all.flatMap(({ system }) => system === undefined ? [] : [system.number]));
}

/** Numbers of the runs of string instructions that a plan calls; a module imports run n as `runn`. */
export function runsOf(plan: Plan): Set<number> {
  const numbers = new Set<number>();
  for (const b of plan.blocks) for (const { effects } of b.instructions) effects?.runs.forEach((n) => numbers.add(n));
  return numbers;
}

/** What a module imports from TypeScript as `env`. */
export interface RegionImports {
  /** Fills the TLB for a read: host address, or -1 if the interpreter has to do it. */
  read(linear: number, size: number): number;
  /** The same for a write. */
  write(linear: number, size: number): number;
  /** Number of the page at a linear address if instructions were fetched from it, else -1. */
  second(linear: number): number;
  /** Runs TypeScript instruction `index`: 0 go on, 1 look EIP up, 2 a fault is recorded. */
  call(index: number): number;
  /** See `JitOptions.boundary`; imported if it is there. */
  boundary?(): void;
}

/** A region of a module. */
export interface RegionToBuild {
  /** What it is. */
  readonly plan: Plan;
  /** Its slot in the table. */
  readonly slot: number;
  /** Number of its second page, or -1. */
  readonly second: number;
  /** The record at which code at an offset of its first page is entered, or 0. */
  record(offset: number): number;
}

/** Bytes of a module with the given regions; each goes to its slot of the table. */
export function buildModule(
  target: Target,
  regions: readonly RegionToBuild[],
  settings: JitSettings,
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder(settings.branchHints);
  m.importMemory("env", "memory", target.pages);
  const read = m.importFunction("env", "read", { params: ["i32", "i32"], results: ["i32"] });
  const write = m.importFunction("env", "write", { params: ["i32", "i32"], results: ["i32"] });
  const call = m.importFunction("env", "call", { params: ["i32"], results: ["i32"] });
  const look = m.importFunction("env", "second", { params: ["i32"], results: ["i32"] });
  const boundary = settings.boundary === undefined
    ? undefined
    : m.importFunction("env", "boundary", { params: [], results: [] });
  const kernels = new Map<number, number>(), runs = new Map<number, number>(), system = new Map<number, number>();
  for (const { plan } of regions) {
    for (const n of runsOf(plan)) {
      if (!runs.has(n)) runs.set(n, m.importFunction("env", `run${n}`, RUN_SIGNATURE));
    }
    for (const n of kernelsOf(plan, settings.inlineKernels)) {
      if (!kernels.has(n)) kernels.set(n, m.importFunction("env", `k${n}`, KERNEL_SIGNATURE));
    }
    for (const n of systemKernelsOf(plan)) {
      if (!system.has(n)) system.set(n, m.importFunction("env", `s${n}`, KERNEL_SIGNATURE));
    }
  }
  m.importTable("env", "regions", target.tableSize);
  const four = { params: ["i32", "i32", "i32", "i32"], results: ["i32"] } as const;
  const derive = { carry: m.addFunction(four, carryBody()), flags: m.addFunction(four, flagsBody()) };
  const link = m.addFunction(
    LINK,
    settings.links ? linkBody(target, m.typeOf(REGION), boundary) : noLinkBody(boundary),
  );
  const slow = {
    read: m.addFunction(SLOW, slowBody(target, target.readTable, read)),
    write: m.addFunction(SLOW, slowBody(target, target.writeTable, write)),
  };
  const second = m.addFunction(REGION, secondBody(target, look));
  const { probes, shortcuts } = settings;
  const outside = { ...target, slow, call, link, derive, kernels, system, runs, boundary, probes, shortcuts };
  regions.forEach(({ plan, slot, second: pfn, record }, i) => {
    const one = { ...outside, second, pfn, record, type: m.typeOf(REGION), self: second + 1 + i };
    m.addElement(slot, m.addFunction(REGION, emitRegion(plan, one, settings)));
  });
  return m.bytes();
}

/** (linear, bytes) -> host address, or -1: the interpreter has to do it. */
const SLOW: Signature = { params: ["i32", "i32"], results: ["i32"] };

/** What is not aligned but lies in one page is found here, the rest by TypeScript. */
function slowBody(target: Target, table: number, other: number): FunctionBody {
  const f = new FunctionBody(2), linear = 0, bytes = 1, t = f.local("i32");
  f.get(linear);
  f.i32(12);
  f.num("i32.shr_u");
  f.i32(2);
  f.num("i32.shl");
  f.mem("i32.load", table);
  f.get(linear);
  f.num("i32.xor");
  f.tee(t);
  f.i32(0x80000fff | 0);
  f.num("i32.and");
  f.i32(0x1000);
  f.get(bytes);
  f.num("i32.sub");
  f.num("i32.le_u");
  if (target.user) { // unless alignment is checked: CR0.AM and EFLAGS.AC are the same bit
    for (const at of [Layout.eflags, Layout.cr0]) {
      f.i32(0);
      f.mem("i32.load", target.state + at);
    }
    f.num("i32.and");
    f.i32(Flag.ac);
    f.num("i32.and");
    f.num("i32.eqz");
    f.num("i32.and");
  }
  f.if();
  f.get(t);
  f.return();
  f.end();
  f.get(linear);
  f.get(bytes);
  f.call(other);
  return f;
}

/** (EIP of the region's page) -> number of the page behind it if instructions were fetched from there, else -1. */
function secondBody(target: Target, other: number): FunctionBody {
  const f = new FunctionBody(1), base = 0, page = f.local("i32"), t = f.local("i32");
  f.get(base);
  f.i32(0x1000);
  f.num("i32.add");
  f.i32(12);
  f.num("i32.shr_u");
  f.tee(page);
  f.i32(SECONDS - 1);
  f.num("i32.and");
  f.i32(3);
  f.num("i32.shl");
  f.tee(t);
  f.mem("i32.load", target.seconds);
  f.get(page);
  f.i32(1);
  f.num("i32.shl");
  f.i32(target.user ? 2 : 1);
  f.num("i32.add");
  f.num("i32.eq");
  f.if("likely");
  f.get(t);
  f.mem("i32.load", target.seconds + 4);
  f.return();
  f.end();
  f.get(base);
  f.i32(0x1000);
  f.num("i32.add");
  f.call(other);
  return f;
}

/** (eip, depth of calls) -> as a region. */
const LINK: Signature = { params: ["i32", "i32"], results: ["i32"] };

function noLinkBody(boundary: number | undefined): FunctionBody {
  const f = new FunctionBody(2);
  emitBoundary(f, boundary);
  f.i32(0);
  return f;
}

/** (eip, depth) -> as a region: enters the region at EIP if the jump cache knows one, else the interpreter looks it up. */
function linkBody(target: Target, region: number, boundary: number | undefined): FunctionBody {
  const f = new FunctionBody(2), eip = 0, depth = 1, t = f.local("i32");
  emitJumpEntry(f, eip, t, target.jumpCache, () => {});
  f.get(t);
  f.mem("i32.load", target.jumpCache);
  f.get(eip);
  f.num("i32.eq");
  f.if("likely");
  f.get(t);
  f.mem("i32.load", target.jumpCache + 4);
  f.tee(t);
  f.mem("i32.load16_u", Rec.handler);
  f.i32(Handler.region);
  f.num("i32.eq");
  f.if("likely");
  f.i32(0);
  f.get(eip);
  f.get(t);
  f.mem("i32.load", Rec.offset);
  f.num("i32.sub");
  f.mem("i32.store", target.state + Layout.codeBase);
  f.get(t);
  f.mem("i32.load", Rec.imm);
  f.get(depth);
  f.num("i32.or");
  f.get(t);
  f.mem("i32.load", Rec.op);
  f.returnCallIndirect(region);
  f.end();
  f.end();
  emitBoundary(f, boundary);
  f.i32(0);
  return f;
}
