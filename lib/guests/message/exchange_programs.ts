/**
 * Guest programs whose ranks exchange much, in assembler over the message library: a matrix multiplication whose rows go
 * around a ring, and a sample sort that ends in an exchange of all with all. They work on the same numbers as the
 * programs of the same names for host-side ranks. What lies behind a program is its working memory. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import type { AsmSource } from "../../cpu/i386/asm/template.ts";
import { MessageOp, REDUCE_OPS, REDUCE_TYPES } from "../../spec/message_abi.ts";
import { messageGuest } from "./library.ts";

const SUM_U32 = REDUCE_OPS.indexOf("sum") | (REDUCE_TYPES.indexOf("u32") << 8);

function whole(what: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new ConfigError("message-guest", `${what} must be an integer from ${low} to ${high}, not ${value}`);
}

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

/** Shell sort with gaps 1, 4, 13, 40 ... */
const SORT = `
; ESI: numbers, ECX: how many; unsigned, ascending
sort:
  pushad
  mov ebp, 1
.grow:
  lea eax, [ebp * 2 + ebp + 1]
  cmp eax, ecx
  jae .gap
  mov ebp, eax
  jmp .grow
.gap:
  mov ebx, ebp
.each:
  cmp ebx, ecx
  jae .smaller
  mov eax, [esi + ebx * 4]
  mov edx, ebx
.shift:
  mov edi, edx
  sub edi, ebp
  jb .put
  push dword [esi + edi * 4]
  cmp [esp], eax
  jbe .drop
  pop dword [esi + edx * 4]
  mov edx, edi
  jmp .shift
.drop:
  add esp, 4
.put:
  mov [esi + edx * 4], eax
  inc ebx
  jmp .each
.smaller:
  lea eax, [ebp - 1]
  xor edx, edx
  mov edi, 3
  div edi
  mov ebp, eax
  test ebp, ebp
  jnz .gap
  popad
  ret
`;

/**
 * Sample sort of `count` random keys a rank: every rank sorts, shows samples, sends each its part and sorts what it got.
 * Every rank exits with the sum of place times key over all keys in order, places from 1, modulo 2^32. The exchange
 * takes 12 * P * `count` bytes of memory behind the program.
 */
export function sortGuest(count: number): AsmSource {
  return messageGuest(`
count equ ${whole("count", count, 1, 10_000)}
block equ count * 4 + 4
  call msg_mesh
  mov eax, [msg_rank]
  inc eax
  imul eax, eax, 0x9e3779b1
  xor eax, 0x5bd1e995
  jnz seeded
  mov eax, 0x2545f491
seeded:
  mov edi, keys
  mov ecx, count
next_key:
  mov edx, eax
  shl edx, 13
  xor eax, edx
  mov edx, eax
  shr edx, 17
  xor eax, edx
  mov edx, eax
  shl edx, 5
  xor eax, edx
  imul edx, eax, 0x85ebca6b
  mov [edi], edx
  add edi, 4
  dec ecx
  jnz next_key
  mov esi, keys
  mov ecx, count
  call sort

  ; memory behind the program: samples, all samples, parts, parts got, sorted keys
  mov eax, [msg_size]
  lea ecx, [eax * 4]
  mov dword [samples], behind
  lea edx, [ecx + behind]
  mov [all], edx
  imul ecx, eax
  add edx, ecx
  mov [parts], edx
  imul eax, eax, block
  mov [exchange], eax
  add edx, eax
  mov [got], edx
  add edx, eax
  mov [sorted], edx
  xor ebx, ebx
next_sample:
  mov eax, count
  mul ebx
  div dword [msg_size]
  mov eax, [keys + eax * 4]
  mov edx, [samples]
  mov [edx + ebx * 4], eax
  inc ebx
  cmp ebx, [msg_size]
  jb next_sample
  mov al, ${MessageOp.allgather}
  mov esi, [samples]
  lea ecx, [ebx * 4]
  mov edi, [all]
  mov edx, ecx
  imul edx, ebx
  call together
  mov esi, [all]
  mov ecx, [msg_size]
  imul ecx, ecx
  call sort

  ; every key goes to the first rank whose dividing key is greater
  mov edi, [parts]
  mov ecx, [exchange]
  shr ecx, 2
  xor eax, eax
  rep stosd
  mov esi, keys
  mov ecx, count
  xor ebx, ebx
next_place:
  mov eax, [esi]
which:
  lea edx, [ebx + 1]
  cmp edx, [msg_size]
  jae here
  imul edx, [msg_size]
  mov edi, [all]
  cmp eax, [edi + edx * 4]
  jb here
  inc ebx
  jmp which
here:
  imul edi, ebx, block
  add edi, [parts]
  inc dword [edi]
  mov edx, [edi]
  mov [edi + edx * 4], eax
  add esi, 4
  dec ecx
  jnz next_place
  mov al, ${MessageOp.alltoall}
  mov esi, [parts]
  mov ecx, [exchange]
  mov edi, [got]
  mov edx, ecx
  call together

  mov edi, [sorted]
  mov ebx, [got]
  mov edx, [msg_size]
next_part:
  mov ecx, [ebx]
  add [mine], ecx
  lea esi, [ebx + 4]
  rep movsd
  add ebx, block
  dec edx
  jnz next_part
  mov esi, [sorted]
  mov ecx, [mine]
  call sort

  ; places of this rank's keys begin behind those of all lower ranks
  mov al, ${MessageOp.allgather}
  mov esi, mine
  mov ecx, 4
  mov edi, [samples]
  mov edx, [msg_size]
  shl edx, 2
  call together
  xor ebx, ebx
  mov ecx, [msg_rank]
  mov esi, [samples]
  jecxz placed
lower:
  add ebx, [esi]
  add esi, 4
  dec ecx
  jnz lower
placed:
  mov esi, [sorted]
  mov ecx, [mine]
  jecxz weighed
weigh:
  inc ebx
  lodsd
  imul eax, ebx
  add [weight], eax
  dec ecx
  jnz weigh
weighed:
  mov esi, weight
  mov edi, total
  mov ecx, 4
  mov eax, ${SUM_U32}
  call msg_allreduce
  mov eax, [total]
  jmp msg_exit

; a collective without root that must succeed
together:
  push ebx
  push ebp
  xor ebx, ebx
  xor ebp, ebp
  call msg_collective
  pop ebp
  pop ebx
  test eax, eax
  jnz .failed
  ret
.failed:
  mov ebx, eax
  mov al, ${MessageOp.abort}
  call msg_begin
  mov [msg_entry + e_context], ebx
  jmp msg_go
${SORT}
samples: dd 0
all: dd 0
parts: dd 0
got: dd 0
sorted: dd 0
exchange: dd 0
mine: dd 0
weight: dd 0
total: dd 0
align 8
keys: times ${4 * count} db 0
`);
}
