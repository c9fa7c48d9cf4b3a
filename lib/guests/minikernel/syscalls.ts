/**
 * Minikernel: system calls, by INT 0x80 and by SYSENTER. The number is in EAX, arguments in EBX and ECX, the result in EAX.
 *
 * SYSENTER saves nothing, so its stub in the program leaves its stack pointer in EBP and goes on at a fixed address. The
 * entry makes of it the same frame as INT 0x80: a forked child may leave by IRET. Cold data.
 */

/** Assembly source of this part. */
export const SYSCALLS: string = String.raw`
setup_sysenter:
  say "system calls: INT 0x80"
  mov eax, 1
  xor ecx, ecx
  paravirt CPUID
  test edx, 1 << 11
  jz setup_sysenter_end
  mov eax, [info_page]
  mov dword [eax+4], 1
  say ", SYSENTER"
  xor edx, edx
  mov ecx, 0x174                    ; code segment
  mov eax, 0x60
  wrmsr
  mov ecx, 0x175                    ; stack pointer: at the word that holds the real one
  mov eax, tss + 4
  wrmsr
  mov ecx, 0x176                    ; instruction pointer
  mov eax, sysenter_entry
  wrmsr
setup_sysenter_end:
  say "\n"
  ret

syscall_entry:
  pushad
  call syscall
  popad
  paravirt_jump IRET

sysenter_entry:                     ; interrupts are off
  mov esp, [esp]
  push dword 0x7B
  push ebp
  push dword 0x202
  push dword 0x73
  push dword SYSENTER_RETURN
  pushad
  call syscall
  popad
  mov edx, [esp]                    ; EIP
  mov ecx, [esp+12]                 ; ESP
  paravirt_jump SYSEXIT

syscall:
  lea ebp, [esp+4]                  ; EBP: the frame
  cmp eax, (syscall_table_end - syscall_table) / 4
  jae syscall_unknown
  call dword [syscall_table+eax*4]
  mov [ebp+28], eax                 ; EAX of the frame
  ret
syscall_unknown:
  mov dword [ebp+28], -1
  ret
align 4
syscall_table:
  dd sys_getpid, sys_exit, sys_fork, sys_wait, sys_write, sys_yield, sys_sleep, sys_free
syscall_table_end:

sys_getpid:
  mov eax, [current]
  mov eax, [eax+P_PID]
  ret

sys_exit:                           ; EBX: code
  mov eax, ebx
  jmp exit_process

sys_fork:                           ; returns the child's number, in the child 0
  call new_process
  jz sys_none
  mov eax, [edi+P_STACK]
  push edi
  lea edi, [eax-FRAME_BYTES]
  mov esi, ebp
  mov ecx, FRAME_BYTES / 4
  rep movsd
  mov dword [eax-24], 0             ; EAX of the child
  pop edi
  call copy_space
  mov dword [edi+P_STATE], READY
  mov eax, [edi+P_PID]
  ret
sys_none:
  mov eax, -1
  ret

sys_wait:                           ; returns the number of a child that ended, its code in EBX
  mov edx, [current]
  call take_child
  test edi, edi
  jnz sys_wait_found
  test ecx, ecx
  jz sys_none
  mov edx, [current]
  mov dword [edx+P_STATE], WAITING
  call schedule
  jmp sys_wait
sys_wait_found:
  mov eax, [edi+P_CODE]
  mov [ebp+16], eax                 ; EBX of the frame
  mov eax, [edi+P_PID]
  ret

sys_write:                          ; EBX: address, ECX: length
  lea edx, [ebx+ecx]
  cmp edx, ebx
  jb sys_none
  cmp edx, PAGE_OFFSET
  ja sys_none
  cmp ecx, 0x1000
  ja sys_none
  mov edx, ecx
sys_write_next:
  test edx, edx
  jz sys_write_end
  mov al, [ebx]
  call putc
  inc ebx
  dec edx
  jmp sys_write_next
sys_write_end:
  mov eax, ecx
  ret

sys_yield:
  call schedule
  xor eax, eax
  ret

sys_sleep:                          ; EBX: ticks
  mov eax, [current]
  add ebx, [ticks]
  mov [eax+P_WAKE], ebx
  mov dword [eax+P_STATE], SLEEPING
  call schedule
  xor eax, eax
  ret

sys_free:
  call free_heap
  xor eax, eax
  ret
`;
