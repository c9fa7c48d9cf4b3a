/**
 * The backdoor of VMware's hypervisors: a port and CPUID leaves. Sources: the command list of open-vm-tools
 * (backdoor_def.h) for numbers; Ken Kato's description of the backdoor port for registers; VMware knowledge base,
 * "Mechanisms to determine if software is running in a VMware virtual machine", for the CPUID leaves. Cold data.
 */

/** In EAX when the port is read. */
export const VMWARE_MAGIC = 0x564d5868;
/** The port. */
export const VMWARE_PORT = 0x5658;
/** What GETVERSION returns. */
export const VMWARE_VERSION = 6;
/** Product type that GETVERSION returns in ECX: a server. */
export const VMWARE_PRODUCT = 2;
/** EAX of a command that nobody knows. */
export const VMWARE_UNKNOWN = 0xffffffff;

/** CPUID leaves and what they say. */
export const VmwareCpuid = {
  /** EAX: highest leaf; EBX, ECX, EDX: the signature. */
  signatureLeaf: 0x40000000,
  /** EAX: kHz of the time-stamp counter; EBX: kHz of the local timers; ECX: ways of calling. */
  timingLeaf: 0x40000010,
  /** Exactly twelve characters. */
  signature: "VMwareVMware",
  /** ECX of the timing leaf: commands are answered by VMCALL. */
  vmcall: 0x2,
} as const;

/** Numbers of the commands, the low half of ECX. */
export const VMWARE_CALLS = [
  { no: 0x01, name: "GETMHZ", args: ["ebx"] },
  { no: 0x0a, name: "GETVERSION", args: ["ebx"] },
  { no: 0x14, name: "GETMEMSIZE", args: ["ebx"] },
  { no: 0x17, name: "GETTIME", args: ["ebx"] },
  { no: 0x2d, name: "GETHZ", args: ["ebx"] },
  { no: 0x2e, name: "GETTIMEFULL", args: ["ebx"] },
  { no: 0x44, name: "GETVCPU_INFO", args: ["ebx"] },
  { no: 0x5b, name: "STEALCLOCK", args: ["ebx"] },
] as const;

/** Name of a command; `UNKNOWN` is one without a row. */
export type VmwareCallName = typeof VMWARE_CALLS[number]["name"] | "UNKNOWN";
