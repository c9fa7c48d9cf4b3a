/**
 * The backends that the client runs on: those of the conformance suite, ROMs that answer as little as a kernel can live
 * with, or as oddly, and none at all. A column says what a backend does not have; tests that need it say so.
 */
import { direct, native, type ParavirtBackend, type ParavirtName, shadow, type SlotPlan } from "../../../mod.ts";
import { CANDIDATES, TRANSPARENT } from "../paravirt/backends.ts";

/** What the suite knows of a backend. */
export interface ClientCandidate {
  /** Makes one. */
  make(): ParavirtBackend;
  /** Ring of the kernel after Init. */
  readonly ring: 0 | 1;
  /** No ROM is found: the kernel stays on bare hardware. */
  readonly bare?: boolean;
  /** Why a faulting IRET is reported in the ROM, and not at the site that called it. */
  readonly siteUnknown?: string;
  /** Why an entry that maps a page table may read without its write bit. */
  readonly lowersTables?: string;
}

/** Checks that fail where the site of an IRET is not known. */
const SITE = /^IRET with .*: at the site/;
/** Checks that fail where entries that map page tables are lowered: the client maps such tables in its fixmap. */
const LOWERED = /^a fixmap entry is there at once/;

/** Failed checks of a client for which its backend has no reason. */
export function unexpected(candidate: ClientCandidate, failures: readonly string[]): string[] {
  return failures.filter((text) =>
    (candidate.siteUnknown === undefined || !SITE.test(text)) &&
    (candidate.lowersTables === undefined || !LOWERED.test(text))
  );
}

/** How many checks of IRET's site have failed. */
export function sitesMissed(failures: readonly string[]): number {
  return failures.filter((text) => SITE.test(text)).length;
}

/** A native backend with some slots of another plan. */
function replaced(
  name: string,
  slots: Readonly<Partial<Record<ParavirtName, SlotPlan>>>,
  others?: SlotPlan,
): ClientCandidate {
  const make = (): ParavirtBackend => {
    const base = native();
    const slot = (call: ParavirtName): SlotPlan =>
      slots[call] ?? (call === "Init" ? base.slot(call) : others ?? base.slot(call));
    return { ...base, name, slot };
  };
  return { make, ring: 0 };
}

const JUMPED_IRET: SlotPlan = { reloc: "jump", trap: false, code: ["cf | iretd"] };
const CALLED_SYSEXIT: SlotPlan = { reloc: "call", trap: false, code: ["fb | sti", "0f 35 | sysexit"] };
const JUMPED_SYSEXIT: SlotPlan = { ...CALLED_SYSEXIT, reloc: "jump" };
const NOP: SlotPlan = { reloc: "nop" };

/** All of them by name. */
export const CLIENT_CANDIDATES: Readonly<Record<string, ClientCandidate>> = {
  ...Object.fromEntries(
    Object.entries(CANDIDATES).map(([name, c]): [string, ClientCandidate] => [
      name,
      { make: () => c.make(), ring: c.deprivileges ? 1 : 0 },
    ]),
  ),
  direct: {
    make: () => direct(),
    ring: 1,
    lowersTables: "direct paging uses the guest's tables in place, and nobody may write to a table (direct_mmu.ts)",
  },
  "shadow with SYSENTER": { make: () => shadow({ sysenter: true }), ring: 1 },
  "native without hypercalls": {
    make: () => native({ hypercalls: false }),
    ring: 0,
    siteUnknown: "nothing traps, so the host does not know where the ROM is (reference, 13.2)",
  },
  "IRET and SYSEXIT alone": replaced("least", { IRET: JUMPED_IRET, SYSEXIT: JUMPED_SYSEXIT }, { reloc: "none" }),
  "NOP answers": replaced("nops", { IODelay: NOP, WBINVD: NOP, SYSEXIT: CALLED_SYSEXIT }),
  ...Object.fromEntries(
    Object.entries(TRANSPARENT).map(([name, c]): [string, ClientCandidate] => [
      name,
      { make: () => c.make(), ring: 0, bare: true },
    ]),
  ),
  "bare hardware": { make: () => native(), ring: 0, bare: true },
};
