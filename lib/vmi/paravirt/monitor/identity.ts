/**
 * What a guest that was told of its monitor learns from CPUID, by call and by the instruction: the processor without
 * SYSENTER, which would enter ring 0. The two must agree, for a kernel uses both. Warm.
 */
import { Reg } from "../../../spec/i386_regs.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** Leaf 1 EDX: SYSENTER. */
const SEP = 1 << 11;

/** CPUID as the guest is to see it; sets EBX, ECX and EDX. @returns EAX. */
export function identify(cpu: VirtualCpu, leaf: number, subleaf: number): number {
  const { guest } = cpu;
  const [a, b, c, d] = guest.cpuid(leaf, subleaf);
  guest.setReg(Reg.ebx, b);
  guest.setReg(Reg.ecx, c);
  guest.setReg(Reg.edx, leaf === 1 && !cpu.offersSysenter ? (d & ~SEP) >>> 0 : d);
  return a;
}
