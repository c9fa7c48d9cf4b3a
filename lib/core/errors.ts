/**
 * The two kinds of JavaScript error vmikit throws; guest faults are neither, they are data.
 *
 * `ConfigError`: the caller's mistake, with a stable code and a text that says what, where and how to mend it.
 * `InternalError`: our own bug; please report. Cold.
 */

/** The caller's mistake: wrong configuration, image, address or argument. */
export class ConfigError extends Error {
  /** Stable kebab-case code a script may compare, e.g. `region-overlap`. */
  readonly code: string;

  /**
   * Makes the error.
   *
   * @param code Stable kebab-case code.
   * @param message Sentence case, no full stop; says what, where and how to mend it.
   */
  constructor(code: string, message: string) {
    super(message);
    this.name = "ConfigError";
    this.code = code;
  }
}

/** A broken invariant inside vmikit. */
export class InternalError extends Error {
  /** Makes the error. @param message What was found broken. */
  constructor(message: string) {
    super(message);
    this.name = "InternalError";
  }
}
