/**
 * Guest program: a matrix multiplication whose rows go around a ring of ranks, in assembler over the message library. It
 * works on the numbers of the host-side `matrixMultiply`. What lies behind the program is its working memory. Cold.
 */
import type { AsmSource } from "../../cpu/i386/asm/template.ts";
import { REDUCE_OPS, REDUCE_TYPES } from "../../spec/message_abi.ts";
import { messageGuest, whole } from "./library.ts";

const SUM_U32 = REDUCE_OPS.indexOf("sum") | (REDUCE_TYPES.indexOf("u32") << 8);

/**
 * Multiplies two `n` by `n` integer matrices modulo 2^32: each rank has rows of both, and the rows of the second go
 * around. Every rank exits with the sum of the product's cells plus 31 times its trace, modulo 2^32.
 */
export function matrixGuest(n: number): AsmSource {
  const size = whole("n", n, 1, 256);
  return messageGuest(`
n equ ${size}
area equ ${4 * size * size}
  call msg_mesh
  mov eax, [msg_rank]
  call edge
  mov [first], eax
  mov eax, [msg_rank]
  inc eax
  call edge
  sub eax, [first]
  mov [rows], eax
  mov dword [mine], matrix_b
  mov dword [spare], matrix_in
  mov ebx, 1
  mov edi, matrix_a
  call fill
  mov ebx, 2
  mov edi, matrix_b
  call fill
  mov edi, matrix_c
  mov ecx, n * n
  xor eax, eax
  rep stosd
turn:
  ; rows of B that are here now: those of rank me + turn
  mov eax, [msg_rank]
  add eax, [turns]
  cmp eax, [msg_size]
  jb owner
  sub eax, [msg_size]
owner:
  push eax
  call edge
  mov [low], eax
  pop eax
  inc eax
  call edge
  sub eax, [low]
  mov [count], eax
  call multiply
  inc dword [turns]
  mov eax, [turns]
  cmp eax, [msg_size]
  jae finished
  mov eax, [msg_rank]
  test eax, eax
  jnz previous
  mov eax, [msg_size]
previous:
  dec eax
  mov esi, [mine]
  mov ecx, [count]
  imul ecx, n * 4
  call msg_send
  mov edi, [spare]
  mov ecx, area
  call msg_receive
  mov eax, [mine]
  xchg eax, [spare]
  mov [mine], eax
  jmp turn

finished:
  mov esi, matrix_c
  mov ecx, [rows]
  imul ecx, n
  jecxz reduce
add_up:
  lodsd
  add [given], eax
  dec ecx
  jnz add_up
  ; the trace: row i has it in column first + i
  mov esi, [first]
  lea esi, [esi * 4 + matrix_c]
  mov ecx, [rows]
diagonal:
  mov eax, [esi]
  add [given + 4], eax
  add esi, n * 4 + 4
  dec ecx
  jnz diagonal
reduce:
  mov esi, given
  mov edi, totals
  mov ecx, 8
  mov eax, ${SUM_U32}
  call msg_allreduce
  imul eax, [totals + 4], 31
  add eax, [totals]
  jmp msg_exit

; EAX: rank -> EAX: its first row
edge:
  push edx
  imul eax, n
  xor edx, edx
  div dword [msg_size]
  pop edx
  ret

; EBX: seed, EDI: this rank's rows
fill:
  mov esi, [first]
  mov ebp, [rows]
.row:
  test ebp, ebp
  jz .out
  imul eax, esi, 7919
  add eax, ebx
  mov ecx, n
.cell:
  imul edx, eax, 0x9e3779b1
  shr edx, 20
  sub edx, 2048
  mov [edi], edx
  add edi, 4
  add eax, 104729
  dec ecx
  jnz .cell
  inc esi
  dec ebp
  jmp .row
.out:
  ret

; C += columns low to low + count of A by the rows at mine
multiply:
  mov dword [i], 0
.row:
  mov eax, [i]
  cmp eax, [rows]
  jae .out
  imul eax, n * 4
  mov ebx, [low]
  lea ebx, [ebx * 4 + matrix_a]
  add ebx, eax
  lea ebp, [eax + matrix_c]
  mov esi, [mine]
  mov ecx, [count]
  jecxz .next
.column:
  mov edx, [ebx]
  mov edi, ebp
  push ecx
  mov ecx, n
.cell:
  mov eax, [esi]
  imul eax, edx
  add [edi], eax
  add esi, 4
  add edi, 4
  dec ecx
  jnz .cell
  pop ecx
  add ebx, 4
  dec ecx
  jnz .column
.next:
  inc dword [i]
  jmp .row
.out:
  ret

align 4096
first: dd 0
rows: dd 0
low: dd 0
count: dd 0
turns: dd 0
mine: dd 0
spare: dd 0
i: dd 0
given: dd 0, 0
totals: dd 0, 0
matrix_a equ behind
matrix_b equ behind + area
matrix_in equ behind + area * 2
matrix_c equ behind + area * 3
`);
}
