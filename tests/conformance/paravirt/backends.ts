/** The backends that must pass the conformance suite. */
import { direct, native, type ParavirtBackend, scripted, shadow } from "../../../mod.ts";

/** What the suite knows of a backend. */
export interface Candidate {
  /** Makes one. */
  make(): ParavirtBackend;
  /** The guest's kernel is in ring 1 and the hypervisor keeps the real registers. */
  readonly deprivileges: boolean;
}

/** All of them by name. */
export const CANDIDATES: Readonly<Record<string, Candidate>> = {
  native: { make: () => native(), deprivileges: false },
  scripted: { make: () => scripted(), deprivileges: false },
  direct: { make: () => direct(), deprivileges: true },
  shadow: { make: () => shadow(), deprivileges: true },
};
