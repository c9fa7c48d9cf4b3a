/**
 * The time half of the interface from virtual time: frequency, three counters, two alarms, the wall clock.
 *
 * One cycle is one tick of the machine's clock; the machine is never descheduled, so stolen time is always 0 and
 * available equals real. An alarm fires when its counter reaches the expiry; a periodic one goes on at the first multiple
 * after the current time (missed ones are dropped). Sources: Paravirtualization API 2.0, timer section; Linux vmiclock.c.
 * Warm.
 *
 * Not emulated: LVTT wiring (such an alarm fires on interrupt line 0 and leaves a trace entry); several CPUs.
 */
import type { Timer } from "../../core/clock.ts";
import type { Section } from "../../core/component.ts";
import { ConfigError, InternalError } from "../../core/errors.ts";
import { ParavirtAlarm, ParavirtCounter } from "../../spec/paravirt_calls.ts";
import type { CallAnswer, ParavirtCall, ParavirtHost } from "./backend.ts";

/** 2000-01-01 00:00 UTC in nanoseconds: what the wall clock shows at power-on unless told otherwise. */
export const DEFAULT_EPOCH = 946_684_800_000_000_000n;

interface Alarm {
  expiry: number;
  period: number;
  armed: boolean;
}

/** The time calls of one machine. */
export class VirtualTime {
  readonly #epoch: bigint;
  readonly #alarms: Alarm[] = [0, 1].map(() => ({ expiry: 0, period: 0, armed: false }));
  #timers: Timer[] = [];
  #host: ParavirtHost | undefined;

  /** @param epoch Nanoseconds since 1970 at power-on. */
  constructor(epoch: bigint = DEFAULT_EPOCH) {
    this.#epoch = epoch;
  }

  /** Called once. */
  attach(host: ParavirtHost): void {
    this.#host = host;
    this.#timers = this.#alarms.map((_, n) => host.clock.timer(`paravirt-alarm${n}`, () => this.#fire(n)));
  }

  /** Answers one of the time calls; `undefined` for a time call without result, `"native"` for any other call. */
  call(call: ParavirtCall): CallAnswer {
    const { clock } = this.#attached();
    const args = call.args;
    switch (call.name) {
      case "GetCycleFrequency":
        return BigInt(clock.hz);
      case "GetCycleCounter":
        return this.#counter(Number(args["counter"]));
      case "GetWallclockTime":
        return this.#epoch + BigInt(Math.floor(clock.now)) * 1_000_000_000n / BigInt(clock.hz);
      case "WallclockUpdated":
        return 0;
      case "SetAlarm":
        this.#setAlarm(Number(args["flags"]), args["expiry"] as bigint, args["period"] as bigint);
        return undefined;
      case "CancelAlarm":
        return this.#cancel(Number(args["flags"]) & ParavirtAlarm.counterMask);
      default:
        return "native";
    }
  }

  /** No alarm is armed. */
  reset(): void {
    for (const n of [0, 1]) this.#cancel(n);
  }

  /** Saves the alarms; their timers are in the clock's section. */
  save(): Section {
    return { version: 1, fields: { alarms: this.#alarms.map((a) => ({ ...a })) } };
  }

  /** Restores the alarms. */
  load(section: Section): void {
    if (section.version !== 1) {
      throw new ConfigError("snapshot-version", `Alarm section has version ${section.version}, this library reads 1`);
    }
    const saved = section.fields["alarms"] as unknown as readonly Alarm[];
    saved.forEach((a, n) => Object.assign(this.#alarms[n] ?? {}, a));
  }

  #attached(): ParavirtHost {
    if (this.#host === undefined) throw new InternalError("The paravirtual time calls have no clock yet");
    return this.#host;
  }

  #counter(n: number): bigint {
    const now = Math.floor(this.#attached().clock.now);
    return n === ParavirtCounter.real || n === ParavirtCounter.available ? BigInt(now) : 0n;
  }

  #setAlarm(flags: number, expiry: bigint, period: bigint): void {
    const n = flags & ParavirtAlarm.counterMask;
    const alarm = this.#alarms[n];
    if (alarm === undefined) return; // stolen time and unknown counters have no alarm
    if (flags & ParavirtAlarm.wiredLvtt) this.#attached().trace("SetAlarm: LVTT wiring is not emulated, using line 0");
    alarm.expiry = Number(expiry);
    alarm.period = flags & ParavirtAlarm.periodic ? Number(period) : 0;
    alarm.armed = true;
    this.#timers[n]?.armAt(alarm.expiry);
  }

  #cancel(n: number): number {
    const alarm = this.#alarms[n];
    if (alarm === undefined || !alarm.armed) return 0;
    alarm.armed = false;
    this.#timers[n]?.cancel();
    return 1;
  }

  #fire(n: number): void {
    const { clock, raiseTimer } = this.#attached();
    const alarm = this.#alarms[n];
    if (alarm === undefined || !alarm.armed) return;
    if (alarm.period > 0) {
      const behind = Math.floor((clock.now - alarm.expiry) / alarm.period) + 1;
      alarm.expiry += behind * alarm.period;
      this.#timers[n]?.armAt(alarm.expiry);
    } else {
      alarm.armed = false;
    }
    raiseTimer();
  }
}
