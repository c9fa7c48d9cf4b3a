/**
 * Minikernel: page faults. A page that a process may have is made when it is first touched; one that forked processes share
 * is copied when one of them writes (entries that are to be copied have bit 9, which the processor ignores). Cold data.
 */

/** Assembly source of this part. */
export const FAULTS: string = String.raw`
COPY_ON_WRITE equ 0x200

page_fault:                         ; EAX: address, ECX: error code; returns ZF: repaired
  test ecx, 1
  jnz page_fault_rights
  mov edx, eax
  shr edx, 24
  cmp edx, 0xD0                     ; 16 MiB for the kernel's own play
  je page_fault_kernel
  cmp dword [current], processes    ; process 0 has no pages of its own
  je page_fault_bad
  mov edx, eax
  and edx, 0xFFFFF000
  cmp edx, USER_CODE
  je page_fault_program
  cmp edx, USER_INFO
  je page_fault_info
  sub edx, USER_HEAP
  cmp edx, USER_HEAP_BYTES
  jb page_fault_empty
  mov edx, eax
  sub edx, USER_STACK
  cmp edx, USER_STACK_BYTES
  jb page_fault_empty
page_fault_bad:
  cmp esp, 0                        ; not equal
  ret

page_fault_kernel:
  push eax
  say "page fault at "
  call puthex
  say ", mapped\n"
  pop eax
page_fault_empty:
  xor ecx, ecx
  call map_page
  jmp page_fault_repaired

page_fault_program:                 ; a copy of the program's page
  push eax
  call alloc_frame_raw
  mov edx, [program]
  call copy_frame
  mov edx, eax
  pop eax
  shl edx, 12
  or edx, 7
  xor ecx, ecx
  call map_entry
  jmp page_fault_repaired

page_fault_info:                    ; the page that all processes may read
  mov edx, [info_frame]
  inc byte [frame_users+edx]
  shl edx, 12
  or edx, 5
  xor ecx, ecx
  call map_entry
page_fault_repaired:
  cmp eax, eax
  ret

page_fault_rights:
  test ecx, 2                       ; reading what is there: nothing to repair
  jz page_fault_bad
  cmp eax, PAGE_OFFSET
  jae page_fault_bad
  push ebx
  push esi
  mov ebx, eax
  call find_entry
  mov esi, edx
  mov edx, [esi]
  test edx, COPY_ON_WRITE
  jz page_fault_refused
  shr edx, 12
  mov eax, edx
  cmp byte [frame_users+edx], 1     ; the others have left it already
  je page_fault_own
  call alloc_frame_raw
  call copy_frame
  xchg eax, edx
  call put_frame
  mov eax, edx
page_fault_own:
  shl eax, 12
  or eax, 7
  mov edx, esi
  mov ecx, ebx
  and ecx, 0xFFFFF000
  or ecx, 0x11
  paravirt SetPxE
  mov eax, ebx
  paravirt InvalPage
  pop esi
  pop ebx
  jmp page_fault_repaired
page_fault_refused:
  pop esi
  pop ebx
  jmp page_fault_bad
`;
