/**
 * Backend `native`: every call that has a native equivalent is plain i386 code in its slot, and the guest's kernel stays
 * in ring 0. It shows transparent paravirtualization at its smallest cost: a call and a return.
 *
 * Init and the time calls have no code of their own; they trap and are answered from virtual time. With
 * `hypercalls: false` nothing traps (the time calls are then left to the guest's own hardware), so that the ROM runs on
 * any machine, this emulator or another. Cold.
 *
 * Not emulated: SetInitialAPState, APICRead and APICWrite are left to the guest's native way; MachineToPhysical,
 * PhysicalToMachine and SetCallbacks, which no document describes, are not there.
 */
import type { Section } from "../../../core/component.ts";
import type { ParavirtName } from "../../../spec/paravirt_calls.ts";
import { ConfigError } from "../../../core/errors.ts";
import { sectionValue } from "../backend.ts";
import type { CallAnswer, ParavirtBackend, ParavirtCall, ParavirtHost, SlotPlan } from "../backend.ts";
import { IretSite } from "../iret_site.ts";
import { JUMPED, NATIVE_CODE } from "../../../spec/paravirt_native.ts";
import { VirtualTime } from "../time.ts";

/** What can be chosen; everything has a default. */
export interface NativeOptions {
  /** False: no slot traps and there are no time calls. Default true. */
  readonly hypercalls?: boolean;
  /** Wall clock at power-on, nanoseconds since 1970 UTC; default 2000-01-01. */
  readonly epoch?: bigint;
}

const TIME: ReadonlySet<ParavirtName> = new Set<ParavirtName>([
  "GetCycleFrequency",
  "GetCycleCounter",
  "SetAlarm",
  "CancelAlarm",
  "GetWallclockTime",
  "WallclockUpdated",
]);

/** Makes a native backend. */
export function native(options: NativeOptions = {}): ParavirtBackend {
  const time = new VirtualTime(options.epoch);
  const traps = options.hypercalls ?? true;
  const site = new IretSite(false);
  return {
    name: "native",
    steal: (cpu: number, ticks: number): void => time.steal(cpu, ticks),
    setWallclock: (nanoseconds: bigint): void => time.setWallclock(nanoseconds),
    attach: (host: ParavirtHost): void => {
      time.attach(host);
      site.attach(host);
    },
    slot: (name: ParavirtName): SlotPlan => nativeSlot(name, traps, traps && name === "Init"),
    call: (call: ParavirtCall): CallAnswer => {
      if (call.name === "Init") site.found(call);
      return time.call(call);
    },
    reset: (): void => resetBoth(time, site),
    save: (): Section => saveBoth(time, site),
    load: (section: Section): void => loadBoth(section, time, site),
  };
}

/** Power-on state of the parts of a backend whose guest stays in ring 0. */
export function resetBoth(time: VirtualTime, site: IretSite): void {
  time.reset();
  site.reset();
}

/** Their section. */
export function saveBoth(time: VirtualTime, site: IretSite): Section {
  return { version: 2, fields: { time: sectionValue(time.save()), iret: sectionValue(site.save()) } };
}

/** Restores them. @throws {ConfigError} snapshot-version */
export function loadBoth(section: Section, time: VirtualTime, site: IretSite): void {
  if (section.version !== 2) {
    throw new ConfigError("snapshot-version", `Backend section has version ${section.version}, this library reads 2`);
  }
  time.load(section.fields["time"] as unknown as Section);
  site.load(section.fields["iret"] as unknown as Section);
}

/** The native plan of a call: its code if it has one, a trap for a time call if `time`. */
export function nativeSlot(name: ParavirtName, time: boolean, trap: boolean): SlotPlan {
  const code = NATIVE_CODE[name];
  if (code !== undefined) return { reloc: JUMPED.has(name) ? "jump" : "call", trap, code };
  if (time && TIME.has(name)) return { reloc: "call", trap: true, code: ["c3 | ret"] };
  return { reloc: "none" };
}
