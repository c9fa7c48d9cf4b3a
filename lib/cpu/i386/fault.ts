/**
 * Delivering exceptions, interrupts and NMI between instructions, with double and triple faults.
 *
 * If entering a handler raises a fault itself, the pair decides: serially handle the second, #DF, or shutdown. The
 * interrupted state is untouched until a handler is entered, so each attempt starts from the same place. A monitor that
 * intercepts is asked before each attempt.
 * Sources: SDM-3A 6.14.1, 6.15 (double fault conditions), 17.3.1.1 (RF). Warm.
 */
import { Dr6, Dr7, Vector } from "../../spec/i386_regs.ts";
import type { Context } from "./context.ts";
import { type CpuState, Layout } from "./state.ts";
import { enterHandler, EventKind } from "./event.ts";
import { intercepted } from "./interception.ts";

/**
 * Delivers the exception that `Context.raise` recorded in the state, or a #DB trap with its conditions in
 * `pendingDebug`. `state.eip` is the EIP to return to. Afterwards `state.eip` is the handler's, or the CPU is shut down.
 */
export function deliverException(c: Context): void {
  const s = c.state;
  const code = s.get(Layout.faultHasCode) !== 0 ? s.get(Layout.faultCode) : -1;
  deliver(c, s.get(Layout.faultVector), EventKind.exception, code);
}

/** Delivers a #DB for the conditions in `pendingDebug` (bits of DR6); `state.eip` is the EIP to return to. */
export function deliverDebug(c: Context): void {
  deliver(c, Vector.db, EventKind.exception, -1);
}

/** Delivers an interrupt from the controller; the caller has checked IF and the interrupt shadow. */
export function deliverExternal(c: Context, vector: number): void {
  deliver(c, vector, EventKind.external, -1);
}

/** Delivers a non-maskable interrupt and blocks further ones until IRET. */
export function deliverNmi(c: Context): void {
  c.state.set(Layout.nmiPending, 0);
  c.state.set(Layout.nmiBlocked, 1);
  deliver(c, Vector.nmi, EventKind.nmi, -1);
}

function deliver(c: Context, vector: number, kind: number, code: number): void {
  const s = c.state;
  const firstVector = vector, firstCode = code, firstLinear = s.get(Layout.faultLinear);
  s.set(Layout.halted, 0);
  for (;;) {
    const rf = kind === EventKind.exception && noteException(c, vector);
    const answer = c.interceptor === undefined ? "deliver" : intercepted(c, c.interceptor, kind, vector, code);
    if (answer === "handled") return;
    if (answer !== "deliver") {
      vector = answer.vector;
      code = answer.errorCode;
      kind = EventKind.exception;
      if (vector === Vector.pf) s.set(Layout.cr2, answer.linear);
    }
    if (attempt(c, vector, kind, code, rf)) break;
    const next = s.get(Layout.faultVector);
    const verdict = kind === EventKind.exception ? combine(vector, next) : SERIAL;
    if (verdict === SHUTDOWN) {
      if (next === Vector.pf) s.set(Layout.cr2, s.get(Layout.faultLinear));
      s.set(Layout.halted, 1);
      c.bus.shutdown(firstVector, firstCode < 0 ? 0 : firstCode, firstLinear >>> 0);
      c.attention();
      return;
    }
    if (verdict === DOUBLE) {
      if (next === Vector.pf) s.set(Layout.cr2, s.get(Layout.faultLinear));
      vector = Vector.df;
      code = 0;
    } else {
      vector = next;
      code = s.get(Layout.faultHasCode) !== 0 ? s.get(Layout.faultCode) : -1;
    }
    kind = EventKind.exception;
  }
}

/** Tries to enter the handler; false if that raised a guest fault, which the state then records. */
function attempt(c: Context, vector: number, kind: number, code: number, rf: boolean): boolean {
  try {
    enterHandler(c, vector, kind, code, c.state.get(Layout.eip), rf);
  } catch (thrown) {
    if (thrown !== c.fault) throw thrown;
    return false;
  }
  c.state.set(Layout.eip, c.nextEip | 0);
  return true;
}

/** Registers an exception leaves its cause in. Returns whether it is of the fault class, which pushes RF set. */
function noteException(c: Context, vector: number): boolean {
  const s = c.state;
  if (vector === Vector.pf) s.set(Layout.cr2, s.get(Layout.faultLinear));
  if (vector !== Vector.db) return true;
  const hits = s.get(Layout.pendingDebug);
  s.set(Layout.pendingDebug, 0);
  s.set(Layout.dr6, (s.get(Layout.dr6) & ~0xf) | hits);
  const dr7 = s.get(Layout.dr7);
  if ((dr7 & Dr7.gd) !== 0) {
    s.set(Layout.dr7, dr7 & ~Dr7.gd);
    c.debugChanged();
  }
  return (hits & Dr6.bd) !== 0;
}

const SERIAL = 0, DOUBLE = 1, SHUTDOWN = 2;

/** Bit n: exception n is contributory (#DE #TS #NP #SS #GP). */
const CONTRIBUTORY = (1 << 0) | (1 << 10) | (1 << 11) | (1 << 12) | (1 << 13);

/** What follows when `second` is raised while `first` is being delivered. */
function combine(first: number, second: number): number {
  const serious = second === Vector.pf || ((CONTRIBUTORY >>> second) & 1) !== 0;
  if (!serious) return SERIAL;
  if (first === Vector.df) return SHUTDOWN;
  if (first === Vector.pf) return DOUBLE;
  if (((CONTRIBUTORY >>> first) & 1) !== 0) return second === Vector.pf ? SERIAL : DOUBLE;
  return SERIAL;
}

/** Notes a fault in the state for {@linkcode deliverException}; -1: no error code. */
export function recordFault(s: CpuState, vector: number, errorCode: number): void {
  s.set(Layout.faultVector, vector);
  s.set(Layout.faultCode, errorCode);
  s.set(Layout.faultHasCode, errorCode >= 0 ? 1 : 0);
}
