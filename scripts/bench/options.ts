/**
 * Option values of the bench task. Cold.
 */
import { ValidationError } from "../deps/cli.ts";

/** Parser of a share of the usual work. */
export function parseScale(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value < 0.01 || value > 100) {
    throw new ValidationError("Expected a share from 0.01 to 100, for example 0.1.");
  }
  return value;
}
