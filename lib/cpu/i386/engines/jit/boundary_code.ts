/**
 * Emits calls of `JitOptions.boundary`, where the state block is complete; nothing if nobody wants to know. Cold code that
 * makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";

/** Tells of a boundary. */
export function emitBoundary(f: FunctionBody, boundary: number | undefined): void {
  if (boundary !== undefined) f.call(boundary);
}

/** The same behind a TypeScript instruction whose result is in a local, unless a fault is still to be delivered. */
export function emitBoundaryAfter(f: FunctionBody, boundary: number | undefined, result: number, fault: number): void {
  if (boundary === undefined) return;
  f.get(result);
  f.i32(fault);
  f.num("i32.ne");
  f.if();
  f.call(boundary);
  f.end();
}
