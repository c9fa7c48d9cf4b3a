/**
 * What runs in ring 3 on the client kernel, and where. Cold data.
 */
import { lin } from "./head.ts";

/** The user's pages: code, read only; data and stack, on demand. */
export const USER = 0x08048000, DATA = 0x08049000;
/** Index of the code page's entry in its table. */
export const TABLE_INDEX = 0x48;
/** The user's stack pointer. */
export const STACK: number = DATA + 0xf00;

/** What runs in ring 3. EBP and EDI hold the place to go on for SYSENTER, as the kernel and it have agreed. */
export function programs(): string {
  const end = "xor eax, eax\n  int 0x80";
  return `
user_start:
  nop
  nop
  nop
  nop
program_calls:
  mov eax, 0x33
  mov fs, eax
  mov eax, 0x0f
  mov gs, eax
  mov ebx, 0x11111111
  mov ecx, 0x22222222
  mov edx, 0x33333333
  mov esi, 0x44444444
  mov edi, 0x55555555
  mov ebp, 0x66666666
  mov eax, 0x1234
  int 0x80
  sub eax, 0x2468
  xor ebx, 0x11111111
  or eax, ebx
  xor ecx, 0x22222222
  or eax, ecx
  xor edx, 0x33333333
  or eax, edx
  xor esi, 0x44444444
  or eax, esi
  xor edi, 0x55555555
  or eax, edi
  xor ebp, 0x66666666
  or eax, ebp
  mov [${DATA}], eax
  mov eax, cs
  mov [${DATA + 4}], eax
  mov eax, ss
  mov [${DATA + 8}], eax
  mov [${DATA + 12}], esp
  pushfd
  pop eax
  and eax, 0x200
  mov [${DATA + 16}], eax
  mov eax, [fs:4]
  mov [${DATA + 20}], eax
  mov eax, [gs:0]
  mov [${DATA + 24}], eax
  xor eax, eax
  mov gs, eax
  mov fs, eax
  ${end}
program_counts:
  mov ecx, 0x180000
program_count:
  dec ecx
  jnz program_count
  ${end}
program_privileged:
  hlt
program_reads_kernel:
  mov eax, [${lin(0x100000)}]
program_writes_code:
  mov dword [${USER}], 1
program_marks:
  add dword [${DATA + 32}], 0x1111
  ${end}
program_reads:
  mov eax, [${DATA + 32}]
  ${end}
program_sysenter:
  mov ebx, 0x11111111
  mov esi, 0x44444444
  mov edi, program_sysexit - user_start + ${USER}
  mov ebp, ${STACK - 0x40}
  db 0x0f, 0x34
program_sysexit:
  mov [${DATA + 12}], esp
  sub eax, 0x5a5a5a5a
  xor ebx, 0x11111111
  or eax, ebx
  xor esi, 0x44444444
  or eax, esi
  xor ebp, ${STACK - 0x40}
  or eax, ebp
  mov [${DATA}], eax
  pushfd
  pop eax
  and eax, 0x200
  mov [${DATA + 16}], eax
  ${end}
user_end:`;
}
