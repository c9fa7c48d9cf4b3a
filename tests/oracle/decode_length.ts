/**
 * Lengths of our decoder against iced-x86 over random byte strings, both code sizes, with prefixes and 0F drawn often.
 *
 * Both must call the same strings instructions and find the same length. Not compared, each by feature or by name:
 * - instructions of features no model of ours has (iced names the feature): SSE3 and later, AVX, 3DNow!, VMX but VMCALL,
 *   SVM but VMMCALL, SMM, SYSCALL, BMI, XSAVE, VIA's and the like; ours must call them undefined.
 * - segment and control registers that do not exist, and MOV to CS: #UD is raised by the instruction, not the decoder.
 * - 0F 0D with a register: a hint to Intel's 64-bit processors, undefined to AMD's and to us.
 * iced's options: test registers and all reserved hints are known; BSF and BSR do not become TZCNT and LZCNT; WBINVD
 * does not become WBNOINVD. Cold.
 */
import { hexBytes } from "../../lib/base/hex.ts";
import { Prng } from "../../lib/base/prng.ts";
import { decode, Decoded, DecodeStatus } from "../../lib/cpu/i386/decode.ts";
import { MODELS } from "../../lib/cpu/i386/models.ts";
import { opcodeIndex } from "../../lib/cpu/i386/opcode_index.ts";
import type { CpuFeature } from "../../lib/spec/i386_ops.ts";
import { Code, CpuidFeature, Decoder, DecoderOptions } from "../../scripts/deps/iced.ts";

/** What a comparison came to. */
export interface LengthReport {
  /** Strings both decoders were asked about. */
  readonly strings: number;
  /** Strings that are an instruction to both, with one length. */
  readonly instructions: number;
  /** Strings not compared, by feature or reason. */
  readonly excluded: ReadonlyMap<string, number>;
  /** Disagreements. */
  readonly wrong: readonly string[];
}

const OPTIONS = DecoderOptions.MovTr | DecoderOptions.ForceReservedNop | DecoderOptions.NoMPFX_0FBC |
  DecoderOptions.NoMPFX_0FBD | DecoderOptions.NoWbnoinvd;

/** iced's features that the newest model has. */
const OURS: ReadonlySet<number> = new Set([
  CpuidFeature.INTEL8086,
  CpuidFeature.INTEL8086_ONLY,
  CpuidFeature.INTEL186,
  CpuidFeature.INTEL286,
  CpuidFeature.INTEL386,
  CpuidFeature.INTEL386_ONLY,
  CpuidFeature.INTEL486,
  CpuidFeature.FPU,
  CpuidFeature.FPU287,
  CpuidFeature.FPU387,
  CpuidFeature.CPUID,
  CpuidFeature.TSC,
  CpuidFeature.MSR,
  CpuidFeature.CX8,
  CpuidFeature.SEP,
  CpuidFeature.CMOV,
  CpuidFeature.MMX,
  CpuidFeature.FXSR,
  CpuidFeature.SSE,
  CpuidFeature.SSE2,
  CpuidFeature.CLFSH,
  CpuidFeature.MULTIBYTENOP,
  CpuidFeature.PAUSE,
]);

/** Valid to iced with a feature of ours, and yet no instruction of ours: a hint with a register. */
const RESERVED = /^Reservednop_rm\d+_r\d+_0F0D$/;

const PREFIXES: readonly number[] = [0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65];

/** A string of 16 bytes to decode. */
function draw(rng: Prng): Uint8Array {
  const bytes = rng.bytes(16);
  let n = 0;
  while (n < 14 && rng.below(3) === 0) bytes[n++] = rng.pick(PREFIXES);
  if (rng.below(200) === 0) bytes.fill(0x2e, 0, n = 8 + rng.below(7));
  if (rng.below(2) === 0 && n < 15) bytes[n] = 0x0f;
  return bytes;
}

/** True for registers that do not exist: our decoder takes them, the instruction raises #UD. */
function isMissingRegister(d: Decoded): boolean {
  switch (d.row.sem) {
    case "movFromSreg":
      return d.reg > 5;
    case "movToSreg":
      return d.reg > 5 || d.reg === 1;
    case "movFromCr":
    case "movToCr":
      return d.reg !== 0 && (d.reg < 2 || d.reg > 4);
    default:
      return false;
  }
}

/** Compares `count` strings. */
export function compareLengths(count: number, seed: number): LengthReport {
  const rng = new Prng(seed);
  const features: ReadonlySet<CpuFeature> = new Set([...MODELS.pentium4.features, "tr"]);
  const index = opcodeIndex(features);
  const d = new Decoded();
  const excluded = new Map<string, number>();
  const wrong: string[] = [];
  let instructions = 0;
  const exclude = (why: string): void => void excluded.set(why, (excluded.get(why) ?? 0) + 1);
  for (let k = 0; k < count; k++) {
    const bytes = draw(rng);
    const bits = rng.below(2) === 0 ? 16 : 32;
    const status = decode(bytes, 0, bytes.length, bits === 32, index, d);
    const ours = status === DecodeStatus.ok ? d.length : 0;
    const decoder = new Decoder(bits, bytes, OPTIONS);
    const one = decoder.decode();
    const theirs = one.isInvalid ? 0 : one.length;
    if (ours === theirs) {
      if (ours !== 0) instructions++;
    } else {
      const names = [...one.cpuidFeatures()].map((f) => CpuidFeature[f]).join("+");
      const foreign = [...one.cpuidFeatures()].some((f) => !OURS.has(f));
      if (ours === 0 && foreign) exclude(names);
      else if (ours === 0 && RESERVED.test(Code[one.code])) exclude(`reserved ${names}`);
      else if (theirs === 0 && isMissingRegister(d)) exclude("register that does not exist");
      else wrong.push(`${hexBytes(bytes)} in ${bits}-bit code: ${ours}, iced ${theirs} (${Code[one.code]})`);
    }
    one.free();
    decoder.free();
  }
  return { strings: count, instructions, excluded, wrong };
}
