/**
 * Minikernel: from native to paravirtual operations.
 *
 * Every sensitive operation is an indirect call through a pointer, which holds a native function at first. Activation calls
 * the ROM's Init, asks GetRelocationInfo about each operation and stores what it says in the pointer, then asks again for
 * each call site and turns the six bytes of the indirect call into a direct one. Native pointers stay where the ROM says
 * NONE. The tables op_table and site_table are made by the builder, one row for each operation and site of the source. Cold data.
 */

/** Assembly source of this part. */
export const PATCH: string = String.raw`
activate:                           ; EBX: ROM
  lea eax, [ebx+0x80]
  call eax                          ; Init
  test eax, eax
  jz activate_ops
  say "paravirt: ROM failed to initialize\n"
  ret

activate_ops:
  mov esi, op_table
activate_op:
  mov eax, [esi]                    ; number
  lea ecx, [ebx+0x88]
  call ecx                          ; GetRelocationInfo: address in EAX, type in DL
  mov edi, [esi+4]                  ; pointer of the operation
  movzx edx, dl
  cmp edx, 1
  je activate_store                 ; CALL_REL
  cmp edx, 2
  je activate_jump                  ; JUMP_REL
  cmp edx, 3
  je activate_nop                   ; NOP
  test edx, edx
  jz activate_op_next               ; NONE: native stays
  say "paravirt: unknown relocation type\n"
  jmp activate_op_next
activate_jump:
  cmp dword [esi+8], 0              ; only an operation that we jump to can be jumped to
  jne activate_store
  say "paravirt: unexpected JUMP_REL\n"
  jmp activate_op_next
activate_nop:
  mov eax, empty
activate_store:
  mov [edi], eax
activate_op_next:
  add esi, 12
  cmp esi, op_table_end
  jb activate_op

  xor ebp, ebp                      ; sites patched
  mov esi, site_table
activate_site:
  mov eax, [esi+4]                  ; number
  lea ecx, [ebx+0x88]
  call ecx
  mov edi, [esi]                    ; address of the site
  cmp dl, 1
  je patch_call
  cmp dl, 2
  je patch_jump
  cmp dl, 3
  jne activate_site_next
  mov dword [edi], 0x90909090       ; NOP: erase it
  mov word [edi+4], 0x9090
  jmp activate_count
patch_call:
  mov byte [edi], 0xE8
  jmp patch_target
patch_jump:
  mov byte [edi], 0xE9
patch_target:
  sub eax, edi                      ; relative to the end of the five bytes
  sub eax, 5
  mov [edi+1], eax
  mov byte [edi+5], 0x90
activate_count:
  inc ebp
activate_site_next:
  add esi, 8
  cmp esi, site_table_end
  jb activate_site

  say "paravirt: patched "
  mov eax, ebp
  call putdec
  say " sites\n"
  push dword 0                      ; SetLinearMapping(slot 0, PAGE_OFFSET, 1024 pages, first frame 0)
  xor eax, eax
  mov edx, PAGE_OFFSET
  mov ecx, 1024
  paravirt SetLinearMapping
  add esp, 4
  ret

empty:
  ret
`;
