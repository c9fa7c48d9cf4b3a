/**
 * The flags of a region before it is emitted: which instructions record flags that somebody sees, and what is known about
 * the flags where each block begins. Warm.
 */
import type { Stmt } from "../../tree.ts";
import type { Checks } from "./checks.ts";
import { type Block, Discovery } from "./discover.ts";
import { DEAD, type FlagState, IN_MEMORY, meet, sameState, stateAfter, UNKNOWN } from "./flag_state.ts";
import { type Instruction, isOnEdge, Way } from "./instruction.ts";
import { X87_FLAGS } from "./x87_emit.ts";

/**
 * Backward liveness of the flags: a place that may leave the region sees them. Marks the instructions whose flags are
 * seen. @returns For each block, whether the flags are seen that are there at its start.
 */
export function markLiveFlags(blocks: readonly Block[], checks: Checks): boolean[] {
  const liveIn: boolean[] = blocks.map((b) => checks.has(b.id) || b.instructions.length === 0);
  for (let changed = true; changed;) {
    changed = false;
    for (let n = blocks.length - 1; n >= 0; n--) {
      const b = blocks[n];
      let live = leavesAtEnd(b, blocks) || b.successors.some((s) => liveIn[s]);
      let skipped = live;
      const guarded = b.guarded?.instructions ?? [];
      for (let k = guarded.length - 1; k >= 0; k--) skipped = liveBefore(guarded[k], skipped);
      live ||= skipped;
      for (let k = b.instructions.length - 1; k >= 0; k--) {
        live = liveBefore(b.instructions[k], live);
      }
      if (live && !liveIn[n]) {
        liveIn[n] = true;
        changed = true;
      }
    }
  }
  return liveIn;
}

/** Marks one instruction; gives the liveness before it. */
function liveBefore(i: Instruction, after: boolean): boolean {
  const e = i.effects;
  i.flagsLive = after;
  if (e === undefined || e.mayLeave || isOnEdge(i)) return true;
  if (e.setsFlags === 2) return e.usesFlags && after || e.needsFlags;
  return after || e.needsFlags;
}

/** True if control may leave the region behind the block's last instruction. */
function leavesAtEnd(b: Block, blocks: readonly Block[]): boolean {
  const last = b.instructions.at(-1);
  if (b.guarded !== undefined) return false;
  // Whether the second page is still the same is asked on the way there.
  if ((last?.offset ?? 0) < 0x1000 && b.successors.some((s) => blocks[s].start >= 0x1000)) return true;
  if (last === undefined) return true;
  if (last.way !== Way.tree && last.way !== Way.x87) return true;
  const ways = (last.effects?.jumps === true ? 1 : 0) + (last.effects?.repeats === true ? 1 : 0);
  if (last.sem === "jmpRel") return b.successors.length < 1;
  if (last.sem === "jmpInd" || last.sem === "ret" || last.sem === "callRel" || last.sem === "callInd") return true;
  return b.successors.length < ways + 1;
}

/** True if registers and flags are read anew behind an instruction. */
export function reloads(i: Instruction, calls: boolean): boolean {
  return i.tree === undefined ? i.kernel === undefined : calls && Discovery.isCall(i);
}

/** Forward: what is known at the start of each block. All entries agree. */
export function flagStates(blocks: readonly Block[], live: readonly boolean[], calls: boolean): FlagState[] {
  const lazy = statesFrom(blocks, live, calls, IN_MEMORY);
  const agree = blocks.every((b) => !b.isEntry || sameState(lazy[b.id], IN_MEMORY));
  return agree ? lazy : statesFrom(blocks, live, calls, UNKNOWN);
}

function statesFrom(
  blocks: readonly Block[],
  live: readonly boolean[],
  calls: boolean,
  atEntry: FlagState,
): FlagState[] {
  const states: (FlagState | undefined)[] = blocks.map((b) => b.isEntry ? atEntry : undefined);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      const before = states[b.id];
      if (before === undefined) continue;
      let state = before;
      for (const i of b.instructions) state = flagsAfter(i, state, calls);
      if (b.guarded !== undefined) state = meet(state, flagsAfterAll(b.guarded.instructions, state));
      for (const s of b.successors) {
        const old = states[s];
        const merged = !live[s] ? DEAD : old === undefined ? state : meet(old, state);
        if (old !== undefined && sameState(old, merged)) continue;
        states[s] = merged;
        changed = true;
      }
    }
  }
  return states.map((s) => s ?? UNKNOWN);
}

/** The state behind instructions that neither call nor leave. */
export function flagsAfterAll(instructions: readonly Instruction[], before: FlagState): FlagState {
  return instructions.reduce((state, i) => flagsAfter(i, state, false), before);
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
