/**
 * The CPU models that ship. CPUID says what is there and nothing else: no MTRR, PAT, machine check or performance
 * counters, since they are not emulated. Sources: SDM-2A CPUID (family, model and feature bits). Cold data.
 */
import type { CpuFeature } from "../../spec/i386_ops.ts";
import type { Model, ModelName } from "./model.ts";

/** Feature bits of CPUID leaf 1 EDX that vmikit can have. */
const Edx = {
  fpu: 1 << 0,
  de: 1 << 2,
  pse: 1 << 3,
  tsc: 1 << 4,
  msr: 1 << 5,
  pae: 1 << 6,
  cx8: 1 << 8,
  sep: 1 << 11,
  pge: 1 << 13,
  cmov: 1 << 15,
  clflush: 1 << 19,
  mmx: 1 << 23,
  fxsr: 1 << 24,
  sse: 1 << 25,
  sse2: 1 << 26,
} as const;

const VENDOR = "GenuineIntel";
// VMCALL is the hypercall instruction of the board; without a listener it raises #UD as it should.
const BASIC: readonly CpuFeature[] = ["386", "x87", "vmx"];
const TO_486: readonly CpuFeature[] = [...BASIC, "486", "cpuid"];
const PENTIUM: readonly CpuFeature[] = [...TO_486, "586", "tsc", "msr", "cx8"];
const PENTIUM3: readonly CpuFeature[] = [...PENTIUM, "sep", "cmov", "mmx", "fxsr", "sse"];
const PENTIUM4: readonly CpuFeature[] = [...PENTIUM3, "sse2", "clflush"];

function model(
  name: ModelName,
  features: readonly CpuFeature[],
  signature: number,
  featureBits: number,
  more: { readonly extendedBits?: number; readonly brand?: string } = {},
): Model {
  return {
    name,
    features: new Set(features),
    vendor: VENDOR,
    signature,
    featureBits,
    featureBits2: 0,
    extendedBits: more.extendedBits ?? 0,
    brand: more.brand ?? "",
    maxLeaf: 1,
  };
}

const EDX_486 = Edx.fpu;
const EDX_586 = EDX_486 | Edx.de | Edx.pse | Edx.tsc | Edx.msr | Edx.cx8;
const EDX_P3 = EDX_586 | Edx.pae | Edx.sep | Edx.pge | Edx.cmov | Edx.mmx | Edx.fxsr | Edx.sse;

/** Models by name. */
export const MODELS: Readonly<Record<ModelName, Model>> = {
  "386": model("386", [...BASIC, "tr"], 0x308, 0),
  "486": model("486", [...TO_486, "tr"], 0x480, EDX_486),
  "pentium": model("pentium", PENTIUM, 0x52c, EDX_586),
  "pentium3": model("pentium3", PENTIUM3, 0x683, EDX_P3),
  "pentium4": model("pentium4", PENTIUM4, 0xf29, EDX_P3 | Edx.clflush | Edx.sse2, {
    extendedBits: 1 << 20, // NX
    brand: "vmikit virtual CPU",
  }),
};
