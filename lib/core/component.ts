/**
 * Component: anything attachable and snapshotable. A section is plain named data, so that a snapshot can be read by a
 * person, compared in a test and written to bytes by {@link ./snapshot.ts}. Cold.
 */

/** A value a section may hold. Numbers are exact integers or doubles; a machine copies arrays of devices. */
export type FieldValue =
  | number
  | boolean
  | string
  | bigint
  | null
  | Uint8Array
  | readonly FieldValue[]
  | { readonly [name: string]: FieldValue };

/** Saved state of one component. */
export interface Section {
  /** Raised whenever the meaning of the fields changes. */
  readonly version: number;
  /** Named values. */
  readonly fields: { readonly [name: string]: FieldValue };
}

/** Anything that belongs to a machine, has state and can be reset, saved and loaded. */
export interface Component {
  /** Unique within a machine, e.g. `pit` or `cpu0`. */
  readonly name: string;
  /** Puts the component into its power-on state. */
  reset(): void;
  /** Saves complete state. */
  save(): Section;
  /**
   * Restores what {@linkcode Component.save} gave.
   * @throws {ConfigError} snapshot-version: the section is too old or too new.
   */
  load(section: Section): void;
  /**
   * Asked before any part of a snapshot is loaded: can this section be loaded now? Absent: always.
   * @throws {ConfigError} It cannot; nothing is changed.
   */
  accepts?(section: Section): void;
}
