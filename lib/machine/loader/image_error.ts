/**
 * One way of saying that an image is wrong, and the guard that turns every overrun into it. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { CpuStart } from "../../core/cpu.ts";

/** Says what is wrong with an image and what to do. */
export function imageError(code: string, what: string, mend: string): ConfigError {
  return new ConfigError(code, `${what}; ${mend}`);
}

/** Runs a loader; a read past the end of the image becomes a `ConfigError` with `code`. */
export function guarded(code: string, load: () => CpuStart | undefined): CpuStart | undefined {
  try {
    return load();
  } catch (error) {
    if (error instanceof RangeError) throw imageError(code, error.message, "is the file complete");
    throw error;
  }
}
