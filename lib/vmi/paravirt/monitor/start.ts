/**
 * Starting further CPUs: the guest names the state in which one begins, and the start-up message lets it begin there, with
 * no privileges from its first instruction. A start-up message without a state is of no avail: real-mode code would run
 * beside the monitor.
 *
 * Source: Paravirtualization API 2.0, SetInitialAPState; layout of the state as Linux 2.6.21 to 2.6.36 has it. Cold.
 */
import { Cr0, Cr4, Flag, Msr, Reg } from "../../../spec/i386_regs.ts";
import { allowsCr4, loadPointers } from "./control.ts";
import { Desc, dplOf, isCode, isWritableData, KERNEL_RING } from "./descriptor.ts";
import { Raised } from "./raised.ts";
import { setLocalTable } from "./system_tables.ts";
import { loadGdt, realDescriptor, reloadData } from "./tables.ts";
import { SegReg, type VirtualCpu } from "./vcpu.ts";

/** Bytes of the state; the last word is half used. */
const STATE_BYTES = 92;
/** Byte offsets in the state. */
const At = {
  cr0: 0,
  cr2: 4,
  cr3: 8,
  cr4: 12,
  efer: 16,
  eip: 24,
  eflags: 28,
  eax: 32,
  ebx: 36,
  ecx: 40,
  edx: 44,
  esp: 48,
  ebp: 52,
  esi: 56,
  edi: 60,
  cs: 64,
  ss: 66,
  ds: 68,
  es: 70,
  fs: 72,
  gs: 74,
  ldtr: 76,
  gdtLimit: 78,
  gdtBase: 80,
  idtBase: 84,
  idtLimit: 88,
} as const;

/** SetInitialAPState: copies the state, which is the caller's to reuse. @throws {Raised} #PF @returns False: no such CPU */
export function setStartState(cpu: VirtualCpu, pointer: number, apicId: number): boolean {
  const target = cpu.peers[apicId];
  if (target === undefined) return false;
  const words: number[] = [];
  for (let at = 0; at < STATE_BYTES; at += 4) {
    // The last half word is not the guest's to have mapped.
    words.push(at + 4 > At.idtLimit + 2 ? cpu.memory.read(pointer + at, 2) : cpu.memory.read32(pointer + at));
  }
  target.v.startState = words;
  return true;
}

/** A start-up message has come: begins in the state that was given, if that is one to begin in. */
export function startApplication(cpu: VirtualCpu): void {
  const { v, guest } = cpu, state = v.startState;
  if (state.length === 0) return cpu.host.trace(`CPU ${cpu.index} is to start without a state: it waits on`);
  const word = (at: number): number => ((state[at >>> 2] ?? 0) >>> (8 * (at & 3))) >>> 0;
  const half = (at: number): number => word(at) & 0xffff;
  if ((word(At.cr0) & Cr0.pe) === 0 || (word(At.cr0) & Cr0.pg) === 0) {
    return cpu.host.trace(`CPU ${cpu.index} is to start without protection or paging: it waits on`);
  }
  if (!allowsCr4(cpu, word(At.cr4)) || !guest.writeMsr(Msr.efer, word(At.efer) | 0, word(At.efer + 4) | 0)) {
    return cpu.host.trace(`CPU ${cpu.index} is to start with features that it does not have: it waits on`);
  }
  Object.assign(v, {
    cr0: (word(At.cr0) | Cr0.et) >>> 0,
    cr2: word(At.cr2),
    cr3: word(At.cr3),
    cr4: word(At.cr4),
    efer: word(At.efer),
    gdtBase: word(At.gdtBase),
    gdtLimit: half(At.gdtLimit),
    idtBase: word(At.idtBase),
    idtLimit: half(At.idtLimit),
    ldt: 0,
    a20: cpu.host.a20() ? 1 : 0,
  });
  if ((v.cr4 & Cr4.pae) !== 0 && !loadPointers(cpu, v.cr3)) {
    return cpu.host.trace(`CPU ${cpu.index} is to start on malformed page tables: it waits on`);
  }
  v.active = 1;
  guest.setControl("cr0", (Cr0.pe | Cr0.et) >>> 0);
  guest.setPrivilege(KERNEL_RING);
  loadGdt(cpu);
  startLocalTable(cpu, half(At.ldtr));
  guest.setSegment(SegReg.tr, 0, 0, 0);
  loadSegments(cpu, half);
  cpu.mmu.start();
  guest.setControl(
    "cr0",
    ((v.cr0 & (Cr0.mp | Cr0.em | Cr0.ts | Cr0.ne | Cr0.am)) | Cr0.pe | Cr0.pg | Cr0.wp | Cr0.et) >>> 0,
  );
  for (const name of ["eax", "ebx", "ecx", "edx", "esp", "ebp", "esi", "edi"] as const) {
    guest.setReg(Reg[name], word(At[name]));
  }
  guest.eip = word(At.eip);
  guest.eflags = (word(At.eflags) & ~(Flag.iopl | Flag.vm)) | 2;
  guest.halted = false;
}

/** The local table that the state names; none, if that is none. */
function startLocalTable(cpu: VirtualCpu, selector: number): void {
  try {
    setLocalTable(cpu, selector);
  } catch (thrown) {
    if (!(thrown instanceof Raised)) throw thrown;
    setLocalTable(cpu, 0);
  }
}

function loadSegments(cpu: VirtualCpu, half: (at: number) => number): void {
  const { guest } = cpu;
  for (const [n, at] of [[SegReg.cs, At.cs], [SegReg.ss, At.ss]] as const) {
    const selector = half(at), d = realDescriptor(cpu, selector);
    const fits = (n === SegReg.cs ? isCode(d.high) : isWritableData(d.high)) && dplOf(d.high) === KERNEL_RING &&
      (d.high & Desc.present) !== 0;
    guest.setSegment(n, (selector & 0xfffc) | KERNEL_RING, fits ? d.low : 0, fits ? d.high : 0);
  }
  for (const [n, at] of [[SegReg.ds, At.ds], [SegReg.es, At.es], [SegReg.fs, At.fs], [SegReg.gs, At.gs]] as const) {
    guest.setSegment(n, half(at), 0, 0);
    reloadData(cpu, n);
  }
}
