/**
 * The calls as plain i386 code: what a guest would have done without the interface, behind the interface's registers.
 *
 * Each line is `hex bytes | mnemonic`; a test assembles the mnemonics and compares the bytes. The code is position
 * independent, preserves what the call table says, uses no data segment in the interrupt-flag calls, IRET and SYSEXIT,
 * and ends in a near RET where the call returns. At entry [ESP] is the return address. Source: SDM-2, and the call
 * conventions of the Paravirtualization API 2.0, appendix A. Cold data.
 *
 * Not emulated: the time calls, SetInitialAPState, APICRead and APICWrite have no native code; FlushTLB needs a CPU with
 * CR4. SetLDT, SetGDT do not reload segment registers, as on hardware.
 */
import type { ParavirtName } from "./paravirt_calls.ts";

const RET = "c3 | ret";
const STORE_ENTRY: readonly string[] = [
  "89 0c d0 | mov [eax+edx*8], ecx",
  "8b 4c 24 04 | mov ecx, [esp+4]",
  "89 4c d0 04 | mov [eax+edx*8+4], ecx",
  RET,
];
const HEX = (value: number): string => value.toString(16).padStart(2, "0");

/** The debug registers that a guest names, one comparison each. */
const DEBUG_REGISTERS: readonly number[] = [0, 1, 2, 3, 6, 7];
const SET_DR = DEBUG_REGISTERS.flatMap((n) => [
  `83 f8 ${HEX(n)} | cmp eax, ${n}`,
  "75 04 | jne $+6",
  `0f 23 ${HEX(0xc2 | n << 3)} | mov dr${n}, edx`,
  RET,
]);
const GET_DR = DEBUG_REGISTERS.flatMap((n) => [
  `83 f8 ${HEX(n)} | cmp eax, ${n}`,
  "75 04 | jne $+6",
  `0f 21 ${HEX(0xc0 | n << 3)} | mov eax, dr${n}`,
  RET,
]);

/** Code by call; a call that is missing has no native equivalent. */
export const NATIVE_CODE: Readonly<Partial<Record<ParavirtName, readonly string[]>>> = {
  Init: ["31 c0 | xor eax, eax", RET],
  CPUID: ["0f a2 | cpuid", RET],
  WRMSR: ["0f 30 | wrmsr", RET],
  RDMSR: ["0f 32 | rdmsr", RET],
  SetGDT: ["0f 01 10 | lgdt [eax]", RET],
  SetLDT: ["0f 00 d0 | lldt ax", RET],
  SetIDT: ["0f 01 18 | lidt [eax]", RET],
  SetTR: ["0f 00 d8 | ltr ax", RET],
  GetGDT: ["0f 01 00 | sgdt [eax]", RET],
  GetLDT: ["0f 00 c0 | sldt eax", RET],
  GetIDT: ["0f 01 08 | sidt [eax]", RET],
  GetTR: ["0f 00 c8 | str eax", RET],
  WriteGDTEntry: STORE_ENTRY,
  WriteLDTEntry: STORE_ENTRY,
  WriteIDTEntry: STORE_ENTRY,
  UpdateKernelStack: [RET], // the guest has stored esp0 in its TSS already
  SetCR0: ["0f 22 c0 | mov cr0, eax", RET],
  SetCR2: ["0f 22 d0 | mov cr2, eax", RET],
  SetCR3: ["0f 22 d8 | mov cr3, eax", RET],
  SetCR4: ["0f 22 e0 | mov cr4, eax", RET],
  GetCR0: ["0f 20 c0 | mov eax, cr0", RET],
  GetCR2: ["0f 20 d0 | mov eax, cr2", RET],
  GetCR3: ["0f 20 d8 | mov eax, cr3", RET],
  GetCR4: ["0f 20 e0 | mov eax, cr4", RET],
  WBINVD: ["0f 09 | wbinvd", RET],
  SetDR: [...SET_DR, RET],
  GetDR: [...GET_DR, "31 c0 | xor eax, eax", RET],
  RDPMC: ["0f 33 | rdpmc", RET],
  RDTSC: ["0f 31 | rdtsc", RET],
  CLTS: ["0f 06 | clts", RET],
  EnableInterrupts: ["fb | sti", RET],
  DisableInterrupts: ["fa | cli", RET],
  GetInterruptMask: ["9c | pushfd", "58 | pop eax", RET],
  SetInterruptMask: ["f6 c4 02 | test ah, 2", "74 02 | jz $+4", "fb | sti", RET, "fa | cli", RET],
  IRET: ["83 c4 04 | add esp, 4", "cf | iretd"], // reached by CALL, so that the site of a faulting one is known
  SYSEXIT: ["fb | sti", "0f 35 | sysexit"],
  Halt: ["fb | sti", "f4 | hlt", RET],
  Reboot: ["b0 fe | mov al, 0xfe", "e6 64 | out 0x64, al", "f4 | hlt", "eb fd | jmp $-1"],
  Shutdown: ["fa | cli", "f4 | hlt", "eb fd | jmp $-1"],
  SetPxE: ["89 02 | mov [edx], eax", RET],
  SetPxELong: [
    "53 | push ebx",
    "57 | push edi",
    "89 c3 | mov ebx, eax",
    "89 cf | mov edi, ecx",
    "89 d1 | mov ecx, edx",
    "8b 07 | mov eax, [edi]",
    "8b 57 04 | mov edx, [edi+4]",
    "f0 0f c7 0f | lock cmpxchg8b [edi]",
    "75 fa | jnz $-4",
    "5f | pop edi",
    "5b | pop ebx",
    RET,
  ],
  UpdatePxE: [RET],
  UpdatePxELong: [RET],
  AllocatePage: [RET],
  ReleasePage: [RET],
  InvalPage: ["0f 01 38 | invlpg [eax]", RET],
  FlushTLB: [
    "a8 02 | test al, 2",
    "74 0d | jz $+15",
    "0f 20 e1 | mov ecx, cr4", // a change of CR4.PGE drops global entries too
    "89 c8 | mov eax, ecx",
    "24 7f | and al, 0x7f",
    "0f 22 e0 | mov cr4, eax",
    "0f 22 e1 | mov cr4, ecx",
    "0f 20 d8 | mov eax, cr3",
    "0f 22 d8 | mov cr3, eax",
    RET,
  ],
  SetLinearMapping: [RET],
  INL: ["ed | in eax, dx", RET],
  INB: ["ec | in al, dx", RET],
  INW: ["66 ed | in ax, dx", RET],
  INSL: ["f3 6d | rep insd", RET],
  INSB: ["f3 6c | rep insb", RET],
  INSW: ["f3 66 6d | rep insw", RET],
  OUTL: ["ef | out dx, eax", RET],
  OUTB: ["ee | out dx, al", RET],
  OUTW: ["66 ef | out dx, ax", RET],
  OUTSL: ["f3 6f | rep outsd", RET],
  OUTSB: ["f3 6e | rep outsb", RET],
  OUTSW: ["f3 66 6f | rep outsw", RET],
  SetIOPLMask: [
    "25 00 30 00 00 | and eax, 0x3000", // no other flag of the guest's may come in
    "9c | pushfd",
    "5a | pop edx",
    "81 e2 ff cf ff ff | and edx, 0xffffcfff",
    "09 c2 | or edx, eax",
    "52 | push edx",
    "9d | popfd",
    RET,
  ],
  IODelay: ["e6 80 | out 0x80, al", RET],
  SetLazyMode: [RET],
};

/** Calls that the guest jumps to: they return elsewhere and take nothing from the stack. */
export const JUMPED: ReadonlySet<ParavirtName> = new Set<ParavirtName>(["SYSEXIT"]);

/** Bytes of a line of code. */
export function codeBytes(line: string): number[] {
  return (line.split("|")[0] ?? "").trim().split(/\s+/).map((b) => parseInt(b, 16));
}

/** Mnemonic of a line of code. */
export function codeText(line: string): string {
  return (line.split("|")[1] ?? "").trim();
}
