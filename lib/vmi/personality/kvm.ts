/**
 * KVM as a guest of today sees it: signature and features in CPUID, clocks and stolen time by model-specific registers,
 * hypercalls by VMCALL or VMMCALL. Only what is here is advertised. Everything is virtual time, the same on every run.
 *
 * A CPU that was kicked before it halts does not halt: what a kick would have ended has ended already. Between a look at
 * a lock and the halt another CPU may have its turn, so without that memory a guest's locks would sleep for ever.
 *
 * Sources: Linux, Documentation/virt/kvm/x86: cpuid.rst, msr.rst, hypercalls.rst. Warm.
 *
 * Not emulated, and not advertised: asynchronous page faults, end of interrupt by memory, remote TLB flushes, host-side
 * polling, 0x40000010 and the hints; MMU_OP, FEATURES and MAP_GPA_RANGE are answered as unknown calls are.
 */
import type { FieldValue } from "../../core/component.ts";
import type { GuestContext } from "../../core/cpu.ts";
import { Reg } from "../../spec/i386_regs.ts";
import { KVM_CALLS, KVM_ICR_REFUSED, type KvmCallName, KvmCpuid, KvmError, KvmFeature } from "../../spec/kvm_abi.ts";
import { KvmTime } from "./kvm_time.ts";
import {
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

const FEATURES = KvmFeature.clocksource | KvmFeature.nopIoDelay | KvmFeature.clocksource2 | KvmFeature.stealTime |
  KvmFeature.pvUnhalt | KvmFeature.pvSendIpi | KvmFeature.pvSchedYield | KvmFeature.clocksourceStable;

const CALLS: readonly CallRow<KvmCallName>[] = [
  ...KVM_CALLS,
  { no: UNKNOWN_CALL, name: "UNKNOWN", args: ["number", "a0", "a1", "a2", "a3"] },
];
const BY_NUMBER: ReadonlyMap<number, CallRow<KvmCallName>> = new Map(KVM_CALLS.map((c) => [c.no, c]));

/** Registers of the arguments, in order. */
const ARGUMENTS = [Reg.ebx, Reg.ecx, Reg.edx, Reg.esi] as const;
/** CPUs that one SEND_IPI reaches: two words of the guest. */
const CLUSTER = 64;
/** Delivery modes that SEND_IPI may use: fixed, lowest priority, NMI. */
const MODES: readonly number[] = [0, 1, 4];

class Kvm implements Personality<KvmCallName> {
  readonly name = "kvm";
  readonly calls = CALLS;
  readonly signed = true;
  readonly ports: readonly number[] = [];
  #host: PersonalityHost | undefined;
  #time: KvmTime | undefined;
  #kicked: boolean[] = [];

  attach(host: PersonalityHost): void {
    this.#host = host;
    this.#time = new KvmTime(host);
  }

  cpuid(_cpu: number, leaf: number): CpuidLeaf {
    if (leaf === KvmCpuid.signatureLeaf) return [KvmCpuid.featuresLeaf, ...signatureWords(KvmCpuid.signature)];
    return leaf === KvmCpuid.featuresLeaf ? [FEATURES, 0, 0, 0] : [0, 0, 0, 0];
  }

  decode(guest: GuestContext, _way: CallWay): Decoded {
    const number = guest.reg(Reg.eax) >>> 0;
    const words = ARGUMENTS.map((r) => guest.reg(r) >>> 0);
    const row = BY_NUMBER.get(number);
    if (row === undefined) {
      const [a0 = 0, a1 = 0, a2 = 0, a3 = 0] = words;
      return { no: UNKNOWN_CALL, args: { number, a0, a1, a2, a3 } };
    }
    return { no: number, args: Object.fromEntries(row.args.map((name, i) => [name, words[i] ?? 0])) };
  }

  answer(call: Hypercall<KvmCallName>): number {
    if (call.way !== "script" && this.#host?.privilege(call.cpu) !== 0) return -KvmError.perm;
    const a = call.args;
    switch (call.name) {
      case "VAPIC_POLL_IRQ":
        return 0;
      case "KICK_CPU":
        return this.#kick(a["apicId"] ?? 0);
      case "CLOCK_PAIRING":
        return this.#pair(call.cpu, a["address"] ?? 0, a["clock"] ?? 0);
      case "SEND_IPI":
        return this.#sendIpi(a);
      case "SCHED_YIELD":
        if (call.way !== "script") this.#host?.pause();
        return 0;
      default:
        return -KvmError.noSys;
    }
  }

  readMsr(cpu: number, msr: number): readonly [number, number] | undefined {
    return this.#time?.read(cpu, msr);
  }

  writeMsr(cpu: number, msr: number, low: number, high: number): boolean | undefined {
    return this.#time?.write(cpu, msr, low, high);
  }

  tscWritten(): void {
    this.#time?.tscWritten();
  }

  halting(cpu: number): boolean {
    if (this.#kicked[cpu] !== true) return false;
    this.#kicked[cpu] = false;
    return true;
  }

  stolen(cpu: number, ticks: number): void {
    this.#time?.stolen(cpu, ticks);
  }

  reset(): void {
    this.#kicked = Array.from({ length: this.#host?.cpus ?? 0 }, () => false);
    this.#time?.reset();
  }

  save(): { readonly [name: string]: FieldValue } {
    return { kicked: [...this.#kicked], time: this.#time?.save() ?? {} };
  }

  load(fields: { readonly [name: string]: FieldValue }): void {
    this.#kicked = [...fields["kicked"] as readonly boolean[]];
    this.#time?.load(fields["time"] as { readonly [name: string]: FieldValue });
  }

  /** A CPU that has not halted yet will not halt the next time. */
  #kick(apicId: number): number {
    const host = this.#host;
    if (host === undefined || apicId >= host.cpus) return 0;
    if (!host.wake(apicId)) this.#kicked[apicId] = true;
    return 0;
  }

  #pair(cpu: number, address: number, clock: number): number {
    if (clock !== 0) return -KvmError.opNotSupp;
    const bytes = this.#time?.pairing(cpu);
    return bytes !== undefined && this.#time?.put(address, bytes) === true ? 0 : -KvmError.fault;
  }

  #sendIpi({ low = 0, high = 0, first = 0, icr = 0 }: Readonly<Record<string, number>>): number {
    const mode = (icr >>> 8) & 7;
    if ((icr & KVM_ICR_REFUSED) !== 0 || !MODES.includes(mode)) return -KvmError.inval;
    let sent = 0;
    for (let i = 0; i < CLUSTER; i++) {
      if (((i < 32 ? low : high) >>> (i & 31) & 1) === 0) continue;
      if (this.#host?.message(first + i, mode, icr & 0xff) === true) sent++;
    }
    return sent;
  }
}

/** KVM's personality, for one machine. */
export function kvm(): Personality<KvmCallName> {
  return new Kvm();
}
