/**
 * The client kernel's handlers: exceptions, which are logged and leave the way the running step has named; the timer in
 * both wirings; system calls. All end in the one IRET site. Handlers make calls as a kernel does, unchecked.
 *
 * Reference: 7.4 (frames), 7.5 (IRET), 7.7 (SYSENTER), 9.4 (vectors). Cold data.
 */
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";

const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];
/** Bytes of a logged exception. */
export const FAULT_BYTES = 32;
/** Linear address of the local APIC's page: a slot of the fixmap, below the hole at the top. */
export const APIC_SLOT = 3;

const ENTER = `
  pushad
  push ds
  push es
  mov eax, 0x7b
  mov ds, eax
  mov es, eax`;
const LEAVE = `
  pop es
  pop ds
  popad`;

/** Code that runs with a way out: a fault in it goes on behind it. `resume` is 0 afterwards. */
export function attempt(kit: Kit, code: string): string {
  const after = kit.label();
  return `mov dword [ss:resume], ${after}
  mov [ss:resume_esp], esp
  ${code}
${after}:
  mov dword [ss:resume], 0`;
}

/** Handlers and their entries. */
export function handlers(kit: Kit): string {
  const vectors = Array.from({ length: 32 }, (_, v) => v);
  const entries = vectors.map((v) =>
    `exception_${v}:\n  ${
      WITH_CODE.includes(v) ? "" : "push dword 0xffffffff"
    }\n  push dword ${v}\n  jmp exception_common`
  );
  return `
handlers_start:
exception_common:                   ; stack: vector, code, EIP, CS, EFLAGS, perhaps ESP, SS
  ${ENTER}
  xor eax, eax
  cmp dword [esp+40], 14
  jne exception_log
  call dword [${kit.op("GetCR2")}]
exception_log:
  mov ebx, ${FAULT_BYTES}
  xadd [fault_end], ebx
  mov ecx, 5
  mov edi, ebx
  lea esi, [esp+40]
  rep movsd                         ; vector, code, EIP, CS, EFLAGS
  mov [ebx+20], eax                 ; CR2
  lea eax, [esp+48]
  mov [ebx+24], eax                 ; where the frame is
  mov eax, ds
  mov [ebx+28], eax
  cmp dword [esp+40], 14
  jne exception_resume
  cmp dword [demand], 0
  je exception_resume
  mov eax, [ebx+20]
  mov edx, [ebx+4]
  call dword [demand]               ; EAX: address, EDX: error code; EAX = 0: done
  test eax, eax
  jz exception_return
exception_resume:
  mov eax, [resume]
  test eax, eax
  jz exception_unexpected
  test dword [esp+52], 3
  jz exception_kernel
  mov ecx, [esp+52]
  and ecx, 3
  cmp ecx, 3
  je exception_user
exception_kernel:
  mov [esp+48], eax
exception_return:
  ${LEAVE}
  add esp, 8
  jmp iret_exit
exception_user:                     ; the step in the kernel goes on
  mov esp, [resume_esp]
  jmp eax
exception_unexpected:
  mov eax, [esp+40]
  add eax, 1000
  mov [bug], eax
bug_stop:
  cli
  hlt
  jmp bug_stop

timer_shared:                       ; one vector for both wirings: the chip is what was installed
  cmp dword [ss:wired_local], 0
  jne timer_local
timer_line:                         ; line 0 through the 8259A
  ${ENTER}
  mov al, 0x20
  out 0x20, al
  call timer_count
  ${LEAVE}
  jmp iret_exit
timer_local:                        ; LVTT
  ${ENTER}
  mov eax, 0xb0
  xor edx, edx
  call dword [${kit.op("APICWrite")}]
  call timer_count
  inc dword [local_ticks]
  ${LEAVE}
  jmp iret_exit
timer_count:                        ; the frame: EFLAGS with IF, the handler without it
  inc dword [ticks]
  mov eax, [esp+52]
  and eax, 0x200
  mov [tick_flags], eax
  pushfd
  pop eax
  mov [tick_cs], eax
  mov eax, [esp+48]
  and eax, 3
  cmp eax, 3
  jne timer_kernel
  inc dword [user_ticks]
timer_kernel:
  call dword [${kit.op("GetInterruptMask")}]
  and eax, 0x200
  or [tick_mask], eax
  ret
other_line:
  push eax
  mov al, 0x20
  out 0xa0, al
  out 0x20, al
  pop eax
  jmp iret_exit

system_call:                        ; EAX: 0 back to the kernel, else a service; all other registers are the user's
  push eax
  push ds
  push es
  mov eax, 0x7b
  mov ds, eax
  mov es, eax
  cmp dword [esp+8], 0
  je system_call_last
  inc dword [system_calls]
  mov eax, [esp+16]
  mov [system_cs], eax
  mov eax, [esp+20]
  mov [system_flags], eax
  lea eax, [esp+32]
  mov [system_top], eax             ; where the frame began
  pop es
  pop ds
  pop eax
  lea eax, [eax+eax]
  jmp iret_exit
system_call_last:                   ; a trap gate: interrupts are on as the user had them
  call dword [${kit.op("GetInterruptMask")}]
  and eax, 0x200
  mov [last_mask], eax
  call dword [${kit.op("DisableInterrupts")}]
  mov esp, [resume_esp]
  jmp dword [resume]

; --- the one way out
iret_exit:
${kit.site(["IRET"], [], 7, true)}
handlers_end:
${entries.join("\n")}
align 4
exception_table:
${vectors.map((v) => `  dd exception_${v}`).join("\n")}
iret_site equ ${kit.sites.at(-1)?.label}
fault_end: dd ${lin(At.faults)}
resume: dd 0
resume_esp: dd 0
demand: dd 0
ticks: dd 0
local_ticks: dd 0
wired_local: dd 0
user_ticks: dd 0
tick_flags: dd 0
tick_mask: dd 0
tick_cs: dd 0
system_calls: dd 0
system_cs: dd 0
system_flags: dd 0
system_top: dd 0
last_mask: dd 0`;
}
