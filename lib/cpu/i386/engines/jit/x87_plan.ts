/**
 * Where the x87 stack of a region is in locals: from the places where an instruction that is done in place comes next,
 * on every path that keeps it there; and what is known of it at the start of each block. Warm.
 */
import type { Block } from "./discover.ts";
import { type Instruction, Way } from "./instruction.ts";
import type { X87Use } from "./x87_code.ts";
import { FRESH, meet, sameStack, slotMask, slotOf, stateAfter, STORED, type X87State } from "./x87_state.ts";

/** The stack in a region. */
export interface X87Plan extends X87Use {
  /** What is known at the start of each block. */
  readonly states: readonly X87State[];
}

/** Plans the stack; undefined: no instruction is done in place. */
export function planX87(blocks: readonly Block[]): X87Plan | undefined {
  if (!blocks.some((b) => b.instructions.some((i) => i.way === Way.x87))) return undefined;
  const wanted = wants(blocks);
  const states: (X87State | undefined)[] = blocks.map((b) => !b.isEntry ? undefined : wanted[b.id] ? FRESH : STORED);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      const before = states[b.id];
      if (before === undefined) continue;
      const behind = b.instructions.reduce(through, before);
      for (const s of b.successors) {
        const there = meet(states[s], !wanted[s] ? STORED : behind.live ? behind : FRESH);
        if (sameStack(states[s], there)) continue;
        states[s] = there;
        changed = true;
      }
    }
  }
  const known = states.map((s) => s ?? STORED);
  return { states: known, ...usedSlots(blocks, known) };
}

/** True if the stack must be in the state block before the instruction. */
function stores(i: Instruction): boolean {
  if (i.way === Way.call || i.way === Way.callEnd) return true;
  return !i.isJump && stopsAt(i);
}

/** True for calls, which lead to other regions and come back, and what leaves for good. */
function stopsAt(i: Instruction): boolean {
  return i.sem === "callRel" || i.sem === "callInd" || i.sem === "ret" || i.sem === "jmpInd";
}

/** The state behind an instruction. */
function through(s: X87State, i: Instruction): X87State {
  if (i.x87 !== undefined) return stateAfter(s.live ? s : FRESH, i.x87.effect(i.rm));
  return stores(i) && i.sem !== "jmpInd" ? STORED : s;
}

/** True for blocks at whose start the stack should be in locals. */
function wants(blocks: readonly Block[]): boolean[] {
  const first = blocks.map((b) => {
    const i = b.instructions.find((one) => one.way === Way.x87 || stores(one));
    return i === undefined ? undefined : i.way === Way.x87;
  });
  const wanted = first.map((one) => one === true);
  for (let changed = true; changed;) {
    changed = false;
    for (const b of blocks) {
      if (wanted[b.id] || first[b.id] !== undefined || !b.successors.some((s) => wanted[s])) continue;
      wanted[b.id] = changed = true;
    }
  }
  return wanted;
}

function usedSlots(blocks: readonly Block[], states: readonly X87State[]): X87Use {
  let used = 0, written = 0, control = false;
  for (const b of blocks) {
    let s = states[b.id];
    for (const i of b.instructions) {
      if (i.x87 !== undefined) {
        const at = s.live ? s : FRESH, e = i.x87.effect(i.rm);
        const changes = slotMask(at, [...e.writes, ...e.moves.map(([to]) => to)]);
        written |= changes;
        used |= changes | slotMask(at, [...e.full, ...e.moves.map(([, from]) => from)]) | 1 << slotOf(at, 0);
        control ||= e.control;
      }
      s = through(s, i);
    }
  }
  return { used, written, control };
}
