/**
 * Minikernel: address spaces. Page directories whose upper quarter is the kernel's, and the way to an entry.
 *
 * Flags of SetPxE: the level (1 page table, 2 directory), 0x10 with the address if the entry belongs to the current address
 * space, 0x20 if the hypervisor may queue it. Flags of AllocatePage: 0x41 page table, 0x62 directory cloned from another,
 * of ReleasePage: 0x41, 0x42. Cold data.
 */

/** Assembly source of this part. */
export const MEMORY: string = String.raw`
directory:                          ; linear address of the page directory in use
  dd BOOT_PD + PAGE_OFFSET
kernel_directory:                   ; number of the frame of the kernel's own
  dd BOOT_PD >> 12

; --- returns EAX: frame of a new directory, with the kernel's quarter as in the kernel's own
new_directory:
  push esi
  push edi
  call alloc_frame
  push eax
  shl eax, 12
  lea edi, [eax+PAGE_OFFSET+0xC00]
  mov esi, [kernel_directory]
  shl esi, 12
  add esi, PAGE_OFFSET + 0xC00
  mov ecx, 256
  rep movsd                         ; copied before it is announced
  mov eax, [esp]
  push dword 256                    ; count
  push dword 768                    ; start
  mov edx, 0x62                     ; directory, clone
  mov ecx, [kernel_directory]
  paravirt AllocatePage
  add esp, 8
  pop eax
  pop edi
  pop esi
  ret

use_directory:                      ; EAX: its frame
  shl eax, 12
  lea edx, [eax+PAGE_OFFSET]
  mov [directory], edx
  paravirt SetCR3
  ret

setup_memory:                       ; a directory without the identity mapping of the boot
  call new_directory
  mov [kernel_directory], eax
  mov [processes+P_DIRECTORY], eax  ; process 0 lives in it
  call use_directory
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
  call announce_table
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

announce_table:                     ; EAX: frame that becomes a page table; keeps it
  push eax
  push dword 0
  push dword 0
  xor ecx, ecx
  mov edx, 0x41
  paravirt AllocatePage
  add esp, 8
  pop eax
  ret

map_entry:                          ; EAX: linear address, EDX: its entry, ECX: further flags (0, or 0x20 to defer)
  push ebx
  push esi
  mov ebx, eax
  mov esi, edx
  push ecx
  call find_entry
  pop ecx
  mov eax, ebx
  and eax, 0xFFFFF000
  lea ecx, [ecx+eax+0x11]           ; page table level, current address space, address
  mov eax, esi
  paravirt SetPxE
  pop esi
  pop ebx
  ret

map_page:                           ; EAX: linear address, ECX: further flags; gives it a zeroed frame
  push eax
  call alloc_frame
  mov edx, eax
  pop eax
  shl edx, 12
  or edx, 3                         ; present, writable
  cmp eax, PAGE_OFFSET
  jae map_entry
  or edx, 4                         ; below: user may
  jmp map_entry

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
