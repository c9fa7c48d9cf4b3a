/**
 * Minikernel, user mode: what every program begins with. The two ways into the kernel, and printing.
 *
 * A program is one page at USER_CODE, entered at its first byte in ring 3. It has a heap and a stack whose pages come when
 * they are touched, and one page that it can only read. Cold data.
 */

/** The address space of a process, for the kernel and its programs. */
export const USER_LAYOUT: string = String.raw`
USER_CODE        equ 0x08048000
USER_HEAP        equ 0x08100000
USER_HEAP_BYTES  equ 0x40000        ; 64 pages
USER_STACK       equ 0xBFFF0000
USER_STACK_BYTES equ 0xF000
USER_INFO        equ 0xBFFFF000     ; ticks, SYSENTER works, preemptions
`;

/** Assembly source of this part. */
export const LIBRARY: string = String.raw`
SYS_GETPID equ 0
SYS_EXIT   equ 1
SYS_FORK   equ 2
SYS_WAIT   equ 3
SYS_WRITE  equ 4
SYS_YIELD  equ 5
SYS_SLEEP  equ 6
SYS_FREE   equ 7

  jmp program

kernel:                             ; EAX: number of the call; the faster way, if there are two
  cmp dword [USER_INFO+4], 0
  jne kernel_fast
kernel_interrupt:
  int 0x80
  ret
kernel_fast:
  push ecx
  push edx
  push ebp
  mov ebp, esp
  sysenter
sysenter_return:                    ; where the kernel comes back to
  pop ebp
  pop edx
  pop ecx
  ret

puts:                               ; ESI: text that ends in 0
  push eax
  push ebx
  push ecx
  mov ebx, esi
  xor ecx, ecx
puts_length:
  cmp byte [ebx+ecx], 0
  je puts_write
  inc ecx
  jmp puts_length
puts_write:
  mov eax, SYS_WRITE
  call kernel
  pop ecx
  pop ebx
  pop eax
  ret

putdec:                             ; EAX: number
  pushad
  mov edi, number_end
  mov ebx, 10
putdec_next:
  xor edx, edx
  div ebx
  add dl, '0'
  dec edi
  mov [edi], dl
  test eax, eax
  jnz putdec_next
  mov esi, edi
  call puts
  popad
  ret
number:
  times 12 db 0
number_end:
  db 0

fork:                               ; returns EAX: number of the child, in the child 0
  mov eax, SYS_FORK
  jmp kernel
wait:                               ; returns EAX: number of a child that ended, EBX: its code
  mov eax, SYS_WAIT
  jmp kernel
yield:
  mov eax, SYS_YIELD
  jmp kernel
sleep:                              ; EBX: ticks
  mov eax, SYS_SLEEP
  jmp kernel
free:                               ; gives the heap back
  mov eax, SYS_FREE
  jmp kernel
exit:                               ; EBX: code
  mov eax, SYS_EXIT
  jmp kernel
`;
