/**
 * CPU registers as a snapshot section: named fields, no engine data, so that any engine can resume it. Cold.
 */
import type { FieldValue, Section } from "../../core/component.ts";
import { ConfigError } from "../../core/errors.ts";
import { readEflags, writeEflags } from "./flags.ts";
import { type CpuState, Layout, Seg } from "./state.ts";
import type { TlbModel } from "./tlb_model.ts";

const VERSION = 1;

/** Scalar fields saved by name. */
const SCALARS = [
  "eip",
  "cpl",
  "shadow",
  "noDebug",
  "halted",
  "cr0",
  "cr2",
  "cr3",
  "cr4",
  "dr6",
  "dr7",
  "gdtBase",
  "gdtLimit",
  "idtBase",
  "idtLimit",
  "efer",
  "sysenterCs",
  "sysenterEsp",
  "sysenterEip",
  "pendingDebug",
  "nmiBlocked",
  "nmiPending",
  "fcw",
  "fsw",
  "ftop",
  "fempty",
  "fop",
  "fip",
  "fcs",
  "fdp",
  "fds",
  "mxcsr",
  "tscLow",
  "tscHigh",
  "tablesPhysical",
] as const satisfies readonly (keyof typeof Layout)[]; // deno-fmt-ignore

const SEGMENT_NAMES = ["es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr"] as const;

/** Blocks saved as bytes: field and length. */
const BLOCKS = { pdptr: 32, apicBase: 8, fpr: 128, xmm: 128 } as const;

/** Saves the registers, and what the modelled look-aside table holds. */
export function saveState(s: CpuState, retired: number, shutdown: boolean, tlb: TlbModel | undefined): Section {
  const fields: Record<string, FieldValue> = { retired, shutdown, eflags: readEflags(s) };
  for (const name of SCALARS) fields[name] = s.get(Layout[name]) >>> 0;
  fields.regs = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => s.reg32(n) >>> 0);
  fields.dr = [0, 1, 2, 3].map((n) => s.get(Layout.dr + 4 * n) >>> 0);
  const segments: Record<string, FieldValue> = {};
  SEGMENT_NAMES.forEach((name, n) => {
    const one: Record<string, FieldValue> = {};
    for (const [field, at] of Object.entries(Seg)) one[field] = s.seg(n, at) >>> 0;
    segments[name] = one;
  });
  fields.segments = segments;
  for (const [name, length] of Object.entries(BLOCKS)) {
    const at = Layout[name as keyof typeof BLOCKS];
    fields[name] = s.u8.slice(at, at + length);
  }
  if (tlb !== undefined) fields.tlb = tlb.save();
  return { version: VERSION, fields };
}

/** Restores what {@linkcode saveState} gave. @throws {ConfigError} snapshot-version */
export function loadState(
  s: CpuState,
  section: Section,
  tlb: TlbModel | undefined,
): { retired: number; shutdown: boolean } {
  if (section.version !== VERSION) {
    throw new ConfigError(
      "snapshot-version",
      `CPU section has version ${section.version}, this library reads ${VERSION}`,
    );
  }
  const f = section.fields;
  s.i32.fill(0);
  for (const name of SCALARS) s.set(Layout[name], f[name] as number);
  (f.regs as number[]).forEach((v, n) => s.setReg32(n, v));
  (f.dr as number[]).forEach((v, n) => s.set(Layout.dr + 4 * n, v));
  const segments = f.segments as Record<string, Record<string, number>>;
  SEGMENT_NAMES.forEach((name, n) => {
    for (const [field, at] of Object.entries(Seg)) s.setSeg(n, at, segments[name][field]);
  });
  for (const name of Object.keys(BLOCKS)) s.u8.set(f[name] as Uint8Array, Layout[name as keyof typeof BLOCKS]);
  writeEflags(s, f.eflags as number);
  if (f.tlb === undefined) tlb?.reset();
  else tlb?.load(f.tlb);
  return { retired: f.retired as number, shutdown: f.shutdown as boolean };
}
