/**
 * Minikernel: descriptor tables, laid out as Linux lays out its own, and filled through calls.
 *
 * Selectors: 0x60 kernel code, 0x68 kernel data, 0x73 user code, 0x7B user data, 0x80 task state. Cold data.
 */

/** Assembly source of this part. */
export const TABLES: string = String.raw`
setup_tables:
  mov eax, gdt_pointer
  paravirt SetGDT
  mov eax, tss                      ; descriptor of the TSS: base in three places, limit 103, present, available
  mov ecx, eax
  shl ecx, 16
  or ecx, 103
  mov edx, eax
  and edx, 0xFF000000
  shr eax, 16
  and eax, 0xFF
  or edx, eax
  or edx, 0x8900
  push edx
  mov eax, gdt
  mov edx, 16
  paravirt WriteGDTEntry
  add esp, 4
  mov dword [tss+4], STACK_TOP      ; esp0, ss0: the stack for entries from ring 3
  mov dword [tss+8], 0x68
  mov word [tss+102], 104           ; no I/O bitmap
  mov eax, 0x68
  mov edx, STACK_TOP
  paravirt UpdateKernelStack
  mov eax, 0x80
  paravirt SetTR
  xor eax, eax
  paravirt SetLDT

  xor ebx, ebx                      ; gates of the exceptions
setup_gate:
  mov edx, ebx
  mov eax, [exception_table+ebx*4]
  mov ecx, 0x8E00                   ; interrupt gate for ring 0
  call set_gate
  inc ebx
  cmp ebx, 32
  jb setup_gate
  mov edx, 0x20
  mov eax, timer_entry
  mov ecx, 0x8E00
  call set_gate
  mov edx, MESSAGE_VECTOR
  mov eax, message_entry
  mov ecx, 0x8E00
  call set_gate
  mov edx, SPURIOUS_VECTOR
  mov eax, spurious_entry
  mov ecx, 0x8E00
  call set_gate
  mov edx, 0x80
  mov eax, syscall_entry
  mov ecx, 0xEE00                   ; ring 3 may call it
  call set_gate
  mov eax, idt_pointer
  paravirt SetIDT
  ret

set_gate:                           ; EAX: handler, EDX: vector, ECX: type
  push ebx
  mov ebx, eax
  and ebx, 0xFFFF0000
  or ebx, ecx                       ; high dword
  and eax, 0xFFFF
  or eax, 0x600000
  mov ecx, eax                      ; low dword: kernel code selector and offset
  mov eax, IDT
  push ebx
  paravirt WriteIDTEntry
  add esp, 4
  pop ebx
  ret

align 8
gdt:
  times 24 dd 0                     ; entries 0-11
  dd 0x0000FFFF, 0x00CF9A00         ; 12: kernel code
  dd 0x0000FFFF, 0x00CF9200         ; 13: kernel data
  dd 0x0000FFFF, 0x00CFFA00         ; 14: user code
  dd 0x0000FFFF, 0x00CFF200         ; 15: user data
  times 32 dd 0                     ; 16: TSS, 17-31
gdt_pointer:
  dw 255
  dd gdt
boot_gdt_pointer:
  dw 255
  dd gdt - PAGE_OFFSET
idt_pointer:
  dw 2047
  dd IDT
align 8
tss:
  times 26 dd 0
`;
