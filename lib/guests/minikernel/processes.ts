/**
 * Minikernel: processes. Each has a page directory, a frame for its stack in the kernel, and a row in a table.
 *
 * Process 0 is the kernel itself, which idles. A process that has ended stays in the table until its parent has asked for
 * it; children whose parent ends become children of process 0. Cold data.
 */

/** Assembly source of this part. */
export const PROCESSES: string = String.raw`
P_STATE       equ 0
P_PID         equ 4
P_PARENT      equ 8                 ; its row
P_DIRECTORY   equ 12                ; number of the frame
P_ESP         equ 16                ; while it does not run
P_STACK       equ 20                ; upper end of its stack in the kernel
P_CODE        equ 24                ; why it ended
P_WAKE        equ 28                ; tick at which it wants to go on
P_BYTES       equ 32
MOST_PROCESSES equ 16

FREE          equ 0
READY         equ 1
SLEEPING      equ 2
WAITING       equ 3                 ; for a child
ENDED         equ 4

FRAME_BYTES   equ 52                ; PUSHAD, then EIP, CS, EFLAGS, ESP, SS

new_process:                        ; returns EDI: a row with a directory and a stack; ZF: there is none
  mov edi, processes
new_process_look:
  add edi, P_BYTES
  cmp edi, processes_end
  je new_process_end
  cmp dword [edi+P_STATE], FREE
  jne new_process_look
  call new_directory
  mov [edi+P_DIRECTORY], eax
  call alloc_frame_raw
  shl eax, 12
  add eax, PAGE_OFFSET + 0x1000
  mov [edi+P_STACK], eax
  sub eax, FRAME_BYTES + 20         ; below the frame: where to go on, and four registers that nobody misses
  mov [edi+P_ESP], eax
  mov dword [eax+16], return_to_user
  mov eax, [current]
  mov [edi+P_PARENT], eax
  inc dword [last_pid]
  mov eax, [last_pid]
  mov [edi+P_PID], eax
  test eax, eax                     ; not zero
new_process_end:
  ret

return_to_user:                     ; the first thing that a new process does
  popad
  paravirt_jump IRET

start_program:                      ; EAX and EBX: what the program finds there; [program] is its frame
  push eax
  push ebx
  call new_process
  mov eax, [edi+P_STACK]
  mov dword [eax-4], 0x7B
  mov dword [eax-8], USER_STACK + USER_STACK_BYTES
  mov dword [eax-12], 0x202
  mov dword [eax-16], 0x73
  mov dword [eax-20], USER_CODE
  pop ebx
  pop ecx
  mov [eax-24], ecx                 ; EAX
  mov [eax-36], ebx                 ; EBX
  mov dword [edi+P_STATE], READY
  ret

exit_process:                       ; EAX: code
  mov esi, [current]
  mov [esi+P_CODE], eax
  mov eax, [kernel_directory]
  call use_directory                ; leave the address space before it goes
  call free_space
  mov eax, [kernel_directory]
  mov [esi+P_DIRECTORY], eax
  mov edi, processes
exit_orphans:
  cmp [edi+P_PARENT], esi
  jne exit_not_ours
  mov dword [edi+P_PARENT], processes
exit_not_ours:
  add edi, P_BYTES
  cmp edi, processes_end
  jb exit_orphans
  mov dword [esi+P_STATE], ENDED
  mov edi, [esi+P_PARENT]
  cmp dword [edi+P_STATE], WAITING
  jne exit_unawaited
  mov dword [edi+P_STATE], READY
exit_unawaited:
  call schedule                     ; never comes back
  jmp stop

take_child:                         ; EDX: row of the parent; returns EDI: a child that ended, 0: none did; ECX: children
  xor ecx, ecx
  mov edi, processes + P_BYTES
take_child_look:
  cmp dword [edi+P_STATE], FREE
  je take_child_next
  cmp [edi+P_PARENT], edx
  jne take_child_next
  inc ecx
  cmp dword [edi+P_STATE], ENDED
  je take_child_found
take_child_next:
  add edi, P_BYTES
  cmp edi, processes_end
  jb take_child_look
  xor edi, edi
  ret
take_child_found:
  mov eax, [edi+P_STACK]
  sub eax, PAGE_OFFSET + 0x1000
  shr eax, 12
  call put_frame
  mov dword [edi+P_STATE], FREE
  ret

run_processes:                      ; process 0: returns when there is no other any more
  paravirt DisableInterrupts
  mov edx, processes
  call take_child
  test edi, edi
  jnz run_processes
  test ecx, ecx
  jz run_processes_end
  call schedule
  test eax, eax                     ; something has run: look again
  jnz run_processes
  paravirt Halt
  jmp run_processes
run_processes_end:
  paravirt EnableInterrupts
  ret

align 4
program:                            ; number of the frame that holds the program
  dd 0
last_pid:
  dd 0
current:                            ; row of the process that runs
  dd processes
processes:
  dd READY, 0, 0, 0, 0, STACK_TOP, 0, 0
  times (MOST_PROCESSES - 1) * P_BYTES db 0
processes_end:
`;
