/**
 * Minikernel: interrupts and the clock.
 *
 * With the time half of the interface the tick is a periodic alarm; without it the 8254 gives one. Both arrive on line 0. Cold data.
 */

/** Assembly source of this part. */
export const TIME: string = String.raw`
TICKS_PER_SECOND equ 100

setup_interrupts:                   ; the 8259 pair: vectors from 0x20, all lines closed
  mov esi, pic_program
pic_next:
  movzx edx, byte [esi]
  mov al, [esi+1]
  out dx, al
  paravirt IODelay
  add esi, 2
  cmp esi, pic_program_end
  jb pic_next
  ret
pic_program:
  db 0x20, 0x11, 0xA0, 0x11         ; start, cascade, fourth word follows
  db 0x21, 0x20, 0xA1, 0x28         ; vectors
  db 0x21, 4, 0xA1, 2               ; the second hangs on line 2
  db 0x21, 1, 0xA1, 1               ; 8086 mode
  db 0x21, 0xFF, 0xA1, 0xFF         ; masks
pic_program_end:

setup_clock:
  paravirt GetCycleFrequency
  mov ecx, eax
  or ecx, edx
  jz setup_pit
  push edx
  push eax
  say "clock: paravirtual, "
  mov ecx, 1000000
  div ecx
  call putdec
  say " million cycles a second\n"
  mov al, 0x3A                      ; the 8254 falls silent: mode 5 waits for a trigger
  out 0x43, al
  pop eax
  pop edx
  mov ecx, TICKS_PER_SECOND
  div ecx                           ; cycles a tick
  push dword 0                      ; period, high and low
  push eax
  xor eax, eax                      ; the counter of real time
  paravirt GetCycleCounter
  mov ecx, edx
  mov edx, eax                      ; the first alarm is now
  mov eax, 0x100                    ; periodic, real time, line 0
  paravirt SetAlarm
  add esp, 8
  paravirt GetWallclockTime
  mov ecx, 1000000000
  div ecx
  push eax
  say "clock: "
  pop eax
  call putdec
  say " seconds since 1970\n"
  jmp open_line

setup_pit:
  say "clock: 8254\n"
  mov al, 0x34                      ; counter 0, mode 2
  out 0x43, al
  mov al, 0x9C                      ; 11932: 100 times a second
  out 0x40, al
  mov al, 0x2E
  out 0x40, al
open_line:                          ; line 0 only
  mov al, 0xFE
  out 0x21, al
  ret

wait_ticks:                         ; EAX: returns when there were so many
  push ebx
  mov ebx, eax
wait_ticks_next:
  paravirt DisableInterrupts        ; look and halt must not be torn apart
  cmp [ticks], ebx
  jae wait_ticks_end
  paravirt Halt
  jmp wait_ticks_next
wait_ticks_end:
  paravirt EnableInterrupts
  pop ebx
  ret
`;
