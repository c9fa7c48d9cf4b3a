/**
 * Options of the JIT engine: a switch for each optimisation, and the sizes that bound it. Cold.
 */

/** Options of the JIT; results never depend on them. */
export interface JitOptions {
  /**
   * Instructions that the reference engine executes before interpreter and translator are made, which takes longer than a
   * short program; default 2000, and 0 where `threshold` is given.
   */
  readonly leadIn?: number;
  /** Executions of a block after which it is translated; default 4000. */
  readonly threshold?: number;
  /** Executions of a branch's side below which that side is not translated with the rest; default a 64th of the threshold, 0: always. */
  readonly warm?: number;
  /** Instructions of one region at most; default 1200. */
  readonly regionInstructions?: number;
  /** Bytes of WebAssembly kept at most before all translations are dropped; default 32 MiB. */
  readonly cacheBytes?: number;
  /** Registers live in locals inside a region. */
  readonly registersInLocals?: boolean;
  /** Flags nobody can see are not recorded. */
  readonly deadFlags?: boolean;
  /** Accesses at constant distances share a look at the TLB. */
  readonly groups?: boolean;
  /** Conditions are derived from the operands of the instruction that set the flags, where it is known. */
  readonly fuse?: boolean;
  /** Loops stay inside a region. */
  readonly loops?: boolean;
  /** Bodies of small loops are repeated, so that what is checked once a round is checked less often. */
  readonly unroll?: boolean;
  /** Branches over one or two plain instructions become selections. */
  readonly guards?: boolean;
  /** Repeated string instructions are done many iterations at once. */
  readonly bulk?: boolean;
  /** Targets of jumps through a table are sought inside the region. */
  readonly tables?: boolean;
  /** A guest call is a call of the region it leads to, and its return a return. */
  readonly calls?: boolean;
  /** Regions call each other without the interpreter between them. */
  readonly links?: boolean;
  /** Writes beside code, in a page that has some, are done in the region. */
  readonly besideCode?: boolean;
  /** A region that overlaps others takes their place. */
  readonly merge?: boolean;
  /** The x87 stack is in locals inside a region, and its instructions are done in place. */
  readonly x87?: boolean;
}

/** All options with their values. */
export type JitSettings = Required<JitOptions>;

const THRESHOLD = 4000;

/** Fills in the defaults. */
export function jitSettings(options: JitOptions = {}): JitSettings {
  return {
    leadIn: options.threshold === undefined ? 2000 : 0,
    threshold: THRESHOLD,
    warm: (options.threshold ?? THRESHOLD) >>> 6,
    regionInstructions: 1200,
    cacheBytes: 32 << 20,
    registersInLocals: true,
    deadFlags: true,
    groups: true,
    fuse: true,
    loops: true,
    unroll: true,
    guards: true,
    bulk: true,
    tables: true,
    calls: true,
    links: true,
    merge: true,
    besideCode: true,
    x87: true,
    ...options,
  };
}
