/**
 * Minikernel: the command line that the loader passes, and the workload it may ask for: `workload=KIND count=N`. Cold data.
 */

/** Kinds of workload, in the order of their numbers. */
export const WORKLOADS: readonly string[] = ["syscall", "fault", "fork", "switch", "tick", "mixed"];

/** Assembly source of this part. */
export const COMMAND_LINE: string = String.raw`
find_word:                          ; EDI: a word that ends in 0; returns ESI: what follows it on the command line, 0: nothing
  mov esi, [boot_info]
  test esi, esi
  jz find_word_none
  test dword [esi+PAGE_OFFSET], 4   ; there is a command line
  jz find_word_none
  mov esi, [esi+PAGE_OFFSET+16]
  cmp esi, END_OF_FRAMES << 12
  jae find_word_none
  add esi, PAGE_OFFSET
find_word_try:
  call starts_with
  je find_word_found
  cmp byte [esi], 0
  je find_word_none
  inc esi
  jmp find_word_try
find_word_found:
  add esi, ecx
  ret
find_word_none:
  xor esi, esi
  ret

starts_with:                        ; ZF: the text at ESI begins with that at EDI, ECX: whose length is this
  xor ecx, ecx
starts_with_next:
  mov al, [edi+ecx]
  test al, al
  jz starts_with_end
  cmp al, [esi+ecx]
  jne starts_with_end
  inc ecx
  jmp starts_with_next
starts_with_end:
  ret

read_number:                        ; ESI: digits; returns EAX
  xor eax, eax
read_number_next:
  movzx edx, byte [esi]
  sub edx, '0'
  cmp edx, 9
  ja read_number_end
  lea eax, [eax+eax*4]
  lea eax, [edx+eax*2]
  inc esi
  jmp read_number_next
read_number_end:
  ret

find_workload:                      ; returns EAX: kind, -1: none is asked for; EBX: count
  mov edi, word_workload
  call find_word
  test esi, esi
  jz find_workload_none
  xor ebx, ebx
  mov edi, workload_names
find_workload_try:
  call starts_with
  je find_workload_kind
  inc ebx
find_workload_skip:                 ; to the next name
  inc edi
  cmp byte [edi-1], 0
  jne find_workload_skip
  cmp edi, workload_names_end
  jb find_workload_try
  say "workload: unknown\n"
  jmp stop
find_workload_kind:
  push ebx
  mov eax, 100
  mov edi, word_count
  call find_word
  test esi, esi
  jz find_workload_count
  call read_number
find_workload_count:
  mov ebx, eax
  pop eax
  ret
find_workload_none:
  mov eax, -1
  ret
word_workload:
  db "workload=", 0
word_count:
  db "count=", 0
workload_names:
${WORKLOADS.map((name) => `  db "${name}", 0`).join("\n")}
workload_names_end:
`;
