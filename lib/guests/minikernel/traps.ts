/**
 * Minikernel: exceptions and the timer interrupt.
 *
 * Every way back out of a handler is the IRET call. An entry from ring 3 finds DS and ES as the user left them; they are
 * the selectors that the kernel uses too. An exception that a process is to blame for ends the process. Cold data.
 */

/** Assembly source of this part. */
export const TRAPS: string = String.raw`
exception_common:                   ; stack: vector, error code, EIP, CS, EFLAGS
  pushad
  cmp dword [esp+32], 14
  jne exception_unrepaired
  paravirt GetCR2
  mov ebx, eax
  mov ecx, [esp+36]
  call page_fault
  jnz exception_fault
  popad
  add esp, 8
  paravirt_jump IRET

exception_fault:
  cmp dword [current], processes
  je exception_unrepaired
  cmp ebx, PAGE_OFFSET              ; the kernel has followed an address of the process
  jb exception_process
exception_unrepaired:
  mov eax, [esp+44]
  and eax, 3                        ; the ring it came from
  cmp eax, 3
  jne exception_fatal
exception_process:
  say "process "
  mov eax, [current]
  mov eax, [eax+P_PID]
  call putdec
  say ": exception "
  mov eax, [esp+32]
  call putdec
  say "\n"
  mov eax, [esp+32]
  add eax, 128
  jmp exit_process

exception_fatal:
  say "unexpected exception "
  mov eax, [esp+32]
  call putdec
  say ", error code "
  mov eax, [esp+36]
  call puthex
  say ", at "
  mov eax, [esp+40]
  call puthex
  say ", CR2 "
  paravirt GetCR2
  call puthex
  say "\n"
stop:
  paravirt Shutdown

timer_entry:
  pushad
  mov al, 0x20                      ; end of interrupt
  out 0x20, al
  inc dword [ticks]
  mov eax, [info_page]
  mov ecx, [ticks]
  mov [eax], ecx
  call wake_sleepers
  mov eax, [esp+36]
  and eax, 3
  cmp eax, 3                        ; programs can be preempted, the kernel cannot
  jne timer_end
  call schedule
  mov ecx, [info_page]
  add [ecx+8], eax
timer_end:
  popad
  paravirt_jump IRET
ticks:
  dd 0
info_frame:                         ; the page that programs can read: ticks, SYSENTER works, preemptions
  dd 0
info_page:
  dd 0

setup_info:
  call alloc_frame
  mov [info_frame], eax
  shl eax, 12
  add eax, PAGE_OFFSET
  mov [info_page], eax
  ret
`;
