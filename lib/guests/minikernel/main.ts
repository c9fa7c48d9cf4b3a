/**
 * Minikernel: the account it gives of itself, the program it starts, and what it does when there is nothing to do.
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
  call setup_interrupts             ; before anything switches interrupts on
  call setup_memory
  call setup_info
  call exercise_memory
  call setup_sysenter
  call setup_clock
  mov eax, 3
  call wait_ticks
  say "clock: 3 ticks\n"
  call start_cpus
  call run_program
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

run_program:                        ; the first process, and all that come of it
  call alloc_frame                  ; the program's page, from which processes get their copies
  mov [program], eax
  shl eax, 12
  lea edi, [eax+PAGE_OFFSET]
  push edi
  call find_workload
  pop edi
  mov esi, program_init
  mov ecx, program_init_end - program_init
  cmp eax, -1
  je run_program_load
  mov esi, program_workload
  mov ecx, program_workload_end - program_workload
run_program_load:
  rep movsb
  push dword [frames_in_use]
  call start_program
  call run_processes
  pop eax
  cmp eax, [frames_in_use]
  jne run_program_leak
  say "memory: all that the processes had is free again\n"
  ret
run_program_leak:
  say "memory: frames were lost\n"
  ret

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
