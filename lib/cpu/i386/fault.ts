/**
 * Delivering exceptions, interrupts and NMI between instructions, with double and triple faults.
 *
 * If entering a handler raises a fault itself, the pair decides: serially handle the second, #DF, or shutdown. The
 * interrupted state is untouched until a handler is entered, so each attempt starts from the same place. A monitor that
 * intercepts is asked about each event before it is entered; a fault on the way that is the monitor's own does not count.
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
  const code = s.get(Layout.faultHasCode) !== 0 ? s.get(Layout.faultCode) >>> 0 : -1;
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
  const first: CpuFault = { vector, errorCode: code, linear: s.get(Layout.faultLinear) };
  let now: CpuFault = first, isException = kind === EventKind.exception;
  s.set(Layout.halted, 0);
  for (let asked = false;;) {
    const rf = isException && noteException(c, now.vector);
    const type = isException ? EventKind.exception : kind;
    const taken: CpuFault | undefined = asked ? now : ask(c, type, now);
    if (taken === undefined) return;
    isException ||= taken !== now;
    const linear = isException && taken.vector === Vector.pf ? taken.linear >>> 0 : 0;
    c.delivering?.(isException ? EventKind.exception : kind, taken.vector, taken.errorCode, linear);
    const next: CpuFault | undefined = enter(c, taken, isException ? EventKind.exception : kind, rf);
    if (next === undefined) return;
    const verdict: number = isException ? combine(taken.vector, next.vector) : SERIAL;
    if (verdict !== SERIAL && next.vector === Vector.pf) s.set(Layout.cr2, next.linear);
    if (verdict === SHUTDOWN) {
      s.set(Layout.halted, 1);
      c.bus.shutdown(first.vector, Math.max(0, first.errorCode), first.linear >>> 0);
      c.enterShutdown();
      return;
    }
    now = verdict === DOUBLE ? { vector: Vector.df, errorCode: 0, linear: 0 } : next;
    asked = verdict === SERIAL;
    isException = true;
  }
}

/** An exception on its way; error code -1: none. */
interface CpuFault {
  readonly vector: number;
  readonly errorCode: number;
  readonly linear: number;
}

/** What a monitor makes of an event; `undefined`: it is gone. */
function ask(c: Context, kind: number, event: CpuFault): CpuFault | undefined {
  if (c.interceptor === undefined) return event;
  const answer = intercepted(c, c.interceptor, kind, event.vector, event.errorCode);
  return answer === "handled" ? undefined : answer === "deliver" ? event : answer;
}

/**
 * Enters the handler of an event. If a fault on the way is a monitor's own doing, it is tried again.
 * @returns The fault that keeps it from entering; `undefined`: it has entered, or the monitor has ended the guest.
 */
function enter(c: Context, event: CpuFault, kind: number, rf: boolean): CpuFault | undefined {
  const s = c.state;
  for (;;) {
    if (kind === EventKind.exception && event.vector === Vector.pf) s.set(Layout.cr2, event.linear);
    if (attempt(c, event.vector, kind, event.errorCode, rf)) return undefined;
    const hasCode = s.get(Layout.faultHasCode) !== 0;
    const next: CpuFault = {
      vector: s.get(Layout.faultVector),
      errorCode: hasCode ? s.get(Layout.faultCode) >>> 0 : -1,
      linear: s.get(Layout.faultLinear),
    };
    const taken = ask(c, EventKind.exception, next);
    if (taken !== undefined) return taken;
    if (s.get(Layout.halted) !== 0) return undefined;
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

/** Debug registers in which a #DB leaves its cause. Returns whether it is of the fault class, which pushes RF set. */
function noteException(c: Context, vector: number): boolean {
  const s = c.state;
  if (vector !== Vector.db) {
    s.set(Layout.pendingDebug, 0); // of an instruction that was not completed
    return true;
  }
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
