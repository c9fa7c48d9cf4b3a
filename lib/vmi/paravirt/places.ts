/**
 * Where in the ROM observed calls begin and end, for the code hooks there. Cold to find, warm to ask.
 */
import { type CallPlan, PLANS } from "./arguments.ts";
import type { Observers } from "./observers.ts";
import type { ParavirtRom, RomSlot } from "./rom.ts";

/** What may happen at a watched place of the ROM. */
export interface Place {
  /** A slot of plain code that is observed begins here. */
  readonly begins: CallPlan | undefined;
  /** A slot of this number returns here. */
  readonly ends: number | undefined;
}

/**
 * Places by their offset in the ROM. `open` are the numbers of calls that have begun, `native` those of trapped calls that
 * have ever gone on with the code behind the trap: the others need not be seen to return.
 */
export function watchedPlaces(
  rom: ParavirtRom,
  observers: Observers,
  open: ReadonlySet<number>,
  native: ReadonlySet<number>,
): readonly (Place | undefined)[] {
  if (!observers.any) return [];
  const places = new Array<Place | undefined>(rom.bytes.length).fill(undefined);
  for (const slot of rom.slots) {
    const { no, at: start, lines, returns, trap } = slot;
    if (lines.length === 0) continue;
    if (open.has(no) || (awaitsResult(observers, no) && (!trap || native.has(no)))) {
      for (const at of returns) places[at] = { begins: undefined, ends: no };
    }
    // A slot that is nothing but a RET begins and ends there.
    if (!trap && observers.wants(no)) places[start] = { begins: PLANS[no], ends: places[start]?.ends };
  }
  return places;
}

/** Is the slot a trap and a RET? Then nothing happens behind the trap, and the result is there at once. */
export function isBare({ trap, lines, returns }: RomSlot): boolean {
  return trap && lines.length === 2 && returns.length === 1;
}

/** Does somebody want to know when this call comes back, if it does? */
export function awaitsResult(observers: Observers, no: number): boolean {
  const result = PLANS[no]?.result;
  return result !== "no-return" && observers.wantsResult(no, result !== "none");
}
