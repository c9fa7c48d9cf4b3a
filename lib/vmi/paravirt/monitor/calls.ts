/**
 * The calls of a de-privileged guest, one function each: registers, tables, flow. Those of memory management stand in
 * calls_mmu.ts; port access is plain code that faults and is emulated. A fault found on the way is the guest's, at the call; an argument without meaning ends it.
 * Source: Paravirtualization API 2.0, appendix A, and the calls' use by Linux 2.6.21 to 2.6.36. Warm.
 *
 * Not emulated: MachineToPhysical, PhysicalToMachine and SetCallbacks, which no document describes. A segment register that
 * SetLDT cannot load anew stays as it is, as without a hypervisor: a kernel that switches tasks saves it after the call.
 */
import { Flag, Msr, Reg } from "../../../spec/i386_regs.ts";
import { PARAVIRT_INTERRUPT_MASK, type ParavirtName } from "../../../spec/paravirt_calls.ts";
import type { CallAnswer, ParavirtCall } from "../backend.ts";
import type { CallFn } from "./call_fn.ts";
import { MMU_CALLS } from "./calls_mmu.ts";
import * as control from "./control.ts";
import { entryWritten, setKernelStack, setLocal, setPorts } from "./deferral.ts";
import { deliverFault } from "./delivery.ts";
import { identify } from "./identity.ts";
import { KEYBOARD_PORT, PULSE_RESET } from "./monitor.ts";
import { drain } from "./queue.ts";
import { protectionFault, Raised } from "./raised.ts";
import { interruptReturn, systemExit } from "./returns.ts";
import { setStartState } from "./start.ts";
import { setGlobalTable, setTask, storeTables } from "./system_tables.ts";
import { loadTables } from "./system_tables.ts";
import { tableWritten } from "./tables.ts";
import type { VirtualCpu } from "./vcpu.ts";

/** Bytes of a CALL rel32, by which a patched site reaches a slot. */
const CALL_BYTES = 5;
/** Registers of the local APIC. */
const APIC_PAGE = 0xff0;

const BAD: CallAnswer = { kill: "bad-argument" };

/** Stores an entry; `written`: what follows from it. */
function writeEntry(
  cpu: VirtualCpu,
  arg: (name: string) => number,
  written: (cpu: VirtualCpu, at: number) => void = tableWritten,
): undefined {
  const at = (arg("base") + 8 * arg("index")) >>> 0;
  cpu.memory.probeWrite(at, 8);
  cpu.memory.write32(at, arg("low"));
  cpu.memory.write32(at + 4, arg("high"));
  written(cpu, at);
  return undefined;
}

function setControl(n: number): CallFn {
  return (cpu, arg) => {
    if (!control.setControl(cpu, n, arg("value"))) throw protectionFault();
    return undefined;
  };
}

function getControl(n: number): CallFn {
  return (cpu) => control.getControl(cpu, n);
}

function setInterrupts(cpu: VirtualCpu, on: boolean): undefined {
  if (on) drain(cpu);
  const { guest } = cpu;
  guest.eflags = on ? guest.eflags | Flag.if : guest.eflags & ~Flag.if;
  return undefined;
}

/** IRET and SYSEXIT: a fault of theirs is reported at the patched site, with the stack as the native instruction has it. */
function leave(cpu: VirtualCpu, call: ParavirtCall, how: (esp: number) => void): undefined {
  drain(cpu);
  const esp = (cpu.guest.reg(Reg.esp) + 4) >>> 0;
  try {
    how(esp);
  } catch (thrown) {
    if (!(thrown instanceof Raised)) throw thrown;
    cpu.guest.setReg(Reg.esp, esp);
    cpu.guest.eip = (call.from - CALL_BYTES) >>> 0;
    cpu.counters.count("faulting returns");
    deliverFault(cpu, thrown);
  }
  return undefined;
}

/** 4 and 5 are other names of 6 and 7, which the interface does not have. */
function isDebug(n: number): boolean {
  return n <= 7 && n !== 4 && n !== 5;
}

function apicAt(cpu: VirtualCpu, register: number): number {
  const base = cpu.guest.readMsr(Msr.apicBase)?.[0] ?? 0xfee00000;
  return ((base & 0xfffff000) >>> 0) + (register & APIC_PAGE);
}

/** The calls by name; a call that is missing has no function here. */
export const CALLS: Readonly<Partial<Record<ParavirtName, CallFn>>> = {
  ...MMU_CALLS,
  CPUID: (cpu, arg) => identify(cpu, arg("leaf"), arg("subleaf")),
  WRMSR: (cpu, arg, call) => {
    const value = call.args["value"] as bigint;
    const [low, high] = [Number(value & 0xffffffffn), Number(value >> 32n)];
    if (!control.setMsr(cpu, arg("msr"), low | 0, high | 0)) throw protectionFault();
    return undefined;
  },
  RDMSR: (cpu, arg) => {
    const value = control.getMsr(cpu, arg("msr"));
    if (value === undefined) throw protectionFault();
    return BigInt(value[0] >>> 0) | BigInt(value[1] >>> 0) << 32n;
  },
  RDPMC: () => {
    throw protectionFault();
  },
  SetGDT: (cpu, arg) => setGlobalTable(cpu, arg("pointer")),
  SetIDT: (cpu, arg) => loadTables(cpu, "idt", arg("pointer")),
  SetLDT: (cpu, arg) => setLocal(cpu, arg("selector")),
  SetTR: (cpu, arg) => setTask(cpu, arg("selector")),
  GetGDT: (cpu, arg) => storeTables(cpu, "gdt", arg("pointer")),
  GetIDT: (cpu, arg) => storeTables(cpu, "idt", arg("pointer")),
  GetLDT: (cpu) => cpu.v.ldt,
  GetTR: (cpu) => cpu.v.tr,
  WriteGDTEntry: (cpu, arg) => writeEntry(cpu, arg, entryWritten),
  WriteLDTEntry: (cpu, arg) => writeEntry(cpu, arg),
  WriteIDTEntry: (cpu, arg) => writeEntry(cpu, arg),
  UpdateKernelStack: (cpu, arg) => {
    setKernelStack(cpu, arg("ss0"), arg("esp0"));
    return undefined;
  },
  SetCR0: setControl(0),
  SetCR2: setControl(2),
  SetCR4: setControl(4),
  GetCR0: getControl(0),
  GetCR2: getControl(2),
  GetCR3: getControl(3),
  GetCR4: getControl(4),
  SetDR: (cpu, arg) => {
    if (arg("number") > 7) return BAD;
    if (isDebug(arg("number"))) control.setDebug(cpu, arg("number"), arg("value"));
    return undefined;
  },
  GetDR: (cpu, arg) => isDebug(arg("number")) ? control.getDebug(cpu, arg("number")) : 0,
  CLTS: (cpu) => control.clearTaskSwitched(cpu),
  EnableInterrupts: (cpu) => setInterrupts(cpu, true),
  DisableInterrupts: (cpu) => setInterrupts(cpu, false),
  SetInterruptMask: (cpu, arg) => setInterrupts(cpu, (arg("mask") & PARAVIRT_INTERRUPT_MASK) !== 0),
  IRET: (cpu, _arg, call) => leave(cpu, call, (esp) => interruptReturn(cpu, esp, call.from)),
  SYSEXIT: (cpu, _arg, call) =>
    leave(cpu, call, () => {
      if (!cpu.offersSysenter) throw protectionFault(); // CPUID says that there is none
      systemExit(cpu, true);
    }),
  Halt: (cpu) => {
    setInterrupts(cpu, true);
    cpu.guest.halt();
    return undefined;
  },
  Reboot: (cpu) => {
    setInterrupts(cpu, false);
    cpu.guest.writePort(KEYBOARD_PORT, PULSE_RESET, 8);
    cpu.guest.halt();
    return undefined;
  },
  Shutdown: (cpu) => {
    setInterrupts(cpu, false);
    cpu.guest.halt();
    return undefined;
  },
  SetIOPLMask: (cpu, arg) => {
    setPorts(cpu, (arg("mask") >>> 12) & 3);
    return undefined;
  },
  SetInitialAPState: (cpu, arg) => {
    drain(cpu);
    return setStartState(cpu, arg("state"), arg("apicId")) ? undefined : BAD;
  },
  APICWrite: (cpu, arg) => {
    drain(cpu); // it may be a message to a CPU that is to see what was deferred
    cpu.physical.write32(apicAt(cpu, arg("register")), arg("value"));
    return undefined;
  },
  APICRead: (cpu, arg) => cpu.physical.read32(apicAt(cpu, arg("register"))) >>> 0,
};
