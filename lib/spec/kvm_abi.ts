/**
 * What KVM and its guests have agreed on: CPUID leaves, model-specific registers, hypercalls, error numbers, and the
 * layout of the structures in guest memory. Sources: Linux, Documentation/virt/kvm/x86: cpuid.rst, msr.rst,
 * hypercalls.rst; include/uapi/linux/kvm_para.h for the numbers. Cold data.
 */

/** CPUID leaves and what they say. */
export const KvmCpuid = {
  /** EAX: highest leaf; EBX, ECX, EDX: the signature. */
  signatureLeaf: 0x40000000,
  /** EAX: features; EDX: hints. */
  featuresLeaf: 0x40000001,
  /** Padded with zero bytes. */
  signature: "KVMKVMKVM",
} as const;

/** Feature bits of the features leaf, EAX. */
export const KvmFeature = {
  /** Clock through the registers 0x11 and 0x12. */
  clocksource: 0x1,
  /** The guest need not delay between port accesses. */
  nopIoDelay: 0x2,
  /** Clock through the registers 0x4b564d00 and 0x4b564d01. */
  clocksource2: 0x8,
  /** Stolen time through 0x4b564d03. */
  stealTime: 0x20,
  /** KICK_CPU wakes a CPU that has halted. */
  pvUnhalt: 0x80,
  /** SEND_IPI. */
  pvSendIpi: 0x800,
  /** SCHED_YIELD. */
  pvSchedYield: 0x2000,
  /** The flag of a stable time-stamp counter in the clock's flags can be trusted. */
  clocksourceStable: 0x1000000,
} as const;

/** Model-specific registers. */
export const KvmMsr = {
  /** Wall clock, old number. */
  wallClockOld: 0x11,
  /** System time, old number. */
  systemTimeOld: 0x12,
  /** Wall clock: a write of an address fills the structure there. */
  wallClock: 0x4b564d00,
  /** System time of this CPU: address, bit 0 enables. */
  systemTime: 0x4b564d01,
  /** Stolen time of this CPU: address, 64-byte aligned, bit 0 enables. */
  stealTime: 0x4b564d03,
} as const;

/** Bits 1 to 5 of the stolen-time register must be zero. */
export const KVM_STEAL_RESERVED = 0x3e;

/** Flag in the clock structure: times of different CPUs agree. */
export const PVCLOCK_TSC_STABLE = 1;

/** Sizes in bytes of the structures in guest memory. */
export const KvmSize = { systemTime: 32, wallClock: 12, stealTime: 64, clockPairing: 64 } as const;

/** Error numbers; a hypercall returns them negated. */
export const KvmError = { perm: 1, fault: 14, inval: 22, opNotSupp: 95, noSys: 1000 } as const;

/** Bits of the command word that SEND_IPI refuses: logical destination mode and shorthand. */
export const KVM_ICR_REFUSED = 0xc0800;

/** Numbers and arguments (EBX, ECX, EDX, ESI in this order) of the hypercalls that x86 has or had. */
export const KVM_CALLS = [
  { no: 1, name: "VAPIC_POLL_IRQ", args: [] },
  { no: 2, name: "MMU_OP", args: ["a0", "a1", "a2", "a3"] },
  { no: 3, name: "FEATURES", args: [] },
  { no: 5, name: "KICK_CPU", args: ["flags", "apicId"] },
  { no: 9, name: "CLOCK_PAIRING", args: ["address", "clock"] },
  { no: 10, name: "SEND_IPI", args: ["low", "high", "first", "icr"] },
  { no: 11, name: "SCHED_YIELD", args: ["apicId"] },
  { no: 12, name: "MAP_GPA_RANGE", args: ["address", "pages", "attributes"] },
] as const;

/** Name of a hypercall; `UNKNOWN` is one without a row. */
export type KvmCallName = typeof KVM_CALLS[number]["name"] | "UNKNOWN";
