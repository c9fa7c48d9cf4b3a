/**
 * Minikernel: the scheduler. Processes that are ready run in turn, each until it waits or the clock ticks; process 0 runs
 * when no other can. Interrupts are off in here: the kernel itself is never preempted. Cold data.
 */

/** Assembly source of this part. */
export const SCHEDULER: string = String.raw`
schedule:                           ; returns EAX: 1 if another has run in between
  mov eax, [current]
  mov ecx, MOST_PROCESSES
schedule_look:
  add eax, P_BYTES
  cmp eax, processes_end
  jb schedule_row
  mov eax, processes
schedule_row:
  cmp eax, processes                ; process 0 only if there is nothing else
  je schedule_next
  cmp dword [eax+P_STATE], READY
  je schedule_found
schedule_next:
  dec ecx
  jnz schedule_look
  mov eax, processes
schedule_found:
  cmp eax, [current]
  je schedule_same
  push ebp
  push edi
  push esi
  push ebx
  mov edi, eax
  mov esi, [current]
  mov [esi+P_ESP], esp
  mov [current], edi
  mov eax, 2                        ; registers of the CPU may change in one batch
  paravirt SetLazyMode
  mov edx, [edi+P_STACK]
  mov [tss+4], edx
  mov eax, 0x68
  paravirt UpdateKernelStack
  mov eax, [edi+P_DIRECTORY]
  cmp eax, [esi+P_DIRECTORY]
  je schedule_loaded
  call use_directory
schedule_loaded:
  xor eax, eax
  paravirt SetLazyMode
  mov esp, [edi+P_ESP]              ; from here on in the other process
  pop ebx
  pop esi
  pop edi
  pop ebp
  mov eax, 1
  ret
schedule_same:
  xor eax, eax
  ret

wake_sleepers:                      ; at each tick
  mov eax, processes
wake_look:
  cmp dword [eax+P_STATE], SLEEPING
  jne wake_next
  mov ecx, [ticks]
  sub ecx, [eax+P_WAKE]
  js wake_next
  mov dword [eax+P_STATE], READY
wake_next:
  add eax, P_BYTES
  cmp eax, processes_end
  jb wake_look
  ret
`;
