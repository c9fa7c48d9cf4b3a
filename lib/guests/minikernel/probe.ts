/**
 * Minikernel: looking for a hypervisor's option ROM, with the checks that Linux makes, in Linux's order.
 *
 * The first megabyte is seen at PAGE_OFFSET. The first ROM that passes wins; a refused one is named and passed over. Cold data.
 */

/** Assembly source of this part. */
export const PROBE: string = String.raw`
probe:                              ; returns EBX: linear address of the ROM, or 0
  mov ebx, PAGE_OFFSET + 0xC0000
probe_next:
  cmp word [ebx], 0xAA55            ; an option ROM at all
  jne probe_step
  cmp dword [ebx+8], 0x696D5663     ; "cVmi"
  jne probe_step
  cmp byte [ebx+0x0D], 3            ; API major; any minor will do
  jne probe_mismatched
  movzx edi, word [ebx+0x18]
  test edi, edi
  jz probe_no_pci
  add edi, ebx                      ; EDI: PCI data structure
  cmp dword [edi+4], 0x080115AD     ; vendor and device
  je probe_known
  say "paravirt: ROM from unknown manufacturer\n"
probe_known:
  call probe_describe
  call probe_licence
  jz probe_found
  say "paravirt: ROM not used, its licence is not GPL\n"
probe_step:
  add ebx, 2048
  cmp ebx, PAGE_OFFSET + 0xE0000
  jb probe_next
  xor ebx, ebx
probe_found:
  ret

probe_mismatched:
  say "paravirt: found mismatched ROM version\n"
  jmp probe_step
probe_no_pci:
  say "paravirt: ROM does not contain PCI header\n"
  jmp probe_step

probe_describe:                     ; EBX: ROM, EDI: PCI data structure
  say "paravirt: found "
  movzx edx, word [ebx+0x1A]        ; PnP expansion header
  add edx, ebx
  movzx eax, word [edx+0x0E]        ; manufacturer
  call probe_name
  mov al, ' '
  call putc
  movzx eax, word [edx+0x10]        ; product
  call probe_name
  say ", API version "
  mov ecx, [ebx+0x0C]               ; minor in CL, major in CH
  call probe_version
  say ", ROM version "
  mov ecx, [edi+0x12]
  call probe_version
  say " at "
  mov eax, ebx
  call puthex
  say "\n"
  ret

probe_name:                         ; EAX: offset of a text in the ROM, or 0; keeps EDX
  mov esi, text_unknown
  test eax, eax
  jz probe_name_put
  lea esi, [ebx+eax]
probe_name_put:
  jmp puts
text_unknown:
  db "UNKNOWN", 0

probe_version:                      ; CH: major, CL: minor
  movzx eax, ch
  call putdec
  mov al, '.'
  call putc
  movzx eax, cl
  jmp putdec

probe_licence:                      ; ZF: the text is exactly "GPL" or "GPL v2"
  movzx eax, word [ebx+0x16]
  test eax, eax
  jz probe_licence_none
  add eax, ebx
  cmp dword [eax], 0x004C5047       ; "GPL" and its end
  je probe_licence_end
  cmp dword [eax], 0x204C5047       ; "GPL "
  jne probe_licence_end
  cmp word [eax+4], 0x3276          ; "v2"
  jne probe_licence_end
  cmp byte [eax+6], 0
probe_licence_end:
  ret
probe_licence_none:
  cmp eax, 1                        ; not equal
  ret
`;
