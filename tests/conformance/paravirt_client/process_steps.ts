/**
 * Steps of the client kernel with a process: ring 3 and back by IRET, INT 0x80, SYSENTER and SYSEXIT, demand paging and
 * copy on write in the fault handler, segments of its own, IRET frames that fault.
 *
 * Reference: 6.2-6.8, 7.2, 7.5-7.7, 11.1 row 27. Cold.
 */
import { attempt } from "./handlers.ts";
import { expectFlag, systemAt, writeEntry } from "./cpu_steps.ts";
import { fork } from "./fork_steps.ts";
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";
import { Bits, Flags, Pages } from "./pages.ts";
import {
  CURRENT,
  dataWord,
  entryOf,
  KERNEL_STACK,
  newSpace,
  PRIVATE,
  switchTo,
  SYSENTER_STACK,
  user,
  userSegment,
} from "./spaces.ts";
import { interruptedUser } from "./time_steps.ts";
import { DATA, programs, STACK, USER } from "./user_programs.ts";

/** First process: ring 3 and back, demand paging, segments of its own. */
function firstProcess(kit: Kit, p: Pages): string {
  const ldt = lin(At.ldt), gdt = lin(At.gdt), { release: r } = kit.config;
  const write = r.ldtThroughIdt ? "WriteIDTEntry" : "WriteLDTEntry";
  return `
first_process:
  ${p.fresh("eax")}
  mov [pointer_page], eax
  ${p.fresh("esi")}
  mov [user_page], esi
  mov edi, esi
  mov esi, user_start
  mov ecx, user_end - user_start
  rep movsb
  ${newSpace(kit, p, 0)}
  ${entryOf(p, 0, 0)}
  mov esi, [user_page]
  lea esi, [esi-PAGE_OFFSET+${Bits.userRead}]
  ${p.set("esi", "edi", PRIVATE)}
  ${switchTo(kit, 0)}
  mov dword [demand], demand_user
  ${writeEntry(kit, write, ldt, 1, userSegment(USER))}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, systemAt(ldt, 5 * 8, 0x82))}
  ${kit.call("SetLDT", { selector: 0x88 })}
  ${user(kit, "program_calls")}
  mov dword [demand], 0
  ${kit.check("system calls", "dword [system_calls]", 1)}
  ${kit.check("CS of the caller", "dword [system_cs]", 0x73)}
  mov eax, [system_flags]
  and eax, 0x3200
  ${kit.check("IF and IOPL of the caller", "eax", 0x200)}
  ${kit.check("the frame is on the kernel's stack", "dword [system_top]", KERNEL_STACK)}
  ${dataWord(kit, "registers across INT 0x80", 0, 0, 0)}
  ${dataWord(kit, "CS in ring 3", 0, 4, 0x73)}
  ${dataWord(kit, "SS in ring 3", 0, 8, 0x7b)}
  ${dataWord(kit, "the user's stack pointer", 0, 12, STACK)}
  ${dataWord(kit, "IF in ring 3", 0, 16, 0x200)}
  ${dataWord(kit, "a TLS segment", 0, 20, 0x73)}
  ${dataWord(kit, "a segment of the local table", 0, 24, 0x90909090)}
  mov eax, 0
  mov gs, eax
  ${kit.call("SetLDT", { selector: 0 })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, [0x0000ffff, 0x000f8200])}
  ${kit.check("a trap gate leaves interrupts on", "dword [last_mask]", 0x200)}
  ${expectFlag(kit, "interrupts are off after the handler disabled them", false)}
  ${interruptedUser(kit, user(kit, "program_counts"))}
  ${user(kit, "program_privileged")}
  mov eax, [fault_end]
  ${kit.check("HLT in ring 3: #GP", "dword [eax-32]", 13)}
  ${kit.check("HLT in ring 3: CS", "dword [eax-20]", 0x73)}
  ${user(kit, "program_reads_kernel")}
  mov eax, [fault_end]
  ${kit.check("ring 3 reads the kernel: #PF", "dword [eax-32]", 14)}
  ${kit.check("ring 3 reads the kernel: error code", "dword [eax-28]", 5)}
  ${kit.check("ring 3 reads the kernel: CR2", "dword [eax-12]", lin(0x100000))}
  ${user(kit, "program_writes_code")}
  mov eax, [fault_end]
  ${kit.check("ring 3 writes a read-only page: error code", "dword [eax-28]", 7)}
  ret

demand_user:                        ; EAX: address, EDX: error code; EAX = 0: done
  push ebx
  push esi
  push edi
  push edx
  mov ebx, eax
  and ebx, 0xfffff000
  cmp ebx, ${DATA}
  jne demand_not
  mov edi, [data_entry]
  test edx, 1
  jnz demand_protected
  call fresh_page
  lea esi, [eax-PAGE_OFFSET+${Bits.user}]
  ${p.rawSet("esi", "edi", p.pae && r.setPtePresent ? DATA | CURRENT | Flags.defer : DATA | CURRENT)}
  inc dword [demanded]
  jmp demand_done
demand_protected:
  test edx, 2
  jz demand_not
  inc dword [copied]
  cmp dword [copies], 0
  je demand_reuse
  call fresh_page                   ; break of a copy-on-write share
  push eax
  mov esi, [edi]
  and esi, 0xfffff000
  add esi, PAGE_OFFSET
  push edi
  mov edi, eax
  mov ecx, 1024
  rep movsd
  pop edi
  ${p.getAndClear("edi")}
  ${p.update("edi", DATA | CURRENT, "raw")}
  ${kit.raw("InvalPage", { address: "ebx" })}
  pop esi
  lea esi, [esi-PAGE_OFFSET+${Bits.user}]
  ${p.rawSet("esi", "edi", DATA | CURRENT)}
  jmp demand_done
demand_reuse:                       ; ptep_set_access_flags
  or dword [edi], 0x42
  ${p.update("edi", DATA | CURRENT | Flags.defer, "raw")}
  ${kit.raw("InvalPage", { address: "ebx" })}
demand_done:
  xor eax, eax
demand_leave:
  pop edx
  pop edi
  pop esi
  pop ebx
  ret
demand_not:
  mov eax, 1
  jmp demand_leave`;
}

/** SYSENTER and SYSEXIT, where CPUID promises them. */
function systemEnter(kit: Kit): string {
  return `
sysenter_steps:
  test dword [features], 0x800
  jz sysenter_done
  mov ecx, 0x174
  xor edx, edx
  mov eax, 0x60
  wrmsr
  mov ecx, 0x175
  mov eax, ${SYSENTER_STACK}
  wrmsr
  mov ecx, 0x176
  mov eax, sysenter_entry
  wrmsr
  ${user(kit, "program_sysenter")}
  mov dword [demand], 0
  ${kit.check("SYSENTER came", "dword [sysenters]", 1)}
  ${kit.check("ESP of SYSENTER", "dword [sysenter_esp]", SYSENTER_STACK)}
  mov eax, [sysenter_cs]
  and eax, 0xfffc
  ${kit.check("CS of SYSENTER, but for its ring", "eax", 0x60)}
  ${dataWord(kit, "registers across SYSENTER and SYSEXIT", 0, 0, 0)}
  ${dataWord(kit, "ESP after SYSEXIT", 0, 12, STACK - 0x40)}
  ${dataWord(kit, "IF after SYSEXIT", 0, 16, 0x200)}
sysenter_done:
  ret
sysenter_entry:
  mov [ss:sysenter_esp], esp
  mov esp, ${KERNEL_STACK}
  push ebp
  push edi
  mov eax, cs
  mov [ss:sysenter_cs], eax
  inc dword [ss:sysenters]
  pop edx                           ; where the user goes on, and with which stack
  pop ecx
  mov eax, 0x5a5a5a5a
${kit.site(["SYSEXIT"], [], 7, true)}
sysenters: dd 0
sysenter_esp: dd 0
sysenter_cs: dd 0`;
}

/** IRET frames that fault: at the site, below the frame. */
function badReturns(kit: Kit): string {
  const frames: readonly (readonly [string, number, number, number, number])[] = [
    ["a data segment for CS", 0x7b, 0x7b, 13, 0x78],
    ["a null CS", 0, 0x7b, 13, 0],
    ["the kernel's SS", 0x73, 0x68, 13, 0x68],
    ["CS of an empty entry", 0x93, 0x7b, 13, 0x90],
  ];
  return `
bad_returns:
  ${
    frames.map(([text, cs, ss, vector, code]) => `
  ${
      attempt(
        kit,
        `mov [frame_top], esp
  push dword ${ss}
  push dword ${STACK}
  push dword 0x202
  push dword ${cs}
  push dword ${USER}
  mov [frame_at], esp
  jmp iret_exit`,
      )
    }
  mov esp, [frame_top]
  mov eax, [fault_end]
  ${kit.check(`IRET with ${text}: vector`, "dword [eax-32]", vector)}
  ${kit.check(`IRET with ${text}: error code`, "dword [eax-28]", code)}
  mov ecx, [frame_at]
  sub ecx, 12
  ${kit.check(`IRET with ${text}: the fault's frame lies below the one of IRET`, "dword [eax-8]", "ecx")}
  cmp dword [site_known], 0
  je ${`bad_${cs}_${ss}`}
  ${kit.check(`IRET with ${text}: at the site`, "dword [eax-24]", "iret_site")}
bad_${cs}_${ss}:`).join("\n")
  }
  ret
frame_at: dd 0
frame_top: dd 0
site_known: dd 0`;
}

/** All steps with processes. */
export function processSteps(kit: Kit): string {
  const p = new Pages(kit);
  const spaces = [0, 1].map((n) => `mm_${n}: dd 0\nmm_${n}_table: dd 0\nmm_${n}_entry: dd 0`);
  return [
    firstProcess(kit, p),
    systemEnter(kit),
    badReturns(kit),
    fork(kit, p),
    programs(),
    "align 4",
    ...spaces,
    "user_page: dd 0\npointer_page: dd 0\ndata_entry: dd 0\ndemanded: dd 0",
  ].join("\n");
}
