/**
 * Emits one region as a WebAssembly function (block number -> what the interpreter does next): prologue, blocks laid
 * out as nested loops, one shared exit for each way to leave. Cold code that makes hot code.
 */
import { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import { emitBoundary, emitBoundaryAfter } from "./boundary_code.ts";
import { type CallSite, emitCall } from "./call_code.ts";
import { type Block, Discovery } from "./discover.ts";
import { UNKNOWN } from "./flag_state.ts";
import {
  DEPTH,
  emitEip,
  emitLeft,
  emitParameter,
  emitUnwind,
  ExitCode,
  type ExitSite,
  LEFT_SHIFT,
  Result,
} from "./exit_code.ts";
import { FlagEmitter } from "./flag_code.ts";
import { emitTake, GuardCode } from "./guard_code.ts";
import { emitChoice, LayoutCode } from "./layout_code.ts";
import { type Instruction, isOnEdge, type KernelUse, Way } from "./instruction.ts";
import { KernelEmitter } from "./kernel_code.ts";
import type { JitSettings } from "./options.ts";
import type { Plan } from "./plan.ts";
import { RegisterEmitter } from "./registers.ts";
import { SavedState } from "./saved_state.ts";
import { SegmentCode } from "./segment_code.ts";
import { type Control, type Site, TreeCode } from "./tree_code.ts";
import { X87Region } from "./x87_region.ts";

/** What a region finds outside itself. */
export interface Outside extends Omit<Site, "base" | "segments">, ExitSite, CallSite {
  /** Imported kernels by number. */
  readonly kernels: ReadonlyMap<number, number>;
  /** Function (EIP of the page) -> number of the page behind it, or -1. */
  readonly second: number;
  /** What it must be, or -1. */
  readonly pfn: number;
  /** Function () -> (): tells of a boundary, if somebody wants to know. */
  readonly boundary: number | undefined;
  /** Functions that derive flags. */
  readonly derive: { readonly carry: number; readonly flags: number };
}

/** Deepest nesting of calls; the stack of the host bears several times as much. */
const DEEPEST = 200 * DEPTH;

/** Its local, reused as selector of loops with several entries. */
const SELECTOR = 0;

/** Emits one region. */
export function emitRegion(plan: Plan, outside: Outside, settings: JitSettings): FunctionBody {
  return new RegionEmitter(plan, outside, settings).emit();
}

class RegionEmitter implements Control {
  readonly #f: FunctionBody = new FunctionBody(1);
  readonly #plan: Plan;
  readonly #outside: Outside;
  readonly #settings: JitSettings;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #trees: TreeCode;
  readonly #kernels: KernelEmitter;
  readonly #base: number;
  readonly #count: number;
  readonly #depth: number;
  readonly #exitEip: number;
  readonly #exitLeft: number;
  readonly #exits: ExitCode;
  readonly #layout: LayoutCode;
  readonly #saved: SavedState;
  readonly #x87: X87Region;
  readonly #segments: SegmentCode;
  #leave = 0;
  #out = 0;
  #dirty = 0;
  #block: Block | undefined = undefined;

  constructor(plan: Plan, outside: Outside, settings: JitSettings) {
    const f = this.#f;
    this.#plan = plan;
    this.#outside = outside;
    this.#settings = settings;
    this.#base = f.local("i32");
    this.#count = f.local("i32");
    this.#depth = f.local("i32");
    this.#exitEip = f.local("i32");
    this.#exitLeft = f.local("i32");
    this.#registers = new RegisterEmitter(f, outside.state, settings.registersInLocals, plan.used, plan.written);
    this.#flags = new FlagEmitter(f, outside.state, settings.fuse, outside.derive);
    this.#kernels = new KernelEmitter(f, { ...outside, base: this.#base }, this.#registers, this.#flags);
    this.#x87 = new X87Region(f, { ...outside, base: this.#base }, plan.x87, this.#registers, this.#flags);
    this.#exits = new ExitCode(
      f,
      outside,
      { base: this.#base, depth: this.#depth, eip: this.#exitEip },
      settings.links ? plan.blocks[0].start : -1,
    );
    const kept = { count: this.#count, eip: this.#exitEip, all: !settings.dirtyRegisters };
    this.#saved = new SavedState(f, outside.state, this.#registers, this.#flags, kept);
    this.#layout = new LayoutCode(f, SELECTOR, (id) => this.#emitBlock(plan.blocks[id]));
    this.#segments = new SegmentCode(f, outside.state, plan.segments, this.#base);
    const site = { ...outside, base: this.#base, segments: this.#segments };
    this.#trees = new TreeCode(f, site, this.#registers, this.#flags, this);
  }

  emit(): FunctionBody {
    const f = this.#f;
    emitBoundary(f, this.#outside.boundary);
    this.#saved.get(Layout.codeBase);
    f.set(this.#base);
    emitParameter(f, SELECTOR, this.#depth);
    this.#segments.check(() => {
      f.i32(Result.interpret);
      f.return();
    }, true);
    this.#saved.load();
    this.#flags.settle(this.#plan.states[this.#plan.entries[0]]);
    this.#out = f.block();
    this.#leave = f.block();
    this.#x87.begin(this.#plan.entries);
    this.#layout.sequence(this.#plan.items, this.#plan.entries, this.#plan.entries.length > 1);
    this.#x87.end();
    f.end(); // leave: the interpreter executes the instruction at this offset
    emitLeft(f, { base: this.#base, count: this.#count, eip: this.#exitEip });
    this.#saved.store(-1);
    emitBoundary(f, this.#outside.boundary);
    f.i32(Result.interpret);
    f.return();
    f.end(); // out: where control rarely goes
    emitEip(f, this.#base, this.#exitEip);
    this.#saved.store(-1);
    this.#exits.go(-1);
    return f;
  }

  /** Leaves for the region or interpreter at `exitEip`, which is offset `target` of the page if that is known, or -1. */
  #exit(target: number): void {
    this.#x87.flush();
    this.#flags.settle(UNKNOWN);
    this.#saved.store(this.#dirty);
    this.#exits.go(target);
  }

  /** Returns to the region that called, which goes on at `exitEip` if it waits there. */
  #return(): void {
    const f = this.#f;
    this.#x87.flush();
    this.#flags.settle(UNKNOWN);
    this.#saved.store(this.#dirty);
    f.get(this.#depth);
    f.num("i32.eqz");
    f.if("unlikely");
    this.#exits.go(-1);
    f.end();
    emitBoundary(f, this.#outside.boundary);
    f.i32(0);
    f.return();
  }

  #emitBlock(block: Block): void {
    const f = this.#f, { checks } = this.#plan, length = block.instructions.length;
    this.#block = block;
    this.#flags.state = this.#plan.states[block.id];
    this.#dirty = this.#plan.dirty[block.id];
    this.#x87.block(block.id);
    const last = block.instructions.at(-1);
    if (last === undefined) return this.#leaveAt(block.start, 0);
    emitTake(f, this.#count, () => f.i32(length));
    if (checks.has(block.id)) this.#check(block);
    // What did not change in the block needs no choice where its ways out meet, which keeps V8's work small.
    const leave = this.#leave;
    if (this.#settings.blockExits) this.#leave = f.block();
    for (const i of block.instructions) if (i !== last || block.guarded === undefined) this.#instruction(i);
    if (block.guarded !== undefined) {
      this.#guarded(last, block.guarded);
      this.#pass(last.next + last.imm);
    } else if (!this.#plan.discovery.stops(last) && !Discovery.isCall(last)) this.#pass(last.next);
    if (!this.#settings.blockExits) return;
    f.end();
    this.#leave = leave;
    f.br(leave);
  }

  #instruction(i: Instruction): void {
    if (isOnEdge(i)) this.#segments.checkSecond(this.#outside, () => this.leave(i));
    if (i.way === Way.tree) {
      this.#dirty |= i.written();
      this.#trees.emit(i);
    } else if (i.way === Way.x87) {
      this.#x87.emit(i, () => this.leave(i));
      this.#dirty |= i.written();
    } else if (i.kernel === undefined) this.#call(i);
    else this.#kernel(i, i.kernel);
  }

  /** Leaves unless enough instructions are left; those of the block are taken from the count already. */
  #check(block: Block): void {
    const f = this.#f, { length } = block.instructions;
    f.get(this.#count);
    f.i32(this.#plan.checks.need(block.id) - length);
    f.num("i32.lt_s");
    f.if("unlikely");
    this.#leaveAt(block.start, length);
    f.end();
  }

  /** Executes instructions if the jump over them is not taken. */
  #guarded(jump: Instruction, { instructions }: Block): void {
    new GuardCode(this.#f, this.#registers, this.#flags, this.#count).emit(
      () => this.#trees.condition(jump),
      instructions,
      (i) => this.#trees.emit(i),
    );
    for (const i of instructions) this.#dirty |= i.written();
  }

  #kernel(i: Instruction, use: KernelUse): void {
    const before = this.#dirty;
    this.#x87.store();
    this.#flags.forget();
    this.#kernels.emit(i, use, () => {
      this.#call(i);
      this.#flags.forget();
    });
    this.#flags.state = UNKNOWN;
    this.#dirty = before;
  }

  /** Runs a TypeScript instruction, or its system kernel; it is the last of its block, so the count is exact. */
  #call(i: Instruction): void {
    const f = this.#f, t = this.#exitLeft;
    this.#x87.store();
    this.#flags.forget();
    this.#eip(i.offset);
    this.#saved.store(this.#dirty);
    emitCall(f, i, this.#outside, this.#registers, t);
    const next = (): void => this.#eipAt(i.next);
    emitBoundaryAfter(f, this.#outside, { answer: t, fault: Result.fault, next });
    if (i.way === Way.call) {
      f.get(t);
      f.if("unlikely");
    }
    emitUnwind(f, t);
    if (i.way !== Way.call) return;
    f.end();
    this.#reload(i);
  }

  /** Behind what may have changed anything: reads all anew. */
  #reload(i: Instruction): void {
    this.#saved.load();
    this.#dirty = 0;
    this.#segments.check(() => this.#leaveAt(i.next, 0), false);
  }

  #eip(offset: number): void {
    this.#eipAt(offset);
    this.#f.set(this.#exitEip);
  }

  /** EIP of an offset on the stack. */
  #eipAt(offset: number): void {
    const f = this.#f;
    f.get(this.#base);
    f.i32(offset);
    f.num("i32.add");
  }

  /** EIP of a target; a jump beyond the limit of CS is not done, a call was asked before it pushed anything. */
  #target(i: Instruction, offset: number): void {
    this.#eip(offset);
    this.#segments.beyond(i, offset, this.#exitEip, Discovery.isCall(i) ? undefined : (): void => this.leave(i));
  }

  /** Leaves at an offset of the page with `undone` instructions of the block not done. */
  #leaveAt(offset: number, undone: number): void {
    const f = this.#f;
    this.#flags.settle(UNKNOWN);
    f.i32(undone << LEFT_SHIFT | offset);
    f.set(this.#exitEip);
    f.br(this.#x87.leave(this.#leave));
  }

  /** Goes on at an offset of the page where control rarely goes. */
  #leaveCold(offset: number): void {
    const f = this.#f;
    this.#x87.flush();
    this.#flags.settle(UNKNOWN);
    f.i32(offset);
    f.set(this.#exitEip);
    f.br(this.#out);
  }

  /** See {@linkcode Control.leave}. */
  leave(i: Instruction): void {
    const all = this.#block?.instructions ?? [];
    this.#leaveAt(i.offset, all.length - all.indexOf(i));
  }

  /** See {@linkcode Control.spare}. A string instruction is a block by itself, which is checked. */
  spare(): void {
    const f = this.#f, block = this.#block, need = block === undefined ? 0 : this.#plan.checks.need(block.id);
    if (!this.#settings.bulk || need === 0 || block?.instructions.length !== 1) {
      f.i32(0);
      return;
    }
    f.get(this.#count);
    f.i32(need - 1);
    f.num("i32.sub");
  }

  /** See {@linkcode Control.spend}. */
  spend(local: number): void {
    emitTake(this.#f, this.#count, () => this.#f.get(local));
  }

  /** See {@linkcode Control.goto}. */
  goto(i: Instruction, offset: number): void {
    if (Discovery.isCall(i)) {
      this.#target(i, offset);
      if (this.#settings.calls) this.#callRegion(i, offset);
      else this.#exit(offset);
      return;
    }
    this.#pass(offset, i);
  }

  /** Passes control to an offset of the page; `i` is what leads there, if that is a jump. */
  #pass(offset: number, i?: Instruction): void {
    const { blocks, discovery } = this.#plan;
    const to = this.#block?.successors.map((s) => blocks[s]).find((b) => b.start === offset);
    if (to === undefined) {
      if (discovery.isCold(offset)) return this.#leaveCold(offset);
      if (i === undefined) this.#eip(offset);
      else this.#target(i, offset);
      this.#exit(offset);
      return;
    }
    if (to.start >= 0x1000 && (this.#block?.instructions.at(-1)?.offset ?? 0) < 0x1000) {
      this.#segments.checkSecond(this.#outside, () => this.#leaveAt(to.start, 0));
    }
    this.#flags.settle(this.#plan.states[to.id]);
    this.#x87.pass(to.id);
    this.#layout.goto(to.id);
  }

  /** See {@linkcode Control.jump}. */
  jump(i: Instruction, target: () => void): void {
    target();
    this.#f.set(this.#exitEip);
    if (this.#settings.calls && Discovery.isCall(i)) {
      this.#callRegion(i, -1);
      return;
    }
    if (i.targets.length > 0) {
      const f = this.#f;
      f.get(this.#exitEip);
      f.get(this.#base);
      f.num("i32.sub");
      f.set(this.#exitLeft);
      emitChoice(f, this.#exitLeft, i.targets, (offset) => this.#pass(offset));
    }
    if (this.#settings.calls && i.sem === "ret" && !i.isJump) this.#return();
    else this.#exit(-1);
  }

  /** Calls the region at `exitEip`; if it returns to behind the call, goes on there, else returns in turn. */
  #callRegion(i: Instruction, target: number): void {
    const f = this.#f, t = this.#exitLeft;
    this.#x87.store();
    this.#flags.forget();
    this.#saved.store(this.#dirty);
    f.get(this.#depth);
    f.i32(DEEPEST);
    f.num("i32.ge_u");
    f.if("unlikely");
    this.#exits.go(-1);
    f.end();
    this.#exits.call(target, t);
    f.get(t);
    this.#saved.get(Layout.eip);
    this.#eipAt(i.next);
    f.num("i32.xor");
    f.num("i32.or");
    f.if("unlikely");
    f.get(t);
    f.return();
    f.end();
    this.#reload(i);
    this.#pass(i.next);
  }
}
