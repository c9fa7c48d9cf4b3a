/**
 * Guest programs for emulated clusters, each in a page of assembler over the message library: ping-pong, ring, barrier
 * and the heat stencil in fixed-point numbers. Cold.
 */
import type { AsmSource } from "../../cpu/i386/asm/template.ts";
import { messageGuest, whole } from "./library.ts";

/**
 * Ranks 0 and 1 send `bytes` to and fro `rounds` times; others only connect. Rank 0 exits with half of the mean round
 * trip in ns, others with 0.
 */
export function pingPongGuest(bytes: number, rounds: number): AsmSource {
  const size = whole("bytes", bytes, 1, 1 << 20);
  return messageGuest(`
  call msg_mesh
  call msg_barrier
  cmp dword [msg_rank], 1
  ja finish
  mov ebp, ${whole("rounds", rounds, 1, 1e6)}
  call msg_time
  mov [started], eax
  mov [started + 4], edx
round:
  cmp dword [msg_rank], 0
  jne answer
  call ping
  call pong
  jmp next
answer:
  call pong
  call ping
next:
  dec ebp
  jnz round
  call msg_time
  sub eax, [started]
  sbb edx, [started + 4]
  mov ecx, ${2 * rounds}
  div ecx
  cmp dword [msg_rank], 0
  je result
finish:
  xor eax, eax
result:
  push eax
  call msg_barrier
  pop eax
  jmp msg_exit
ping:
  mov eax, [msg_rank]
  xor eax, 1
  mov esi, buffer
  mov ecx, ${size}
  jmp msg_send
pong:
  mov edi, buffer
  mov ecx, ${size}
  jmp msg_receive
align 4096
started: dd 0, 0
align 8
buffer: times ${size} db 0x5a
`);
}

/** A token goes `rounds` times around all ranks, each adds its own; rank 0 exits with the sum, rounds * P(P-1)/2. */
export function ringGuest(rounds: number): AsmSource {
  return messageGuest(`
  call msg_mesh
  mov ebp, ${whole("rounds", rounds, 1, 1e6)}
round:
  cmp dword [msg_rank], 0
  je first
  call take
  call pass
  jmp next
first:
  call pass
  call take
next:
  dec ebp
  jnz round
  call msg_barrier
  mov eax, [token]
  jmp msg_exit
pass:
  mov eax, [msg_rank]
  add [token], eax
  inc eax
  cmp eax, [msg_size]
  jb .to
  xor eax, eax
.to:
  mov esi, token
  mov ecx, 4
  jmp msg_send
take:
  mov edi, token
  mov ecx, 4
  jmp msg_receive
align 4096
token: dd 0
`);
}

/** Every rank passes `rounds` barriers, and exits with the number it has passed. */
export function barrierGuest(rounds: number): AsmSource {
  return messageGuest(`
  call msg_mesh
  xor ebp, ebp
round:
  ; each rank computes for a different time
  mov ecx, [msg_rank]
  lea ecx, [ecx * 8 + ecx + 1]
spin:
  dec ecx
  jnz spin
  call msg_barrier
  inc ebp
  cmp ebp, ${whole("rounds", rounds, 1, 1e6)}
  jb round
  mov eax, ebp
  jmp msg_exit
`);
}

/**
 * Heat in a square plate of `n` by `n` 32-bit fixed-point cells: row 0 is 65536, the rest 0; in each of `steps` steps an
 * inner cell becomes a quarter of the sum of its four neighbours. The rows are divided among the ranks, which exchange
 * border rows by messages of two words more than a row (step and direction). Every rank exits with the low 32 bits of
 * the sum of all cells. `n` is a multiple of the number of ranks.
 */
export function heatGuest(n: number, steps: number): AsmSource {
  const size = whole("n", n, 4, 512);
  const row = 4 * size;
  return messageGuest(`
row equ ${row}
  call msg_mesh
  ; [rows]: rows of this rank; plates have one row more above and below
  mov eax, ${size}
  xor edx, edx
  div dword [msg_size]
  mov [rows], eax
  cmp dword [msg_rank], 0
  jne begin
  mov ecx, ${size}
  mov edi, plate_a + row
  mov eax, 65536
  rep stosd
  mov ecx, ${size}
  mov edi, plate_b + row
  rep stosd
begin:
  mov dword [old], plate_a
  mov dword [new], plate_b
  mov dword [step], 0
each_step:
  mov eax, [step]
  cmp eax, ${whole("steps", steps, 0, 1e6)}
  jae finished
  call exchange
  call compute
  mov eax, [old]
  xchg eax, [new]
  mov [old], eax
  inc dword [step]
  jmp each_step

finished:
  mov ecx, [rows]
  imul ecx, ${size}
  mov esi, [old]
  add esi, row
  xor eax, eax
.add:
  add eax, [esi]
  add esi, 4
  dec ecx
  jnz .add
  mov [sum], eax
  mov esi, sum
  mov edi, total
  mov ecx, 4
  mov eax, 0x100
  call msg_allreduce
  mov eax, [total]
  jmp msg_exit

; sends border rows to both neighbours, then waits for theirs
exchange:
  mov dword [missing], 0
  mov eax, [msg_rank]
  test eax, eax
  jz .no_upper
  dec eax
  mov esi, [old]
  add esi, row
  mov ebx, 1
  call send_row
.no_upper:
  mov eax, [msg_rank]
  inc eax
  cmp eax, [msg_size]
  jae .no_lower
  mov esi, [rows]
  imul esi, row
  add esi, [old]
  mov ebx, 0
  call send_row
.no_lower:
.again:
  ; rows of the next step may come early: they wait in kept
  mov eax, [step]
  and eax, 1
  lea eax, [eax * 8 + came]
  mov ecx, [eax]
  add ecx, [eax + 4]
  cmp ecx, [missing]
  jae .all
  mov edi, packet
  mov ecx, row + 8
  call msg_receive
  mov eax, [packet]
  and eax, 1
  mov edx, [packet + 4]
  lea ecx, [eax * 2 + edx]
  inc dword [ecx * 4 + came]
  imul ecx, row
  lea edi, [ecx + kept]
  mov esi, packet + 8
  mov ecx, ${size}
  rep movsd
  jmp .again
.all:
  mov dword [eax], 0
  mov dword [eax + 4], 0
  mov eax, [step]
  and eax, 1
  imul eax, row * 2
  lea esi, [eax + kept]
  cmp dword [msg_rank], 0
  je .keep_top
  mov edi, [old]
  mov ecx, ${size}
  rep movsd
.keep_top:
  mov eax, [step]
  and eax, 1
  imul eax, row * 2
  lea esi, [eax + kept + row]
  mov ecx, [msg_rank]
  inc ecx
  cmp ecx, [msg_size]
  jae .out
  mov edi, [rows]
  inc edi
  imul edi, row
  add edi, [old]
  mov ecx, ${size}
  rep movsd
.out:
  ret

; EAX: neighbour, ESI: row, EBX: 0 the receiver's row above, 1 the one below
send_row:
  inc dword [missing]
  push eax
  mov ecx, [step]
  mov [packet], ecx
  mov [packet + 4], ebx
  mov edi, packet + 8
  mov ecx, ${size}
  rep movsd
  pop eax
  mov esi, packet
  mov ecx, row + 8
  jmp msg_send

; inner cells of this rank's rows; the plate's border rows and columns stay
compute:
  mov ebp, 1
.each_row:
  cmp ebp, [rows]
  ja .done
  ; number of the row in the whole plate
  mov eax, [msg_rank]
  imul eax, [rows]
  lea eax, [eax + ebp - 1]
  test eax, eax
  jz .next_row
  cmp eax, ${size - 1}
  je .next_row
  mov esi, ebp
  imul esi, row
  mov edi, esi
  add esi, [old]
  add edi, [new]
  mov ecx, ${size - 2}
.cell:
  add esi, 4
  add edi, 4
  mov eax, [esi - row]
  add eax, [esi + row]
  add eax, [esi - 4]
  add eax, [esi + 4]
  shr eax, 2
  mov [edi], eax
  dec ecx
  jnz .cell
.next_row:
  inc ebp
  jmp .each_row
.done:
  ret

align 4096
rows: dd 0
old: dd 0
new: dd 0
step: dd 0
missing: dd 0
sum: dd 0
total: dd 0
came: dd 0, 0, 0, 0
align 8
packet: times ${row + 8} db 0
kept: times ${4 * row} db 0
plate_a: times ${(size + 2) * row} db 0
plate_b: times ${(size + 2) * row} db 0
`);
}
