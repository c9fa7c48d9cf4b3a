/**
 * How a monitor lets the guest's page tables take effect: the part in which the de-privileging backends differ. Contract
 * only. Cold.
 */
import type { FieldValue } from "../../../core/component.ts";
import type { InterceptEvent } from "../../../core/monitor.ts";

/** What a page fault comes to. */
export type FaultVerdict =
  /** The monitor's own doing: it is repaired, the instruction runs again. */
  | "hidden"
  /** The guest's: an error code for it. */
  | number;

/** Page tables of one virtual CPU. */
export interface GuestMmu {
  /** Init: the guest's registers are known, translations of the monitor begin. */
  start(): void;
  /** A page fault with its error code. */
  fault(linear: number, errorCode: number): FaultVerdict;
  /** The guest has loaded its page-table base, perhaps the same again. */
  baseLoaded(): void;
  /** Paging modes or write protection of the guest have changed. */
  modeChanged(): void;
  /** Writes an entry for the guest, 8 bytes if there is a `high`: a present entry never shows torn. */
  writeEntry(at: number, low: number, high: number | undefined): void;
  /** The guest has written the entry at this guest-physical address, 4 or 8 bytes. */
  entryWritten(at: number, bytes: number): void;
  /** The guest means this page frame to be a page table from now on. */
  pageAllocated(pfn: number, flags: number): void;
  /** The page frame is no page table any more. */
  pageReleased(pfn: number): void;
  /** Drops one translation. */
  invalidate(linear: number): void;
  /** Drops all, global ones too if `all`. */
  flush(all: boolean): void;
  /** Power-on state. */
  reset?(): void;
  /** An event has come: ends what the monitor has begun for one instruction. True: the event was for the monitor alone. */
  stepped?(event: InterceptEvent): boolean;
  /** A device has written guest-physical memory. */
  deviceWrote?(at: number, size: number): void;
  /** Address line 20 was switched; {@linkcode GuestMmu.modeChanged} was called for all CPUs before. */
  busChanged?(): void;
  /** Complete state. */
  save(): FieldValue;
  /** Restores it. */
  load(state: FieldValue): void;
}
