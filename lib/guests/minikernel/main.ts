/**
 * Minikernel: the account it gives of itself, and what it does when there is nothing to do.
 *
 * Commands on the serial port: h halts for good, p prints the ticks, r reboots. Cold data.
 */

/** Assembly source of this part. */
export const MAIN: string = String.raw`
main:
  call serial_init
  say "minikernel\n"
  call probe
  test ebx, ebx
  jz main_native
  call activate
  jmp main_go
main_native:
  say "paravirt: no ROM, running natively\n"
main_go:
  call print_cpu
  call setup_tables
  call setup_interrupts             ; before ring 3, where interrupts are on
  call setup_memory
  call exercise_memory
  call run_user
  mov dword [tss+4], STACK_TOP
  mov eax, 0x68
  mov edx, STACK_TOP
  paravirt UpdateKernelStack
  call setup_clock
  mov eax, 3
  call wait_ticks
  say "ready\n"

idle:
  call getc
  cmp al, 'h'
  je command_halt
  cmp al, 'p'
  je command_print
  cmp al, 'r'
  je command_reboot
  paravirt DisableInterrupts
  paravirt Halt                     ; until the next tick
  jmp idle

command_halt:
  say "halted\n"
  jmp stop
command_print:
  say "ticks "
  mov eax, [ticks]
  call putdec
  say "\n"
  jmp idle
command_reboot:
  say "rebooting\n"
  mov eax, 1                        ; hard
  paravirt Reboot

print_cpu:
  say "cpu: "
  xor eax, eax
  xor ecx, ecx
  paravirt CPUID
  mov [cpu_name], ebx
  mov [cpu_name+4], edx
  mov [cpu_name+8], ecx
  mov esi, cpu_name
  call puts
  say "\n"
  ret
cpu_name:
  dd 0, 0, 0, 0
`;
