/**
 * The time half of the interface from virtual time: frequency, three counters, two alarms a CPU, the wall clock.
 *
 * One cycle is one tick of the machine's clock. Stolen time is what a script takes with {@linkcode VirtualTime.steal}: a
 * CPU's available time is the real time without it. An alarm fires when its counter reaches the expiry; a periodic one
 * goes on at the first multiple after the current time (missed ones are dropped). Wired to LVTT it requests the vector of
 * the CPU's local timer: while that is masked, ticks of a periodic alarm are lost and a one-shot alarm waits.
 * An alarm of the far future, at 2^52 ticks or later, never comes.
 * The wall clock goes with real time from its date at power-on on; a script may set it, and WallclockUpdated says so once.
 * Sources: Paravirtualization API 2.0, timer section; Linux vmiclock.c. Warm.
 */
import type { Timer } from "../../core/clock.ts";
import type { Section } from "../../core/component.ts";
import { ConfigError, InternalError } from "../../core/errors.ts";
import { takeFields } from "../../core/sections.ts";
import { ParavirtAlarm, ParavirtCounter } from "../../spec/paravirt_calls.ts";
import type { CallAnswer, ParavirtCall, ParavirtHost } from "./backend.ts";

/** 2000-01-01 00:00 UTC in nanoseconds: what the wall clock shows at power-on unless told otherwise. */
export const DEFAULT_EPOCH = 946_684_800_000_000_000n;

/** A one-shot alarm whose local timer is masked looks again so often in a second. */
const RETRIES = 1000;
/**
 * From this tick on no alarm comes, and one that is due then stays armed for ever: a machine that slept until then could
 * not count on, as its time is exact to 2^53 ticks. At 1 GHz it is the 53rd day.
 */
const NEVER = 2 ** 52;
/** Alarms a CPU: one of real, one of available time. */
const ALARMS = 2;

interface Alarm {
  expiry: number;
  period: number;
  armed: boolean;
  /** Wired to the local timer. */
  local: boolean;
}

/** The time calls of one machine. */
export class VirtualTime {
  readonly #epoch: bigint;
  /** Alarms of all CPUs: those of CPU n are at ALARMS * n. */
  #alarms: Alarm[] = [];
  #timers: Timer[] = [];
  #stolen: number[] = [];
  /** Nanoseconds by which the wall clock was set. */
  #jumped = 0n;
  /** It was, and the guest has not asked yet. */
  #updated = false;
  #host: ParavirtHost | undefined;

  /** @param epoch Nanoseconds since 1970 at power-on. */
  constructor(epoch: bigint = DEFAULT_EPOCH) {
    this.#epoch = epoch;
  }

  /** Called once. */
  attach(host: ParavirtHost): void {
    this.#host = host;
    const count = ALARMS * host.cpus;
    this.#alarms = Array.from({ length: count }, () => ({ expiry: 0, period: 0, armed: false, local: false }));
    this.#timers = this.#alarms.map((_, n) => {
      const cpu = Math.floor(n / ALARMS), name = `paravirt-alarm${n % ALARMS}`;
      return host.clock.timer(cpu === 0 ? name : `${name}-cpu${cpu}`, () => this.#fire(n));
    });
    this.#stolen = Array.from({ length: host.cpus }, () => 0);
  }

  /** Answers one of the time calls; `undefined` for a time call without result, `"native"` for any other call. */
  call(call: ParavirtCall): CallAnswer {
    const { clock } = this.#attached();
    switch (call.name) {
      case "GetCycleFrequency":
        return BigInt(clock.hz);
      case "GetCycleCounter":
        return this.#counter(call.cpu, Number(call.args["counter"]));
      case "GetWallclockTime":
        return this.#wallclock();
      case "WallclockUpdated": {
        const updated = this.#updated ? 1 : 0;
        this.#updated = false;
        return updated;
      }
      case "SetAlarm":
        this.#setAlarm(
          call.cpu,
          Number(call.args["flags"]),
          call.args["expiry"] as bigint,
          call.args["period"] as bigint,
        );
        return undefined;
      case "CancelAlarm": {
        const n = Number(call.args["flags"]) & ParavirtAlarm.counterMask;
        return n < ALARMS ? this.#cancel(ALARMS * call.cpu + n) : 0;
      }
      default:
        return "native";
    }
  }

  /**
   * Somebody else had the processor of CPU `cpu` for `ticks` of real time: they count as stolen. Alarms of available time
   * come so much later.
   */
  steal(cpu: number, ticks: number): void {
    if (!Number.isInteger(ticks) || ticks < 0 || this.#stolen[cpu] === undefined) {
      throw new ConfigError("paravirt-time", `Cannot steal ${ticks} ticks from CPU ${cpu}`);
    }
    this.#stolen[cpu] += ticks;
    const n = ALARMS * cpu + ParavirtCounter.available, alarm = this.#alarms[n];
    if (alarm?.armed === true) this.#arm(n, alarm);
  }

  /** The wall clock jumps to this time. */
  setWallclock(nanoseconds: bigint): void {
    if (typeof nanoseconds !== "bigint" || nanoseconds < 0n || nanoseconds >= 1n << 63n) {
      throw new ConfigError(
        "paravirt-time",
        `The wall clock cannot show ${nanoseconds}; give a bigint, nanoseconds since 1970 UTC`,
      );
    }
    this.#jumped += nanoseconds - this.#wallclock();
    this.#updated = true;
  }

  /** No alarm is armed, nothing was stolen, the wall clock shows its date at power-on. */
  reset(): void {
    this.#alarms.forEach((_, n) => this.#cancel(n));
    this.#stolen.fill(0);
    this.#jumped = 0n;
    this.#updated = false;
  }

  /** Saves the alarms; their timers are in the clock's section. */
  save(): Section {
    return {
      version: 3,
      fields: {
        alarms: this.#alarms.map((a) => ({ ...a })),
        stolen: [...this.#stolen],
        jumped: this.#jumped,
        updated: this.#updated,
      },
    };
  }

  /** Restores the alarms. */
  load(section: Section): void {
    if (section.version !== 3) {
      throw new ConfigError("snapshot-version", `Alarm section has version ${section.version}, this library reads 3`);
    }
    this.#jumped = section.fields["jumped"] as bigint;
    this.#updated = section.fields["updated"] === true;
    const saved = section.fields["alarms"] as unknown as readonly Alarm[];
    this.#alarms.forEach((a, n) => takeFields(a, saved[n]));
    this.#stolen = [...section.fields["stolen"] as readonly number[]];
  }

  #attached(): ParavirtHost {
    if (this.#host === undefined) throw new InternalError("The paravirtual time calls have no clock yet");
    return this.#host;
  }

  #wallclock(): bigint {
    const { clock } = this.#attached();
    return this.#epoch + this.#jumped + BigInt(Math.floor(clock.now)) * 1_000_000_000n / BigInt(clock.hz);
  }

  #counter(cpu: number, n: number): bigint {
    const now = Math.floor(this.#attached().clock.now), stolen = this.#stolen[cpu] ?? 0;
    if (n === ParavirtCounter.real) return BigInt(now);
    if (n === ParavirtCounter.available) return BigInt(now - stolen);
    return n === ParavirtCounter.stolen ? BigInt(stolen) : 0n;
  }

  #setAlarm(cpu: number, flags: number, expiry: bigint, period: bigint): void {
    const which = flags & ParavirtAlarm.counterMask, n = ALARMS * cpu + which;
    const alarm = this.#alarms[n];
    if (which >= ALARMS || alarm === undefined) return; // stolen time and unknown counters have no alarm
    alarm.local = (flags & ParavirtAlarm.wiredLvtt) !== 0;
    if (alarm.local && !this.#attached().hasLocalTimer) {
      this.#attached().trace("SetAlarm: the machine has no local timer to wire it to, using line 0");
      alarm.local = false;
    }
    alarm.expiry = Number(expiry);
    alarm.period = flags & ParavirtAlarm.periodic ? Number(period) : 0;
    alarm.armed = true;
    this.#arm(n, alarm);
  }

  /** The clock counts real time. */
  #arm(n: number, alarm: Alarm): void {
    const late = n % ALARMS === ParavirtCounter.available ? this.#stolen[Math.floor(n / ALARMS)] ?? 0 : 0;
    const at = alarm.expiry + late, timer = this.#timers[n];
    if (at < NEVER) timer?.armAt(at);
    else timer?.cancel();
  }

  #cancel(n: number): number {
    const alarm = this.#alarms[n];
    if (alarm === undefined || !alarm.armed) return 0;
    alarm.armed = false;
    this.#timers[n]?.cancel();
    return 1;
  }

  #fire(n: number): void {
    const host = this.#attached(), cpu = Math.floor(n / ALARMS);
    const alarm = this.#alarms[n];
    if (alarm === undefined || !alarm.armed) return;
    if (alarm.period > 0) {
      const now = Number(this.#counter(cpu, n % ALARMS));
      alarm.expiry += (Math.floor((now - alarm.expiry) / alarm.period) + 1) * alarm.period;
      this.#arm(n, alarm);
    }
    if (!alarm.local) host.raiseTimer();
    else if (!host.localTimer(cpu) && alarm.period === 0) {
      this.#timers[n]?.armAt(host.clock.now + Math.ceil(host.clock.hz / RETRIES));
      return;
    }
    if (alarm.period === 0) alarm.armed = false;
  }
}
