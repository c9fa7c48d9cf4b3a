/**
 * Minikernel: further CPUs. The board's multiprocessor table says how many there are; each is given the state in which it
 * is to begin, then INIT and start-up messages. A hypervisor lets it begin there; on bare hardware it comes up in real mode
 * and takes the same steps as the first one, to the same state. Then it waits for messages and adds numbers up.
 * Sources: MultiProcessor Specification 1.4, 4; SDM-3A 8.4. Cold data.
 */

/** Assembly source of this part. */
export const CPUS: string = String.raw`
APIC_LINEAR   equ 0xFEE00000        ; where the kernel maps it, as it is
APIC_EOI      equ 0xB0
APIC_SPURIOUS equ 0xF0
APIC_ICR      equ 0x300
APIC_ICR_TO   equ 0x310
APIC_LINT0    equ 0x350
MESSAGE_VECTOR equ 0xF0
SPURIOUS_VECTOR equ 0xFF
TRAMPOLINE    equ 0x8000            ; physical; page 8 is the start-up message's vector
MOST_CPUS     equ 8

count_cpus:                         ; returns EAX: CPUs in the multiprocessor table, 1 if there is none
  mov eax, 1
  mov esi, PAGE_OFFSET + 0xF0000
count_look:
  cmp dword [esi], 0x5F504D5F       ; "_MP_"
  je count_found
  add esi, 16
  cmp esi, PAGE_OFFSET + 0x100000
  jb count_look
  ret
count_found:
  mov esi, [esi+4]                  ; the table itself, if it is where the kernel can see it
  cmp esi, END_OF_FRAMES << 12
  jae count_end
  add esi, PAGE_OFFSET
  cmp dword [esi], 0x504D4350       ; "PCMP"
  jne count_end
  movzx ecx, word [esi+0x22]        ; entries
  add esi, 0x2C
  xor eax, eax
count_entry:
  jecxz count_end
  dec ecx
  cmp byte [esi], 0                 ; a processor: 20 bytes, everything else 8
  jne count_other
  mov dl, [esi+3]
  and edx, 1                        ; it may be used
  add eax, edx
  add esi, 20
  jmp count_entry
count_other:
  add esi, 8
  jmp count_entry
count_end:
  ret

start_cpus:
  call count_cpus
  cmp eax, MOST_CPUS
  jbe start_cpus_some
  mov eax, MOST_CPUS
start_cpus_some:
  cmp eax, 2
  jb start_cpus_end
  mov [cpus], eax
  mov eax, APIC_LINEAR
  mov edx, 0xFEE00013               ; present, writable, not cached
  xor ecx, ecx
  call map_entry
  paravirt DisableInterrupts
  mov eax, APIC_SPURIOUS            ; switched on
  mov edx, 0x100 + SPURIOUS_VECTOR
  paravirt APICWrite
  mov eax, APIC_LINT0               ; the timer still comes through the 8259
  mov edx, 0x700
  paravirt APICWrite
  paravirt EnableInterrupts
  mov ebx, 1                        ; EBX: APIC number
start_cpus_next:
  call start_cpu
  inc ebx
  cmp ebx, [cpus]
  jb start_cpus_next
start_cpus_end:
  ret

start_cpu:
  call alloc_frame_raw              ; its stack
  shl eax, 12
  add eax, PAGE_OFFSET + 0x1000
  mov [start_state+48], eax
  paravirt GetCR3
  mov [start_state+8], eax
  mov dword [cpu_ready], 0
  mov eax, start_state
  mov edx, ebx
  paravirt SetInitialAPState
  mov eax, 0x4500                   ; INIT
  call send_message
  mov eax, [ticks]
  add eax, 2                        ; more than 10 ms
  call wait_ticks
  mov eax, 0x4600 + (TRAMPOLINE >> 12)
  call send_message
  mov esi, cpu_ready
  call wait_for
  jnz start_cpu_there
  mov eax, 0x4600 + (TRAMPOLINE >> 12)
  call send_message                 ; the second is only for a CPU that missed the first
  mov esi, cpu_ready
  call wait_for
  jz start_cpu_dead
start_cpu_there:
  mov ecx, 3
start_cpu_message:
  push ecx
  mov dword [cpu_answer], 0
  mov eax, 0x4000 + MESSAGE_VECTOR
  call send_message
  mov esi, cpu_answer
  call wait_for
  pop ecx
  jz start_cpu_dead
  dec ecx
  jnz start_cpu_message
  call say_cpu
  say " started, answered 3 messages, the last with "
  mov eax, [cpu_answer]
  call putdec
  say "\n"
  ret
start_cpu_dead:
  call say_cpu
  say " does not answer\n"
  ret

say_cpu:                            ; EBX: number
  say "cpu "
  mov eax, ebx
  call putdec
  mov al, ':'
  jmp putc

send_message:                       ; EAX: command, EBX: to which APIC
  push eax
  mov eax, APIC_ICR_TO
  mov edx, ebx
  shl edx, 24
  paravirt APICWrite
  mov eax, APIC_ICR
  pop edx
  paravirt APICWrite
  ret

wait_for:                           ; ESI: address of a word; ZF: it has stayed 0 for a second
  mov ecx, 10000                    ; it will not take long
wait_for_look:
  cmp dword [esi], 0
  jne wait_for_end
  pause
  dec ecx
  jnz wait_for_look
  push ebx
  mov ebx, 100                      ; or it will: once in a tick is enough
wait_for_tick:
  mov eax, [ticks]
  inc eax
  call wait_ticks
  cmp dword [esi], 0
  jne wait_for_slow
  dec ebx
  jnz wait_for_tick
wait_for_slow:
  pop ebx
  cmp dword [esi], 0
wait_for_end:
  ret

; --- what the other CPUs run
second_cpu:
  mov eax, APIC_SPURIOUS
  mov edx, 0x100 + SPURIOUS_VECTOR
  paravirt APICWrite
  mov dword [cpu_ready], 1
second_idle:
  paravirt DisableInterrupts
  paravirt Halt
  jmp second_idle

message_entry:                      ; adds up the numbers to 1000
  pushad
  mov eax, APIC_EOI
  xor edx, edx
  paravirt APICWrite
  xor eax, eax
  mov ecx, 1000
message_add:
  add eax, ecx
  dec ecx
  jnz message_add
  mov [cpu_answer], eax
  popad
  paravirt_jump IRET
spurious_entry:
  paravirt_jump IRET

; --- without a hypervisor: the state is kept, and the way to it is put where the start-up message leads
native_SetInitialAPState:
  push esi
  push edi
  mov esi, eax
  mov edi, kept_state
  mov ecx, 23
  rep movsd
  mov esi, trampoline
  mov edi, TRAMPOLINE + PAGE_OFFSET
  mov ecx, trampoline_end - trampoline
  rep movsb
  pop edi
  pop esi
  ret

trampoline:                         ; real mode, CS = 0x800
bits 16
  cli
  mov ax, cs
  mov ds, ax
  lgdt [trampoline_gdt - trampoline]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  db 0x66, 0xEA                     ; JMP 0x60:second_flat, 32 bits
  dd second_flat - PAGE_OFFSET
  dw 0x60
bits 32
trampoline_gdt:
  dw 255
  dd gdt - PAGE_OFFSET
trampoline_end:

second_flat:                        ; protected mode, paging off
  mov eax, 0x68
  mov ss, ax
  mov eax, 0x7B
  mov ds, ax
  mov es, ax
  mov eax, BOOT_PD                  ; which maps linear 0 too
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov eax, second_high
  jmp eax
second_high:
  mov esi, kept_state
  lgdt [esi+78]
  mov ax, [esi+88]
  mov [second_idt], ax
  mov eax, [esi+84]
  mov [second_idt+2], eax
  lidt [second_idt]
  mov eax, [esi+8]
  mov cr3, eax
  mov eax, [esi]
  mov cr0, eax
  mov esp, [esi+48]
  jmp dword [esi+24]
second_idt:
  dw 0
  dd 0

align 4
cpus:
  dd 1
cpu_ready:
  dd 0
cpu_answer:
  dd 0
start_state:                        ; as SetInitialAPState wants it
  dd 0x80050023, 0, 0, 0, 0, 0      ; CR0, CR2, CR3, CR4, EFER
  dd second_cpu, 2                  ; EIP, EFLAGS
  dd 0, 0, 0, 0, 0, 0, 0, 0         ; EAX, EBX, ECX, EDX, ESP, EBP, ESI, EDI
  dw 0x60, 0x68, 0x7B, 0x7B, 0, 0   ; CS, SS, DS, ES, FS, GS
  dw 0, 255                         ; LDTR, limit of the GDT
  dd gdt, IDT
  dw 2047, 0                        ; limit of the IDT
kept_state:
  times 92 db 0
`;
