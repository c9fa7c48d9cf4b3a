/**
 * Asks a monitor about an event on its way to a handler. Warm while there is one.
 */
import type { InterceptAnswer, InterceptKind, Interceptor } from "../../core/monitor.ts";
import { Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { EventKind } from "./event.ts";
import { Layout } from "./state.ts";

/** By number of {@linkcode EventKind}. */
const KINDS: readonly InterceptKind[] = ["exception", "software", "software", "external", "nmi"];

/** What the interceptor says about an event; the state is that of the interrupted program. */
export function intercepted(
  c: Context,
  interceptor: Interceptor,
  kind: number,
  vector: number,
  errorCode: number,
): InterceptAnswer {
  const s = c.state;
  const isSoftware = kind === EventKind.software || kind === EventKind.icebp;
  return interceptor.intercept({
    kind: KINDS[kind] ?? "exception",
    vector,
    errorCode,
    linear: vector === Vector.pf ? s.get(Layout.faultLinear) >>> 0 : 0,
    next: (isSoftware ? c.nextEip : s.get(Layout.eip)) >>> 0,
  });
}
