/**
 * Finds the case to which a difference in the sum of the data windows is due: runs the cases since the last sum anew
 * with a sum after each, then those up to the first that differs with the windows printed. Cold.
 */
import type { Printed } from "./judges.ts";
import { CaseAt, Place, RESULT_DWORDS, Sums, WINDOWS_SUM } from "./places.ts";

/** Both sides' account of an image. */
export interface Both {
  /** Ours. */
  readonly ours: Printed;
  /** The other emulator's. */
  readonly theirs: Printed;
}

/** A case after which the windows differ. */
export interface Guilty {
  /** Its number among the records. */
  readonly index: number;
  /** Addresses that differ. */
  readonly addresses: readonly number[];
  /** Vector that ended it on both sides. */
  readonly vector: number;
  /** What differs, in words. */
  readonly lines: readonly string[];
}

/** Most bytes told. */
const MOST = 24;
/** Dword of the vector in results of protected and virtual-8086 mode. */
const VECTOR = 12;

/** The first guilty case among `records`, which start on fresh windows; undefined if there is none. */
export function traceWindows(
  records: readonly Uint8Array[],
  run: (records: readonly Uint8Array[], dump: boolean) => Both,
): Guilty | undefined {
  const kept = records.map((record) => {
    const copy = record.slice();
    new DataView(copy.buffer).setUint32(CaseAt.sums, Sums.keep, true);
    return copy;
  });
  const { ours, theirs } = run(kept, false);
  const sum = (results: Uint32Array, i: number): number => results[i * RESULT_DWORDS + WINDOWS_SUM];
  const index = kept.findIndex((_, i) => sum(ours.results, i) !== sum(theirs.results, i));
  if (index < 0) return undefined;
  const after = run(kept.slice(0, index + 1), true);
  const addresses = Array.from(after.ours.windows.keys())
    .filter((i) => after.ours.windows[i] !== after.theirs.windows[i]);
  const lines = addresses.slice(0, MOST).map((i) =>
    `[${(Place.data + i).toString(16)}]: ours ${after.ours.windows[i].toString(16)}, ` +
    `theirs ${after.theirs.windows[i].toString(16)}`
  );
  const vector = ours.results[index * RESULT_DWORDS + VECTOR];
  return { index, addresses: addresses.map((i) => Place.data + i), vector, lines };
}
