/**
 * Minikernel: the serial port, and printing to it.
 *
 * A 16550 at 0x3F8, polled. All of it preserves every register but ESI and the flags. Cold data.
 */

/** Assembly source of this part. */
export const SERIAL: string = String.raw`
serial_init:
  mov edx, 0x3FB
  mov al, 0x80                      ; divisor latch
  out dx, al
  mov edx, 0x3F8
  mov al, 1                         ; 115200 baud
  out dx, al
  inc edx
  xor eax, eax
  out dx, al
  mov edx, 0x3FB
  mov al, 3                         ; 8 data bits, no parity, 1 stop bit
  out dx, al
  mov edx, 0x3F9
  xor eax, eax                      ; no interrupts
  out dx, al
  ret

putc:                               ; AL: character
  push edx
  push eax
  mov edx, 0x3FD
putc_wait:
  in al, dx
  test al, 0x20                     ; transmitter holding register empty
  jz putc_wait
  pop eax
  mov edx, 0x3F8
  out dx, al
  pop edx
  ret

puts:                               ; ESI: text that ends in 0
  push eax
puts_next:
  mov al, [esi]
  inc esi
  test al, al
  jz puts_end
  call putc
  jmp puts_next
puts_end:
  pop eax
  ret

puthex:                             ; EAX: number, printed with 8 digits
  push eax
  push ecx
  push edx
  mov edx, eax
  mov al, '0'
  call putc
  mov al, 'x'
  call putc
  mov ecx, 8
puthex_next:
  rol edx, 4
  mov eax, edx
  and eax, 15
  add eax, '0'
  cmp eax, '9'
  jbe puthex_digit
  add eax, 39                       ; from after '9' to 'a'
puthex_digit:
  call putc
  dec ecx
  jnz puthex_next
  pop edx
  pop ecx
  pop eax
  ret

putdec:                             ; EAX: number
  push eax
  push ecx
  push edx
  push ebx
  mov ebx, 10
  xor ecx, ecx
putdec_split:
  xor edx, edx
  div ebx
  push edx
  inc ecx
  test eax, eax
  jnz putdec_split
putdec_next:
  pop eax
  add eax, '0'
  call putc
  dec ecx
  jnz putdec_next
  pop ebx
  pop edx
  pop ecx
  pop eax
  ret

getc:                               ; AL: character, or 0 if there is none
  push edx
  mov edx, 0x3FD
  in al, dx
  and al, 1                         ; data ready
  jz getc_end
  mov edx, 0x3F8
  in al, dx
getc_end:
  pop edx
  ret
`;
