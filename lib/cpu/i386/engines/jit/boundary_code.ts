/**
 * Emits calls of `JitOptions.boundary`, where the state block is complete; nothing if nobody wants to know. Cold code that
 * makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";

/** Tells of a boundary. */
export function emitBoundary(f: FunctionBody, boundary: number | undefined): void {
  if (boundary !== undefined) f.call(boundary);
}

/** A call in a region whose answer is in a local. */
export interface Called {
  /** The answer: 0 where the region goes on. */
  readonly answer: number;
  /** The answer that says that a fault is still to be delivered. */
  readonly fault: number;
  /** Puts the EIP behind the instruction on the stack. */
  readonly next: () => void;
}

/** The same behind an instruction that was called, which leaves EIP alone where the region goes on; not before a fault. */
export function emitBoundaryAfter(
  f: FunctionBody,
  site: { readonly boundary: number | undefined; readonly state: number },
  { answer, fault, next }: Called,
): void {
  if (site.boundary === undefined) return;
  f.get(answer);
  f.num("i32.eqz");
  f.if();
  f.i32(0);
  next();
  f.mem("i32.store", site.state + Layout.eip);
  f.end();
  f.get(answer);
  f.i32(fault);
  f.num("i32.ne");
  f.if();
  f.call(site.boundary);
  f.end();
}
