/**
 * Everything about a region that is known before it is emitted: layout, where the count is checked and how much must be
 * left there, which flags are seen, what is known of the flags at each block, which registers are used.
 *
 * The count is checked at entries, loop heads and behind TypeScript instructions: at least as many instructions must be
 * left as the longest way to the next check has, else the interpreter goes on; so slices end at the same instruction.
 * Warm.
 */
import { Checks } from "./checks.ts";
import type { Block, Discovery } from "./discover.ts";
import { flagStates, markLiveFlags, reloads } from "./flag_plan.ts";
import { type FlagState, UNKNOWN } from "./flag_state.ts";
import { findGroups } from "./groups.ts";
import { guardBlocks } from "./guard.ts";
import type { JitSettings } from "./options.ts";
import { type Item, layOut } from "./structure.ts";
import type { CodeMode } from "./code_mode.ts";
import { planSegments, type SegmentPlan } from "./segment_plan.ts";
import { unroll } from "./unroll.ts";
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
  /** Where the count is checked. */
  readonly checks: Checks;
  /** Knowledge about the flags at the start of a block. */
  readonly states: readonly FlagState[];
  /** Registers that may differ from the state block at the start of a block, as a mask. */
  readonly dirty: readonly number[];
  /** Registers used, as a mask. */
  readonly used: number;
  /** Registers written. */
  readonly written: number;
  /** What is asked of the segments. */
  readonly segments: SegmentPlan;
  /** The x87 stack; undefined: no instruction of it is done in place. */
  readonly x87: X87Plan | undefined;
}

/** Makes the plan. */
export function makePlan(discovery: Discovery, settings: JitSettings, mode: CodeMode): Plan {
  const { blocks } = discovery;
  const entries = blocks.filter((b) => b.isEntry).map((b) => b.id);
  if (settings.guards) guardBlocks(blocks);
  let items = layOut(blocks, entries, settings.nesting);
  if (settings.unroll && unroll(blocks, items)) items = layOut(blocks, entries, settings.nesting);
  const checks = new Checks(blocks, items, settings.fewChecks);
  let used = 0, written = 0;
  for (const b of blocks) {
    for (const i of b.instructions) {
      used |= i.registers();
      written |= i.written();
    }
  }
  const live = settings.deadFlags ? markLiveFlags(blocks, checks) : blocks.map(() => true);
  if (settings.groups && settings.probes && mode.flatData) blocks.forEach(findGroups);
  const states = settings.fuse ? flagStates(blocks, live, settings.calls) : blocks.map(() => UNKNOWN);
  const dirty = settings.dirtyRegisters ? dirtyRegisters(blocks, settings.calls) : blocks.map(() => -1);
  const x87 = planX87(blocks), segments = planSegments(blocks, mode);
  return { blocks, discovery, items, entries, checks, states, dirty, used, written, segments, x87 };
}

/** Forward: which registers may differ from the state block at the start of each block. */
function dirtyRegisters(blocks: readonly Block[], calls: boolean): number[] {
  const dirty: number[] = blocks.map(() => 0);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      let mask = dirty[b.id];
      for (const i of b.instructions) mask = reloads(i, calls) ? 0 : mask | i.written();
      for (const i of b.guarded?.instructions ?? []) mask |= i.written();
      for (const s of b.successors) {
        if ((mask & ~dirty[s]) === 0) continue;
        dirty[s] |= mask;
        changed = true;
      }
    }
  }
  return dirty;
}
