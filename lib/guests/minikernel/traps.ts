/**
 * Minikernel: exceptions, the timer interrupt and system calls.
 *
 * Every way back out of a handler is the IRET call. An entry from ring 3 finds DS and ES as the user left them; they are
 * the selectors that the kernel uses too. Cold data.
 */

/** Assembly source of this part. */
export const TRAPS: string = String.raw`
exception_common:                   ; stack: vector, error code, EIP, CS, EFLAGS
  pushad
  cmp dword [esp+32], 14
  jne exception_fatal
  test dword [esp+36], 1            ; a protection fault is not for demand paging
  jnz exception_fatal
  paravirt GetCR2
  call demand
  jnz exception_fatal
  popad
  add esp, 8
  paravirt_jump IRET

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
  inc dword [ticks]
  cmp dword [ticks], 3              ; the first few are shown
  ja timer_quiet
  say "tick "
  mov eax, [ticks]
  call putdec
  say "\n"
timer_quiet:
  mov al, 0x20                      ; end of interrupt
  out 0x20, al
  popad
  paravirt_jump IRET
ticks:
  dd 0

syscall_entry:                      ; EAX: 1 is "hello", 2 is "exit"
  cmp eax, 2
  je syscall_exit
  pushad
  say "system call from ring "
  mov eax, [esp+36]                 ; CS of the caller
  and eax, 3
  call putdec
  say "\n"
  popad
  paravirt_jump IRET
syscall_exit:
  mov esp, [user_return]            ; back to where run_user was called
  popad
  ret

; --- a program of three instructions in ring 3
run_user:
  pushad
  mov [user_return], esp
  mov edi, 0x08048000               ; copied to where it runs; the page is mapped on demand
  mov esi, user_program
  mov ecx, user_program_end - user_program
  rep movsb
  mov [tss+4], esp                  ; entries from ring 3 go on below this frame
  mov eax, 0x68
  mov edx, esp
  paravirt UpdateKernelStack
  push dword 0x7B                   ; SS, ESP, EFLAGS with IF, CS, EIP
  push dword 0x0804A000
  push dword 0x202
  push dword 0x73
  push dword 0x08048000
  paravirt_jump IRET
user_return:
  dd 0
user_program:
  mov eax, 1
  int 0x80
  mov eax, 2
  int 0x80
user_program_end:
`;
