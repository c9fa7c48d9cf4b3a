/**
 * VMware as a guest of today sees it: signature and timing in CPUID, and the backdoor, where an access to port 0x5658
 * with a magic number in EAX is a command, or VMCALL if that is advertised. All times are virtual.
 *
 * An access without the magic number, or of another width, finds nobody at the port; a command that is not known returns
 * all ones in EAX. Sources: see `spec/vmware_abi.ts`. Warm.
 *
 * Not emulated: the port works only where the guest's privilege lets IN and OUT pass, the original answers user code too;
 * the second port of long transfers, message channels, mouse, clipboard, stolen time (STEALCLOCK and GETVCPU_INFO say
 * that they are not there).
 */
import { MiB } from "../../base/bits.ts";
import type { FieldValue } from "../../core/component.ts";
import type { GuestContext } from "../../core/cpu.ts";
import { ConfigError } from "../../core/errors.ts";
import { Reg } from "../../spec/i386_regs.ts";
import {
  VMWARE_CALLS,
  VMWARE_MAGIC,
  VMWARE_PORT,
  VMWARE_PRODUCT,
  VMWARE_UNKNOWN,
  VMWARE_VERSION,
  type VmwareCallName,
  VmwareCpuid,
} from "../../spec/vmware_abi.ts";
import {
  type CallRegisters,
  type CallRow,
  type CallWay,
  type CpuidLeaf,
  type Decoded,
  type Hypercall,
  type Personality,
  type PersonalityHost,
  signatureWords,
  UNKNOWN_CALL,
} from "./personality.ts";

/** What can be chosen. */
export interface VmwareOptions {
  /** How CPUID tells the guest to call; the port is there either way. Default `port`. */
  readonly calls?: "port" | "vmcall";
}

const CALLS: readonly CallRow<VmwareCallName>[] = [
  ...VMWARE_CALLS,
  { no: UNKNOWN_CALL, name: "UNKNOWN", args: ["number", "ebx"] },
];
const NUMBERS: ReadonlySet<number> = new Set(VMWARE_CALLS.map((c) => c.no));
const TWO_32 = 0x1_0000_0000;

class Vmware implements Personality<VmwareCallName> {
  readonly name = "vmware";
  readonly calls = CALLS;
  readonly signed = false;
  readonly ports: readonly number[] = [VMWARE_PORT];
  readonly #vmcall: boolean;
  #made: PersonalityHost | undefined;

  constructor(vmcall: boolean) {
    this.#vmcall = vmcall;
  }

  attach(host: PersonalityHost): void {
    if (host.clock.hz >= TWO_32) {
      throw new ConfigError(
        "personality-frequency",
        `The backdoor has 32 bits for the timers' frequency; ${host.clock.hz} Hz is too much, give hz below 2^32`,
      );
    }
    this.#made = host;
  }

  cpuid(_cpu: number, leaf: number): CpuidLeaf {
    if (leaf === VmwareCpuid.signatureLeaf) return [VmwareCpuid.timingLeaf, ...signatureWords(VmwareCpuid.signature)];
    if (leaf !== VmwareCpuid.timingLeaf) return [0, 0, 0, 0];
    const kHz = Math.floor(this.#host.clock.hz / 1000);
    return [kHz, kHz, this.#vmcall ? VmwareCpuid.vmcall : 0, 0];
  }

  decode(guest: GuestContext, way: CallWay): Decoded | undefined {
    if (guest.reg(Reg.eax) >>> 0 !== VMWARE_MAGIC || (way === "instruction" && !this.#vmcall)) return undefined;
    const number = guest.reg(Reg.ecx) & 0xffff, ebx = guest.reg(Reg.ebx) >>> 0;
    return NUMBERS.has(number) ? { no: number, args: { ebx } } : { no: UNKNOWN_CALL, args: { number, ebx } };
  }

  answer(call: Hypercall<VmwareCallName>): CallRegisters {
    const host = this.#host;
    const { hz } = host.clock;
    const microseconds = BigInt(Math.floor(host.clock.now)) * 1_000_000n / BigInt(hz);
    const seconds = host.epoch + Number(microseconds / 1_000_000n);
    const rest = Number(microseconds % 1_000_000n);
    switch (call.name) {
      case "GETMHZ":
        return { eax: Math.floor(hz / 1_000_000) };
      case "GETVERSION":
        return { eax: VMWARE_VERSION, ebx: VMWARE_MAGIC, ecx: VMWARE_PRODUCT };
      case "GETMEMSIZE":
        return { eax: Math.floor(host.memoryBytes / MiB) };
      case "GETTIME": // ECX: how late it may be; EDX: minutes from UTC
        return { eax: seconds >>> 0, ebx: rest, ecx: 0, edx: 0 };
      case "GETTIMEFULL":
        return { eax: VMWARE_MAGIC, esi: Math.floor(seconds / TWO_32), edx: seconds >>> 0, ebx: rest, ecx: 0 };
      case "GETHZ": // ECX: frequency of the local timers
        return { eax: hz, ebx: 0, ecx: hz };
      default:
        return { eax: VMWARE_UNKNOWN };
    }
  }

  reset(): void {}

  save(): { readonly [name: string]: FieldValue } {
    return { vmcall: this.#vmcall };
  }

  load(fields: { readonly [name: string]: FieldValue }): void {
    if (fields["vmcall"] === this.#vmcall) return;
    throw new ConfigError(
      "snapshot-mismatch",
      `Snapshot has vmware({ calls: "${fields["vmcall"] === true ? "vmcall" : "port"}" }); describe the machine alike`,
    );
  }

  get #host(): PersonalityHost {
    if (this.#made !== undefined) return this.#made;
    throw new ConfigError("personality-machine", "This personality is in no machine yet; give it to pc()");
  }
}

/** VMware's personality, for one machine. @throws {ConfigError} config-value */
export function vmware(options: VmwareOptions = {}): Personality<VmwareCallName> {
  const calls: unknown = options.calls ?? "port";
  if (calls !== "port" && calls !== "vmcall") {
    throw new ConfigError("config-value", `calls must be "port" or "vmcall", not ${JSON.stringify(calls)}`);
  }
  return new Vmware(calls === "vmcall");
}
