/**
 * CPU models: which features are there, and what CPUID says. A model is data; the decoder takes its feature list, CPUID
 * its leaves. Sources: SDM-2A CPUID. Cold.
 */
import type { CpuFeature } from "../../spec/i386_ops.ts";

/** Names of the models that ship. */
export type ModelName = "386" | "486" | "pentium" | "pentium3" | "pentium4";

/** One CPU model. */
export interface Model {
  /** Name, for messages. */
  readonly name: string;
  /** Features the decoder accepts. */
  readonly features: ReadonlySet<CpuFeature>;
  /** CPUID vendor string, 12 characters. */
  readonly vendor: string;
  /** Leaf 1 EAX: type, family, model, stepping. */
  readonly signature: number;
  /** Leaf 1 EDX. */
  readonly featureBits: number;
  /** Leaf 1 ECX. */
  readonly featureBits2: number;
  /** Leaf 0x80000001 EDX. */
  readonly extendedBits: number;
  /** Brand string for leaves 0x80000002-4, empty: none. */
  readonly brand: string;
  /** Highest basic leaf; 0 with no CPUID instruction at all is told by the feature set. */
  readonly maxLeaf: number;
}
