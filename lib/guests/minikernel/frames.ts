/**
 * Minikernel: page frames. Each has a count of the page-table entries that lead to it, so that forked processes can share
 * it; one that nobody uses is on a list that runs through the free frames themselves. Cold data.
 */

/** Assembly source of this part. */
export const FRAMES: string = String.raw`
alloc_frame_raw:                    ; returns EAX: number of a frame, its contents arbitrary
  push ecx
  push edx
  paravirt GetInterruptMask         ; the short way to a critical section
  push eax
  paravirt DisableInterrupts
  mov ecx, [free_frames]
  test ecx, ecx
  jz alloc_frame_new
  mov edx, ecx
  shl edx, 12
  mov edx, [edx+PAGE_OFFSET]        ; the next one on the list
  mov [free_frames], edx
  jmp alloc_frame_taken
alloc_frame_new:
  mov ecx, [next_frame]
  cmp ecx, END_OF_FRAMES
  jae alloc_frame_none
  inc dword [next_frame]
alloc_frame_taken:
  mov byte [frame_users+ecx], 1
  inc dword [frames_in_use]
  pop eax
  paravirt SetInterruptMask
  mov eax, ecx
  pop edx
  pop ecx
  ret
alloc_frame_none:
  say "memory: no frame is left\n"
  jmp stop

alloc_frame:                        ; returns EAX: number of a zeroed frame
  call alloc_frame_raw
  push edi
  push ecx
  push eax
  mov edi, eax
  shl edi, 12
  add edi, PAGE_OFFSET
  xor eax, eax
  mov ecx, 1024
  rep stosd
  pop eax
  pop ecx
  pop edi
  ret

put_frame:                          ; EAX: number of a frame that one entry less leads to
  dec byte [frame_users+eax]
  jnz put_frame_end
  dec dword [frames_in_use]
  push edx
  push ecx
  mov edx, eax
  shl edx, 12
  mov ecx, [free_frames]
  mov [edx+PAGE_OFFSET], ecx
  mov [free_frames], eax
  pop ecx
  pop edx
put_frame_end:
  ret

copy_frame:                         ; EDX: number of a frame, EAX: of the one to copy it to
  push esi
  push edi
  push ecx
  mov esi, edx
  shl esi, 12
  add esi, PAGE_OFFSET
  mov edi, eax
  shl edi, 12
  add edi, PAGE_OFFSET
  mov ecx, 1024
  rep movsd
  pop ecx
  pop edi
  pop esi
  ret

free_frames:                        ; the first on the list, or 0
  dd 0
next_frame:                         ; the first that was never used
  dd FIRST_FREE
frames_in_use:
  dd 0
frame_users:
  times END_OF_FRAMES db 0
`;
