/**
 * What the client kernel does where the ROM answers NONE: its own code, behind the interface's registers. Cold data.
 */
import type { ParavirtName } from "../../../mod.ts";
import type { Kit } from "./kit.ts";

const STORE = "mov [eax+edx*8], ecx\n  mov ecx, [esp+4]\n  mov [eax+edx*8+4], ecx";

/** Debug registers by number: compare, do, return. */
const debug = (what: (n: number) => string): string =>
  [0, 1, 2, 3, 6, 7].map((n) => `cmp eax, ${n}\n  jne $+6\n  ${what(n)}\n  ret`).join("\n  ");

/** Code by operation; what is missing does nothing. */
const CODE: Readonly<Partial<Record<ParavirtName, string>>> = {
  CPUID: "cpuid",
  SetGDT: "lgdt [eax]",
  SetLDT: "lldt ax",
  SetIDT: "lidt [eax]",
  SetTR: "ltr ax",
  GetGDT: "sgdt [eax]",
  GetIDT: "sidt [eax]",
  GetTR: "str eax",
  WriteGDTEntry: STORE,
  WriteLDTEntry: STORE,
  WriteIDTEntry: STORE,
  SetCR0: "mov cr0, eax",
  SetCR2: "mov cr2, eax",
  SetCR3: "mov cr3, eax",
  SetCR4: "mov cr4, eax",
  GetCR0: "mov eax, cr0",
  GetCR2: "mov eax, cr2",
  GetCR3: "mov eax, cr3",
  GetCR4: "mov eax, cr4",
  SetDR: debug((n) => `mov dr${n}, edx`),
  GetDR: debug((n) => `mov eax, dr${n}`),
  WBINVD: "wbinvd",
  RDTSC: "rdtsc",
  CLTS: "clts",
  EnableInterrupts: "sti",
  DisableInterrupts: "cli",
  GetInterruptMask: "pushfd\n  pop eax",
  SetInterruptMask: "test ah, 2\n  jz native_mask_off\n  sti\n  ret\nnative_mask_off:\n  cli",
  IRET: "iretd",
  SYSEXIT: "sti\n  sysexit",
  Halt: "sti\n  hlt",
  Shutdown: "cli\n  hlt\n  jmp native_Shutdown",
  SetPxE: "mov [edx], eax",
  SetPxELong: "mov [ecx+4], edx\n  mov [ecx], eax", // only ever used to make an entry present
  InvalPage: "invlpg [eax]",
  FlushTLB:
    "mov ecx, cr4\n  mov eax, ecx\n  and al, 0x7f\n  mov cr4, eax\n  mov cr4, ecx\n  mov eax, cr3\n  mov cr3, eax",
  SetIOPLMask: "pushfd\n  pop edx\n  and edx, 0xffffcfff\n  or edx, eax\n  push edx\n  popfd",
  APICWrite: "add eax, [apic_page]\n  mov [eax], edx",
  APICRead: "add eax, [apic_page]\n  mov eax, [eax]",
  IODelay: "out 0x80, al",
};

/** The operations' pointers and the native functions they hold at first. */
export function natives(kit: Kit): string {
  const ops = kit.ops.filter((name) => name !== "Init" && name !== "GetRelocationInfo");
  return [
    ...ops.map((name) => `native_${name}:\n  ${CODE[name] ?? "nop"}\n  ret`),
    "align 4",
    "op_Init: dd 0",
    "op_GetRelocationInfo: dd 0",
    ...ops.map((name) => `op_${name}: dd native_${name}`),
  ].join("\n");
}
