/**
 * What emitted code of the interpreter function refers to: its locals, the functions it calls, the labels it branches to.
 * Cold contract between the emitters.
 */

import type { ProgramSettings } from "./options.ts";

/** Locals of the interpreter function. */
export interface Locals {
  readonly rec: number;
  readonly count: number;
  readonly kind: number;
  readonly a: number;
  readonly b: number;
  readonly c: number;
  /** EIP to look up. */
  readonly eip: number;
  /** Record whose link is to be set after the look-up, or 0. */
  readonly from: number;
  /** Host address of the last loadForWrite. */
  readonly place: number;
  /** Scratch: linear address, translated address. */
  readonly la: number;
  readonly t: number;
}

/** Function indices the emitted code calls. */
export interface Calls {
  /** (linear, size, rec, count, kind, a, b, c) -> host address or -1. */
  readonly load: number;
  /** (linear, size, value, rec, count, kind, a, b, c) -> 0 or -1. */
  readonly store: number;
  /** As load, for a place that will be written. */
  readonly place: number;
  /** () -> void: writes the scratch cell back to where it belongs. */
  readonly commit: number;
  /** (kind, a, b, c) -> CF. */
  readonly carry: number;
  /** (kind, a, b, c) -> six flags. */
  readonly flags: number;
  /**
   * (segment cache, offset, bytes - 1, rights) -> 0 with the linear address in `Layout.ea`, or 1 with a fault recorded;
   * for segments that are not flat.
   */
  readonly segment: number;
  /** The run of string instructions with a number; see kernels/string_runs.ts. */
  run(n: number): number;
  /** (vector, code) -> void: records a fault. */
  readonly raise: number;
  /** What is emitted at all. */
  readonly settings: ProgramSettings;
}

/** Labels the emitted code branches to. */
export interface Labels {
  readonly next: number;
  readonly lookup: number;
  readonly fault: number;
}
