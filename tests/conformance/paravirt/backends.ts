/** The backends that must pass the conformance suite. */
import { direct, hardware, native, type ParavirtBackend, scripted, shadow, trap } from "../../../mod.ts";

/** What the suite knows of a backend. */
export interface Candidate {
  /** Makes one. */
  make(): ParavirtBackend;
  /** The guest's kernel is in ring 1 and the hypervisor keeps the real registers. */
  readonly deprivileges: boolean;
  /** The guest is told nothing: it makes no calls and executes the instructions themselves. */
  readonly transparent: boolean;
}

/** Backends that answer the calls, by name. */
export const CANDIDATES: Readonly<Record<string, Candidate>> = {
  native: { make: () => native(), deprivileges: false, transparent: false },
  scripted: { make: () => scripted(), deprivileges: false, transparent: false },
  direct: { make: () => direct(), deprivileges: true, transparent: false },
  shadow: { make: () => shadow(), deprivileges: true, transparent: false },
};

/** Backends of which the guest knows nothing, by name. */
export const TRANSPARENT: Readonly<Record<string, Candidate>> = {
  trap: { make: () => trap(), deprivileges: true, transparent: true },
  hardware: { make: () => hardware(), deprivileges: false, transparent: true },
  "hardware with shadow paging": {
    make: () => hardware({ paging: "shadow" }),
    deprivileges: false,
    transparent: true,
  },
};

/** All of them. */
export const ALL: Readonly<Record<string, Candidate>> = { ...CANDIDATES, ...TRANSPARENT };
