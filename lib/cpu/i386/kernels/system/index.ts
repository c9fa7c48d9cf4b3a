/**
 * All system kernels by number, and which one serves a decoded instruction. Cold; looked up once an instruction is
 * translated.
 */
import { SegReg } from "../../segment.ts";
import { Layout, SEG_BYTES } from "../../state.ts";
import { EVENT_KERNELS } from "./events.ts";
import { FLAG_KERNELS } from "./flags.ts";
import type { SystemKernel, SystemOperands, SystemPlace } from "./kernel.ts";
import { SEGMENT_KERNELS } from "./segments.ts";
import { TIME_KERNELS } from "./time.ts";

/** All system kernels; the index is the kernel's number. */
export const SYSTEM_KERNELS: readonly SystemKernel[] = [
  ...SEGMENT_KERNELS,
  ...FLAG_KERNELS,
  ...EVENT_KERNELS,
  ...TIME_KERNELS,
];

/** Number of the kernel that enters the handler of a fault: `a` is the vector, `b` the error code. */
export const FAULT_KERNEL: number = SYSTEM_KERNELS.findIndex((k) => k.sem === "fault");

const BY_SEM: ReadonlyMap<string, readonly number[]> = Map.groupBy(
  SYSTEM_KERNELS.keys(),
  (n) => SYSTEM_KERNELS[n].sem,
);

/** A kernel with its parameters. */
export interface SystemUse {
  /** Number of the kernel. */
  readonly number: number;
  /** First parameter. */
  readonly a: number;
  /** Second parameter. */
  readonly b: number;
}

/** The kernel of an instruction in flat 32-bit code, and its parameters; `state` is the byte address of the state block. */
export function systemUse(d: SystemOperands, state: number): SystemUse | undefined {
  for (const number of BY_SEM.get(d.row.sem) ?? []) {
    const { isMem, serves, inCode, a, b } = SYSTEM_KERNELS[number];
    const isPlain = d.addrSize === 32 && d.seg < SegReg.fs && (d.seg !== SegReg.cs || inCode === true);
    if (isMem !== d.isMem || isMem && !isPlain || serves?.(d) === false) continue;
    return { number, a: valueOf(a, d, state), b: valueOf(b, d, state) };
  }
  return undefined;
}

const SEGMENTS: Readonly<Record<string, number>> = SegReg;
const CONTROL: Readonly<Record<number, number>> = { 0: Layout.cr0, 2: Layout.cr2, 3: Layout.cr3 };

function valueOf(place: SystemPlace, d: SystemOperands, state: number): number {
  switch (place) {
    case "none":
      return 0;
    case "segment":
      return state + Layout.segs + SEGMENTS[d.row.operands[0]] * SEG_BYTES;
    case "segmentReg":
      return state + Layout.segs + d.reg * SEG_BYTES;
    case "gprRm":
      return state + Layout.regs + 4 * d.rm;
    case "controlReg":
      return state + CONTROL[d.reg];
    case "imm":
      return d.imm & 0xff;
    case "length":
      return d.length;
  }
}
