/**
 * Options of the JIT engine: a switch for each optimisation, and the sizes that bound it. The switches of the interpreter
 * belong to them: `probes`, `bulk`, `kernels`, `shortcuts`, `jumpCache` and `branchHints` hold for translated code too.
 *
 * What has no switch: the registers' and the flags' places in the state block, regions that leave in front of whatever is
 * unusual, counts taken block by block and checked against the longest way ahead, and pages that are watched for writes.
 * That is how the engine comes to the results it must have, not a faster way to them. Cold.
 */
import {
  type InterpreterOptions,
  type InterpreterSettings,
  interpreterSettings,
  withDefaults,
} from "../interpreter/options.ts";

/** Options of the JIT; results never depend on them. */
export interface JitOptions extends InterpreterOptions {
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
  /** Instructions after which a loop is left now and then, since V8 changes to better code at the next call only; default 2^20. */
  readonly longestStay?: number;
  /**
   * Called where a region begins, goes on behind a call and ends, with registers, flags, EIP and count in the state block:
   * for tests that compare engines. Nothing is emitted for it unless it is there.
   */
  readonly boundary?: (() => void) | undefined;
  /** Registers live in locals inside a region. */
  readonly registersInLocals?: boolean;
  /** Only registers that may have changed are written back. */
  readonly dirtyRegisters?: boolean;
  /** Flags nobody can see are not recorded. */
  readonly deadFlags?: boolean;
  /** Results of INC and DEC lie over the flags below them, whose carry they keep. */
  readonly steps?: boolean;
  /** Single flags that instructions change lie over the others. */
  readonly singleFlags?: boolean;
  /** Accesses at constant distances share a look at the TLB; not without `probes`. */
  readonly groups?: boolean;
  /** Conditions are derived from the operands of the instruction that set the flags, where it is known. */
  readonly fuse?: boolean;
  /** Shifts and rotates by an immediate are translated for that number. */
  readonly fold?: boolean;
  /** Loops stay inside a region. */
  readonly loops?: boolean;
  /** Loops stay nested when a region is entered in the middle of one. */
  readonly nesting?: boolean;
  /** A loop that got hot in its middle is entered at its head. */
  readonly heads?: boolean;
  /** The count is checked in loops and where control comes in; else in each block. */
  readonly fewChecks?: boolean;
  /** Bodies of small loops are repeated, so that what is checked once a round is checked less often. */
  readonly unroll?: boolean;
  /** Branches over one or two plain instructions become selections. */
  readonly guards?: boolean;
  /** Ways out of a block meet before they leave the region. */
  readonly blockExits?: boolean;
  /** Targets of jumps through a table are sought inside the region. */
  readonly tables?: boolean;
  /** A guest call is a call of the region it leads to, and its return a return. */
  readonly calls?: boolean;
  /** Calls and returns whose return address is replaced are jumps; not without `calls`. */
  readonly callJumps?: boolean;
  /** Regions call each other without the interpreter between them. */
  readonly links?: boolean;
  /** Code of 16 bits and code in segments that are not flat is translated too. */
  readonly segmented?: boolean;
  /** Regions go on in the page behind their first one. */
  readonly secondPage?: boolean;
  /** Code that is written over and over is left to the interpreter, and what is around it stays translated. */
  readonly volatileCode?: boolean;
  /** A region that overlaps others takes their place. */
  readonly merge?: boolean;
  /** Small kernels are part of the region rather than called. */
  readonly inlineKernels?: boolean;
  /** The x87 stack is in locals inside a region, and its instructions are done in place; not without `kernels`. */
  readonly x87?: boolean;
}

/** All options with their values. */
export type JitSettings = Required<Omit<JitOptions, "boundary">> & Pick<JitOptions, "boundary"> & InterpreterSettings;

const THRESHOLD = 4000;

/** Fills in the defaults. @throws {ConfigError} config-key, config-value */
export function jitSettings(options: JitOptions = {}): JitSettings {
  return withDefaults<JitSettings>("jit", options, {
    ...interpreterSettings(),
    leadIn: options.threshold === undefined ? 2000 : 0,
    threshold: THRESHOLD,
    warm: (options.threshold ?? THRESHOLD) >>> 6,
    regionInstructions: 1200,
    cacheBytes: 32 << 20,
    longestStay: 1 << 20,
    registersInLocals: true,
    dirtyRegisters: true,
    deadFlags: true,
    steps: true,
    singleFlags: true,
    groups: true,
    fuse: true,
    fold: true,
    loops: true,
    nesting: true,
    heads: true,
    fewChecks: true,
    unroll: true,
    guards: true,
    blockExits: true,
    tables: true,
    calls: true,
    callJumps: true,
    links: true,
    segmented: true,
    secondPage: true,
    volatileCode: true,
    merge: true,
    inlineKernels: true,
    x87: true,
    boundary: undefined,
  });
}
