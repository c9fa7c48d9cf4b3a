/**
 * Minikernel, user mode: work to be measured. EAX is the kind, EBX how often; a line says when it begins and one when it is
 * over. Two runs with different counts differ by the work alone. Cold data.
 */

/** Assembly source of this program. */
export const WORKLOAD: string = String.raw`
program:
  mov ebp, ebx                      ; EBP: operations left
  mov edi, eax
  say "workload: "
  mov esi, [names+edi*4]
  call puts
  say "\n"
  mov eax, SYS_GETPID               ; pages of code and stack are there before it counts
  call kernel
  call [works+edi*4]
  say "workload: done\n"
  xor ebx, ebx
  call exit
align 4
works:
  dd work_syscall, work_fault, work_fork, work_switch, work_tick, work_mixed
names:
  dd name_syscall, name_fault, name_fork, name_switch, name_tick, name_mixed
name_syscall:
  db "syscall", 0
name_fault:
  db "fault", 0
name_fork:
  db "fork", 0
name_switch:
  db "switch", 0
name_tick:
  db "tick", 0
name_mixed:
  db "mixed", 0

work_syscall:                       ; the shortest system call
  dec ebp
  js work_end
  mov eax, SYS_GETPID
  call kernel
  jmp work_syscall
work_end:
  ret

work_fault:                         ; the first touch of a page; the heap is given back when it is full
  mov edi, USER_HEAP
work_fault_next:
  dec ebp
  js work_end
  mov [edi], ebp
  add edi, 0x1000
  cmp edi, USER_HEAP + USER_HEAP_BYTES
  jb work_fault_next
  call free
  jmp work_fault

work_fork:                          ; a child that ends at once
  dec ebp
  js work_end
  call fork
  test eax, eax
  jz work_fork_child
  call wait
  jmp work_fork
work_fork_child:
  xor ebx, ebx
  call exit

work_switch:                        ; parent and child take turns
  inc ebp
  shr ebp, 1
  call fork
  push eax
work_switch_next:
  dec ebp
  js work_switch_end
  call yield
  jmp work_switch_next
work_switch_end:
  pop eax
  test eax, eax
  jz work_fork_child
  call wait
  ret

work_tick:                          ; asleep from tick to tick
  dec ebp
  js work_end
  mov ebx, 1
  call sleep
  jmp work_tick

work_mixed:                         ; a small shell's day: a child that computes and writes to memory, calls meanwhile
  dec ebp
  js work_end
  call fork
  test eax, eax
  jz work_mixed_child
  mov edi, 8
work_mixed_call:
  mov eax, SYS_GETPID
  call kernel
  dec edi
  jnz work_mixed_call
  call yield
  call wait
  jmp work_mixed
work_mixed_child:
  mov edi, USER_HEAP
work_mixed_touch:
  mov [edi], edi
  mov ecx, 500
work_mixed_compute:
  imul eax, ecx
  dec ecx
  jnz work_mixed_compute
  add edi, 0x1000
  cmp edi, USER_HEAP + 0x4000
  jb work_mixed_touch
  xor ebx, ebx
  call exit
`;
