/**
 * Minikernel: the copy of an address space for a fork, and its end.
 *
 * A fork shares all pages. Those that could be written become read-only in both, and are copied when one of the two writes.
 * All entries change in one lazy batch, the flush at its end makes them count. Cold data.
 */

/** Assembly source of this part. */
export const SPACES: string = String.raw`
copy_space:                         ; EDI: row of the child; the parent is the current process
  push ebp
  push esi
  push edi
  mov eax, 1
  paravirt SetLazyMode
  mov ebp, [edi+P_DIRECTORY]
  shl ebp, 12
  add ebp, PAGE_OFFSET              ; EBP: entry of the child's directory
  mov esi, [directory]              ; ESI: entry of the parent's
  xor ebx, ebx                      ; EBX: linear address
copy_space_table:
  test dword [esi], 1
  jz copy_space_next
  call alloc_frame
  call announce_table
  push eax
  shl eax, 12
  lea edi, [eax+PAGE_OFFSET]        ; EDI: entry of the child's table
  push esi
  mov esi, [esi]
  and esi, 0xFFFFF000
  add esi, PAGE_OFFSET              ; ESI: entry of the parent's
  call copy_table
  pop esi
  pop eax
  shl eax, 12
  or eax, 7
  mov edx, ebp
  mov ecx, 2
  paravirt SetPxE
copy_space_next:
  add ebp, 4
  add esi, 4
  add ebx, 0x400000
  cmp ebx, PAGE_OFFSET
  jb copy_space_table
  xor eax, eax
  paravirt SetLazyMode
  mov eax, 1
  paravirt FlushTLB                 ; what the parent could write it cannot write any more
  pop edi
  pop esi
  pop ebp
  ret

copy_table:                         ; EBX: linear address of the first page
  push ebx
  push ebp
  lea ebp, [esi+0x1000]
copy_table_entry:
  mov eax, [esi]
  test eax, 1
  jz copy_table_next
  mov edx, eax
  shr edx, 12
  inc byte [frame_users+edx]
  test eax, 2
  jz copy_table_child               ; could not be written anyway
  and eax, 0xFFFFFFFD
  or eax, COPY_ON_WRITE
  mov edx, esi
  mov ecx, ebx
  or ecx, 0x31                      ; current address space, deferred
  push eax
  paravirt SetPxE
  pop eax
copy_table_child:
  and eax, 0xFFFFFF9F               ; not accessed, not dirty
  mov edx, edi
  mov ecx, 1                        ; of another address space
  paravirt SetPxE
copy_table_next:
  add esi, 4
  add edi, 4
  add ebx, 0x1000
  cmp esi, ebp
  jb copy_table_entry
  pop ebp
  pop ebx
  ret

free_space:                         ; ESI: row of a process whose directory is not in use
  push esi
  mov edi, [esi+P_DIRECTORY]
  push edi
  shl edi, 12
  add edi, PAGE_OFFSET              ; EDI: entry of the directory
  lea ebp, [edi+0xC00]              ; EBP: where the kernel's begin
free_space_table:
  mov ebx, [edi]
  test ebx, 1
  jz free_space_next
  shr ebx, 12                       ; EBX: frame of the table
  mov esi, ebx
  shl esi, 12
  add esi, PAGE_OFFSET
  mov ecx, 1024
free_space_entry:
  mov eax, [esi]
  test eax, 1
  jz free_space_empty
  shr eax, 12
  call put_frame
free_space_empty:
  add esi, 4
  dec ecx
  jnz free_space_entry
  mov eax, ebx
  mov edx, 0x41
  paravirt ReleasePage
  mov eax, ebx
  call put_frame
free_space_next:
  add edi, 4
  cmp edi, ebp
  jb free_space_table
  mov eax, [esp]
  mov edx, 0x42
  paravirt ReleasePage
  pop eax
  call put_frame
  pop esi
  ret

free_heap:                          ; the current process gives back its heap
  mov eax, 1
  paravirt SetLazyMode
  mov ebx, USER_HEAP
free_heap_page:
  mov eax, ebx
  call find_entry
  mov eax, [edx]
  test eax, 1
  jz free_heap_next
  shr eax, 12
  call put_frame
  xor eax, eax
  mov ecx, ebx
  or ecx, 0x31
  paravirt SetPxE
free_heap_next:
  add ebx, 0x1000
  cmp ebx, USER_HEAP + USER_HEAP_BYTES
  jb free_heap_page
  xor eax, eax
  paravirt SetLazyMode
  mov eax, 1
  paravirt FlushTLB
  ret
`;
