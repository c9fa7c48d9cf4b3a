/**
 * Guest program: a sample sort that ends in an exchange of all with all, in assembler over the message library. It works
 * on the keys of the host-side `sampleSort`. What lies behind the program is its working memory. Cold.
 */
import type { AsmSource } from "../../cpu/i386/asm/template.ts";
import { MessageOp, REDUCE_OPS, REDUCE_TYPES } from "../../spec/message_abi.ts";
import { messageGuest, whole } from "./library.ts";

const SUM_U32 = REDUCE_OPS.indexOf("sum") | (REDUCE_TYPES.indexOf("u32") << 8);

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
align 4096
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
