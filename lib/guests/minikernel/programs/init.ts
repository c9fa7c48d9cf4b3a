/**
 * Minikernel, user mode: the first process. It tries what the kernel offers and says what came of it, in words that do not
 * depend on how fast anything was. Cold data.
 */

/** Assembly source of this program. */
export const INIT: string = String.raw`
program:
  say "init: in ring "
  mov eax, cs
  and eax, 3
  call putdec
  mov eax, SYS_GETPID
  call kernel_interrupt
  say ", process "
  call putdec
  mov ebx, eax
  mov eax, SYS_GETPID
  call kernel
  cmp eax, ebx
  jne failed
  say "\n"

; --- pages that come when they are touched
  mov edi, USER_HEAP
touch:
  cmp dword [edi], 0
  jne failed
  mov [edi], edi
  add edi, 0x1000
  cmp edi, USER_HEAP + 0x8000
  jb touch
  cmp dword [USER_HEAP+0x3000], USER_HEAP + 0x3000
  jne failed
  say "init: 8 pages on demand\n"

; --- a child with a copy of everything
  call fork
  test eax, eax
  jz child
  mov edi, eax
  call wait
  cmp eax, edi
  jne failed
  cmp dword [USER_HEAP], USER_HEAP  ; the child has written to its own
  jne failed
  say "init: child "
  call putdec
  say " ended with "
  mov eax, ebx
  call putdec
  say ", its memory was its own\n"

; --- a child that does what it may not
  call fork
  test eax, eax
  jz criminal
  call wait
  say "init: child "
  call putdec
  say " ended with "
  mov eax, ebx
  call putdec
  say "\n"

; --- two children that never wait
  mov ebx, 1
  call sleep                        ; to the begin of a tick
  mov esi, [USER_INFO]
  add esi, 2
  mov edi, [USER_INFO+8]
  call fork
  test eax, eax
  jz spin
  call fork
  test eax, eax
  jz spin
  call wait
  call wait
  cmp edi, [USER_INFO+8]
  je failed
  say "init: two children took turns\n"

  call wait
  cmp eax, -1                       ; there are no more
  jne failed
  say "init: done\n"
  xor ebx, ebx
  call exit

child:
  mov dword [USER_HEAP], 1
  mov ebx, 7
  call exit
criminal:
  hlt
spin:
  cmp [USER_INFO], esi
  js spin
  xor ebx, ebx
  call exit
failed:
  say "init: failed\n"
  mov ebx, 1
  call exit
`;
