/**
 * Everything about a region that is known before it is emitted: layout, where the count is checked and how much must be
 * left there, which flags are seen, what is known of the flags at each block, which registers are used.
 *
 * The count is checked at entries, loop heads and behind TypeScript instructions: at least as many instructions must be
 * left as the longest way to the next check has, else the interpreter goes on; so slices end at the same instruction.
 * Warm.
 */
import type { Stmt } from "../../tree.ts";
import { type Block, Discovery } from "./discover.ts";
import { type FlagState, IN_MEMORY, sameState, stateAfter, UNKNOWN } from "./flag_state.ts";
import { findGroups } from "./groups.ts";
import { type Instruction, Way } from "./instruction.ts";
import type { JitSettings } from "./options.ts";
import { type Item, layOut } from "./structure.ts";
import { X87_FLAGS } from "./x87_emit.ts";
import { planX87, type X87Plan } from "./x87_plan.ts";

/** A region ready to be emitted. */
export interface Plan {
  /** Blocks by number. */
  readonly blocks: readonly Block[];
  /** Finds blocks by offset. */
  readonly discovery: Discovery;
  /** Order of emission. */
  readonly items: readonly Item[];
  /** Numbers of the blocks that may be entered from outside. */
  readonly entries: readonly number[];
  /** Instructions that must be left at a checked block, by number; 0: not checked. */
  readonly needs: readonly number[];
  /** Knowledge about the flags at the start of a block. */
  readonly states: readonly FlagState[];
  /** Registers that may differ from the state block at the start of a block, as a mask. */
  readonly dirty: readonly number[];
  /** Registers used, as a mask. */
  readonly used: number;
  /** Registers written. */
  readonly written: number;
  /** The x87 stack; undefined: no instruction of it is done in place. */
  readonly x87: X87Plan | undefined;
}

/** Makes the plan. */
export function makePlan(discovery: Discovery, settings: JitSettings): Plan {
  const { blocks } = discovery;
  const entries = blocks.filter((b) => b.isEntry).map((b) => b.id);
  const items = layOut(blocks.map((b) => b.successors), entries);
  const checked = checks(blocks, items, entries);
  let used = 0, written = 0;
  for (const b of blocks) {
    for (const i of b.instructions) {
      used |= i.registers();
      written |= i.written();
    }
  }
  if (settings.deadFlags) markLiveFlags(blocks, checked);
  if (settings.groups) blocks.forEach(findGroups);
  const states = settings.fuse ? flagStates(blocks, settings.calls) : blocks.map(() => UNKNOWN);
  const dirty = dirtyRegisters(blocks, settings.calls);
  const x87 = planX87(blocks);
  return { blocks, discovery, items, entries, needs: needsOf(blocks, checked), states, dirty, used, written, x87 };
}

function checks(blocks: readonly Block[], items: readonly Item[], entries: readonly number[]): Set<number> {
  const out = new Set<number>(entries);
  for (const b of blocks) if (b.afterCall) out.add(b.id);
  const visit = (list: readonly Item[]): void => {
    for (const item of list) {
      if (item.kind === "block") continue;
      for (const e of item.entries) out.add(e);
      visit(item.body);
    }
  };
  visit(items);
  return out;
}

/** Longest way from each checked block to the next check. */
function needsOf(blocks: readonly Block[], checked: ReadonlySet<number>): number[] {
  const cost: number[] = [];
  const of = (id: number): number => {
    if (cost[id] !== undefined) return cost[id];
    let rest = 0;
    for (const s of blocks[id].successors) if (!checked.has(s)) rest = Math.max(rest, of(s));
    cost[id] = blocks[id].instructions.length + rest;
    return cost[id];
  };
  return blocks.map((b) => checked.has(b.id) ? Math.max(1, of(b.id)) : 0);
}

/** Backward liveness of the flags: a place that may leave the region sees them. */
function markLiveFlags(blocks: readonly Block[], checked: ReadonlySet<number>): void {
  const liveIn: boolean[] = blocks.map((b) => checked.has(b.id) || b.instructions.length === 0);
  for (let changed = true; changed;) {
    changed = false;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const b = blocks[n];
      let live = leavesAtEnd(b) || b.successors.some((s) => liveIn[s]);
      for (let k = b.instructions.length - 1; k >= 0; k--) live = liveBefore(b.instructions[k], live);
      if (live && !liveIn[n]) {
        liveIn[n] = true;
        changed = true;
      }
    }
  }
}

/** Marks one instruction; gives the liveness before it. */
function liveBefore(i: Instruction, after: boolean): boolean {
  const e = i.effects;
  i.flagsLive = after;
  if (e === undefined || e.mayLeave) return true;
  if (e.setsFlags === 2) return e.usesFlags && after || e.needsFlags;
  return after || e.needsFlags;
}

/** True if control may leave the region behind the block's last instruction. */
function leavesAtEnd(b: Block): boolean {
  const last = b.instructions.at(-1);
  if (last === undefined || (last.way !== Way.tree && last.way !== Way.x87)) return true;
  const ways = (last.effects?.jumps === true ? 1 : 0) + (last.effects?.repeats === true ? 1 : 0);
  if (last.sem === "jmpRel") return b.successors.length < 1;
  if (last.sem === "jmpInd" || last.sem === "ret" || last.sem === "callRel" || last.sem === "callInd") return true;
  return b.successors.length < ways + 1;
}

/** True if registers and flags are read anew behind an instruction. */
function reloads(i: Instruction, calls: boolean): boolean {
  return i.tree === undefined ? i.kernel === undefined : calls && Discovery.isCall(i);
}

/** Forward: which registers may differ from the state block at the start of each block. */
function dirtyRegisters(blocks: readonly Block[], calls: boolean): number[] {
  const dirty: number[] = blocks.map(() => 0);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      let mask = dirty[b.id];
      for (const i of b.instructions) mask = reloads(i, calls) ? 0 : mask | i.written();
      for (const s of b.successors) {
        if ((mask & ~dirty[s]) === 0) continue;
        dirty[s] |= mask;
        changed = true;
      }
    }
  }
  return dirty;
}

/** Forward: what is known at the start of each block. All entries agree. */
function flagStates(blocks: readonly Block[], calls: boolean): FlagState[] {
  const lazy = statesFrom(blocks, calls, IN_MEMORY);
  const agree = blocks.every((b) => !b.isEntry || sameState(lazy[b.id], IN_MEMORY));
  return agree ? lazy : statesFrom(blocks, calls, UNKNOWN);
}

function statesFrom(blocks: readonly Block[], calls: boolean, atEntry: FlagState): FlagState[] {
  const states: (FlagState | undefined)[] = blocks.map((b) => b.isEntry ? atEntry : undefined);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      const before = states[b.id];
      if (before === undefined) continue;
      let state = before;
      for (const i of b.instructions) state = flagsAfter(i, state, calls);
      for (const s of b.successors) {
        const old = states[s];
        const merged = old === undefined || sameState(old, state) ? state : UNKNOWN;
        if (old !== undefined && sameState(old, merged)) continue;
        states[s] = merged;
        changed = true;
      }
    }
  }
  return states.map((s) => s ?? UNKNOWN);
}

/** The state behind an instruction, as its emission leaves it. */
function flagsAfter(i: Instruction, before: FlagState, calls: boolean): FlagState {
  if (reloads(i, calls)) return IN_MEMORY;
  if (i.x87 !== undefined) return i.x87.setsFlags ? stateAfter(X87_FLAGS, before) : before;
  if (i.tree === undefined) return UNKNOWN;
  if (!i.flagsLive) return before;
  return bodyAfter(i.tree.body, before);
}

function bodyAfter(body: readonly Stmt[], before: FlagState): FlagState {
  let state = before;
  for (const s of body) {
    if (s.s === "flags") state = stateAfter(s, state);
    else if (s.s === "if" && recordsFlags(s)) state = UNKNOWN;
  }
  return state;
}

/** True if a statement records flags on some path. */
export function recordsFlags(s: Stmt): boolean {
  if (s.s === "flags") return true;
  return s.s === "if" && (s.then.some(recordsFlags) || s.otherwise.some(recordsFlags));
}
