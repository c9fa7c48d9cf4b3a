/**
 * What is known while translating about the x87 stack. Where it is live its registers are in locals, named by their
 * distance from what TOP was when they were read ("slots"), so every ST(i) is a known local although TOP is a run-time
 * value; pushes and pops only change a number here. Where paths meet that moved TOP differently, the stack is written
 * back and read again. Cold data.
 */

/** Knowledge about the stack at one place. Masks have a bit for each of the eight slots. */
export interface X87State {
  /** The registers are in locals; false: they are in the state block, and nothing below means anything. */
  readonly live: boolean;
  /** Slot of ST(0), 0-7. */
  readonly top: number;
  /** Slots that are full; the dynamic tags do not count for them. */
  readonly full: number;
  /** Slots that are empty; the dynamic tags do not count for them. */
  readonly empty: number;
  /** Slots that hold a normal number or a zero. */
  readonly plain: number;
  /** What was found of CR0, pending errors and the control word; see {@linkcode Guard}. */
  readonly guard: number;
  /** Slots whose locals may be newer than the state block; bit 8: anything else may be. */
  readonly dirty: number;
}

/** What an instruction needs before it may be done in place; more includes less. */
export const Guard = {
  /** CR0 allows the x87. */
  available: 0,
  /** And no error is pending. */
  ready: 1,
  /** And a result may be inexact, with 64 bits of mantissa. */
  inexact: 2,
  /** And is rounded to nearest. */
  nearest: 3,
} as const;

/** The stack is in the state block. */
export const STORED: X87State = { live: false, top: 0, full: 0, empty: 0, plain: 0, guard: 0, dirty: 0 };

/** The stack was just read. */
export const FRESH: X87State = { ...STORED, live: true };

/** Bit of {@linkcode X87State.dirty} for all but the registers. */
export const TOUCHED = 0x100;

/** What an instruction does to the stack. Registers are numbered as before it, -1 is what it pushes. */
export interface X87Effect {
  /** One of {@linkcode Guard}. */
  readonly guard: number;
  /** Registers that must be full. */
  readonly full: readonly number[];
  /** Registers whose value is found to be normal or zero. */
  readonly plain: readonly number[];
  /** Registers that get a new value. */
  readonly writes: readonly number[];
  /** The new values are normal or zero. */
  readonly plainResult: boolean;
  /** Pairs (to, from): values that are only moved, all at once. */
  readonly moves: readonly (readonly [number, number])[];
  /** Pushes; the register must be empty. */
  readonly push: boolean;
  /** Registers that become empty. */
  readonly frees: readonly number[];
  /** Added to TOP. */
  readonly turn: number;
  /** It loads the control word: of the guard only that much stays known. */
  readonly control: boolean;
}

/** Slot of ST(n). */
export function slotOf(s: X87State, n: number): number {
  return (s.top + n) & 7;
}

/** Mask of registers. */
export function slotMask(s: X87State, registers: readonly number[]): number {
  return registers.reduce((mask, n) => mask | 1 << slotOf(s, n), 0);
}

/** The state behind an instruction. */
export function stateAfter(s: X87State, e: X87Effect): X87State {
  const written = slotMask(s, e.writes) | slotMask(s, e.moves.map(([to]) => to));
  const freed = slotMask(s, e.frees), filled = (written | slotMask(s, e.full)) & ~freed;
  const seen = s.plain | slotMask(s, e.plain);
  let plain = (seen & ~written) | (e.plainResult ? slotMask(s, e.writes) : 0);
  for (const [to, from] of e.moves) plain |= (seen >>> slotOf(s, from) & 1) << slotOf(s, to);
  return {
    live: true,
    top: (s.top + e.turn) & 7,
    full: (s.full | filled) & ~freed,
    empty: (s.empty & ~filled) | freed,
    plain,
    guard: e.control ? Guard.ready : Math.max(s.guard, e.guard),
    dirty: s.dirty | written | TOUCHED,
  };
}

/** What is known where two paths meet; `undefined` is no path. */
export function meet(a: X87State | undefined, b: X87State): X87State {
  if (a === undefined) return b;
  if (!a.live || !b.live) return STORED;
  if (a.top !== b.top) return { ...FRESH, dirty: a.dirty | b.dirty };
  return {
    live: true,
    top: a.top,
    full: a.full & b.full,
    empty: a.empty & b.empty,
    plain: a.plain & b.plain,
    guard: Math.min(a.guard, b.guard),
    dirty: a.dirty | b.dirty,
  };
}

/** True if two states say the same. */
export function sameStack(a: X87State | undefined, b: X87State): boolean {
  return a !== undefined && a.live === b.live && a.top === b.top && a.full === b.full && a.empty === b.empty &&
    a.plain === b.plain && a.guard === b.guard && a.dirty === b.dirty;
}
