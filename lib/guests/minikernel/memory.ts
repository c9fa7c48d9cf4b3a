/**
 * Minikernel: page frames, an address space of its own, and mapping on demand.
 *
 * Flags of SetPxE: the level (1 page table, 2 directory), 0x10 with the address if the entry belongs to the current address
 * space, 0x20 if the hypervisor may queue it. Flags of AllocatePage: 0x41 page table, 0x62 directory cloned from another. Cold data.
 */

/** Assembly source of this part. */
export const MEMORY: string = String.raw`
alloc_frame:                        ; returns EAX: number of a zeroed frame
  push edi
  push ecx
  paravirt GetInterruptMask         ; the short way to a critical section
  push eax
  paravirt DisableInterrupts
  mov eax, [next_frame]
  inc dword [next_frame]
  xchg eax, [esp]
  paravirt SetInterruptMask
  mov edi, [esp]
  shl edi, 12
  add edi, PAGE_OFFSET
  xor eax, eax
  mov ecx, 1024
  rep stosd
  pop eax
  pop ecx
  pop edi
  ret
next_frame:
  dd FIRST_FREE
directory:                          ; linear address of the page directory in use
  dd BOOT_PD + PAGE_OFFSET

; --- a new directory without the identity mapping of the boot
setup_memory:
  call alloc_frame
  push eax
  shl eax, 12
  lea edi, [eax+PAGE_OFFSET]
  mov [directory], edi
  add edi, 0xC00
  mov esi, BOOT_PD + PAGE_OFFSET + 0xC00
  mov ecx, 256
  rep movsd                         ; the kernel's quarter, copied before it is announced
  mov eax, [esp]
  push dword 256                    ; count
  push dword 768                    ; start
  mov edx, 0x62                     ; directory, clone
  mov ecx, BOOT_PD >> 12
  paravirt AllocatePage
  add esp, 8
  pop eax
  shl eax, 12
  paravirt SetCR3
  mov eax, 3                        ; everything, global entries too
  paravirt FlushTLB
  say "memory: page directory at "
  paravirt GetCR3
  call puthex
  say "\n"
  ret

; --- EAX: linear address; returns EDX: linear address of its page-table entry, making the table if need be
find_entry:
  push ebx
  push esi
  mov ebx, eax
  shr eax, 22
  mov esi, [directory]
  lea esi, [esi+eax*4]
  test dword [esi], 1
  jnz find_entry_there
  call alloc_frame
  push eax
  mov edx, 0x41
  push dword 0
  push dword 0
  xor ecx, ecx
  paravirt AllocatePage
  add esp, 8
  pop eax
  shl eax, 12
  or eax, 7
  mov edx, esi
  mov ecx, 2
  paravirt SetPxE
find_entry_there:
  mov edx, [esi]
  and edx, 0xFFFFF000
  add edx, PAGE_OFFSET
  shr ebx, 12
  and ebx, 1023
  lea edx, [edx+ebx*4]
  pop esi
  pop ebx
  ret

map_page:                           ; EAX: linear address, ECX: further flags of SetPxE (0, or 0x20 to defer)
  push ebx
  push esi
  mov ebx, eax
  mov esi, ecx
  call find_entry
  push edx
  call alloc_frame
  shl eax, 12
  or eax, 3                         ; present, writable
  cmp ebx, PAGE_OFFSET
  jae map_page_kernel
  or eax, 4                         ; below: user may
map_page_kernel:
  pop edx
  mov ecx, ebx
  and ecx, 0xFFFFF000
  or ecx, 0x11                      ; page table level, current address space, address
  or ecx, esi
  paravirt SetPxE
  pop esi
  pop ebx
  ret

; --- EAX: address of a page fault; ZF clear: not ours
demand:
  mov edx, eax
  shr edx, 24
  cmp edx, 0xD0                     ; 16 MiB for the kernel's own play
  je demand_map
  mov edx, eax
  shr edx, 14
  cmp edx, 0x08048000 >> 14         ; 16 KiB for the user program
  jne demand_end
demand_map:
  push eax
  say "page fault at "
  call puthex
  xor ecx, ecx
  call map_page
  say ", mapped\n"
  pop eax
  cmp eax, eax                      ; ZF
demand_end:
  ret

exercise_memory:
  mov dword [0xD0000123], 0x12345678     ; faults, is mapped, and the store is done again
  cmp dword [0xD0000123], 0x12345678
  jne memory_broken
  mov eax, 0xD0000000
  call find_entry
  xor eax, eax                      ; unmap: entry 0, then drop the translation
  mov ecx, 0xD0000011
  paravirt SetPxE
  mov eax, 0xD0000000
  paravirt InvalPage
  cmp dword [0xD0000123], 0         ; faults again; a new page is empty
  jne memory_broken
  mov eax, 1                        ; a batch of updates that the hypervisor may queue
  paravirt SetLazyMode
  mov ebx, 0xD0400000
exercise_batch:
  mov eax, ebx
  mov ecx, 0x20
  call map_page
  add ebx, 0x1000
  cmp ebx, 0xD0404000
  jb exercise_batch
  xor eax, eax                      ; leaving the mode makes them take effect
  paravirt SetLazyMode
  mov edi, 0xD0400000
  mov ecx, 0x1000
  mov eax, 0x55AA55AA
  rep stosd
  say "memory: 4 pages mapped in one batch\n"
  ret
memory_broken:
  say "memory: broken\n"
  jmp stop
`;
