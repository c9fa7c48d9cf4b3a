/**
 * Collectives as guest library code, in assembler: receiving from one rank while messages of others are kept, and over it
 * barrier (dissemination), broadcast and sum (binomial trees). They need of the card nothing but messages. Ranks take part
 * in the same order. Between two ranks messages keep their order, the library's among them: what was sent before a
 * collective is received before it, if the two meet in it. Cold.
 */
import { MessageOp } from "../../spec/message_abi.ts";

/** Bytes for messages that are kept for later; and for a vector that is received. */
export const STASH = 16384;

const KEEPING = `
; EDX: rank, EDI: address, ECX: room -> EAX: bytes. Kept messages are: rank, bytes, data, padded to words
msg_receive_from:
  push ebx
  push esi
.again:
  mov ebx, msg_stash
.scan:
  cmp ebx, [msg_kept]
  jae .fresh
  cmp [ebx], edx
  je .found
  mov eax, [ebx + 4]
  lea ebx, [ebx + eax + 11]
  and ebx, -4
  jmp .scan
.found:
  call msg_unkeep
  pop esi
  pop ebx
  ret
.fresh:
  push edi
  push ecx
  mov edi, [msg_kept]
  add edi, 8
  mov ecx, msg_stash + ${STASH}
  sub ecx, edi
  jbe msg_full
  push edx
  call msg_receive_fresh
  pop edx
  jc msg_full
  mov esi, [msg_kept]
  mov [esi], ebx
  mov [esi + 4], eax
  lea esi, [esi + eax + 11]
  and esi, -4
  mov [msg_kept], esi
  pop ecx
  pop edi
  jmp .again

; takes the first kept message -> EAX: bytes, EBX: rank, CF clear
msg_receive_kept:
  push esi
  mov ebx, msg_stash
  push dword [ebx]
  call msg_unkeep
  pop ebx
  pop esi
  clc
  ret

; EBX: a kept message, EDI: where its data goes, ECX: room -> EAX: bytes
msg_unkeep:
  mov eax, [ebx + 4]
  cmp eax, ecx
  ja msg_full
  push ecx
  push edi
  lea esi, [ebx + 8]
  mov ecx, eax
  rep movsb
  add esi, 3
  and esi, -4
  mov edi, ebx
  mov ecx, [msg_kept]
  sub ecx, esi
  rep movsb
  mov [msg_kept], edi
  pop edi
  pop ecx
  ret

; a message does not fit: the program fails, loudly
msg_full:
  mov al, ${MessageOp.abort}
  call msg_begin
  mov dword [msg_entry + e_context], 0xf011
  call msg_go
.ever:
  hlt
  jmp .ever
`;

const TREES = `
; in round k everyone tells the rank 2^k on and hears from the rank 2^k back
msg_tree_barrier:
  pushad
  mov ebp, 1
.round:
  cmp ebp, [msg_size]
  jae .out
  mov eax, [msg_rank]
  add eax, ebp
  cmp eax, [msg_size]
  jb .to
  sub eax, [msg_size]
.to:
  mov esi, msg_word
  xor ecx, ecx
  call msg_send
  mov edx, [msg_rank]
  sub edx, ebp
  jns .from
  add edx, [msg_size]
.from:
  mov edi, msg_word
  mov ecx, 4
  call msg_receive_from
  shl ebp, 1
  jmp .round
.out:
  popad
  ret

; ranks are counted from the root: v gets from v less its lowest bit, and gives to v plus every lower bit
msg_tree_broadcast:
  pushad
  mov ebp, [msg_rank]
  sub ebp, ebx
  jns .virtual
  add ebp, [msg_size]
.virtual:
  mov eax, 1
.bit:
  cmp eax, [msg_size]
  jae .give
  test ebp, eax
  jnz .get
  shl eax, 1
  jmp .bit
.get:
  push eax
  mov edx, ebp
  sub edx, eax
  call msg_real
  call msg_receive_from
  pop eax
.give:
  mov esi, edi
.next:
  shr eax, 1
  jz .out
  mov edx, ebp
  add edx, eax
  cmp edx, [msg_size]
  jae .next
  call msg_real
  push eax
  mov eax, edx
  call msg_send
  pop eax
  jmp .next
.out:
  popad
  ret

; EDX: rank counted from root EBX -> EDX: rank
msg_real:
  add edx, ebx
  cmp edx, [msg_size]
  jb .out
  sub edx, [msg_size]
.out:
  ret

; sums go down the tree to rank 0, and the result to all
msg_tree_sum:
  pushad
  mov ebp, 1
.bit:
  cmp ebp, [msg_size]
  jae .all
  test [msg_rank], ebp
  jnz .give
  mov edx, [msg_rank]
  add edx, ebp
  cmp edx, [msg_size]
  jae .skip
  push edi
  push ecx
  mov edi, msg_stash + ${STASH}
  mov ecx, ${STASH}
  call msg_receive_from
  pop ecx
  pop edi
  push edi
  push ecx
  mov esi, msg_stash + ${STASH}
.add:
  lodsd
  add [edi], eax
  add edi, 4
  sub ecx, 4
  ja .add
  pop ecx
  pop edi
.skip:
  shl ebp, 1
  jmp .bit
.give:
  mov eax, [msg_rank]
  sub eax, ebp
  mov esi, edi
  call msg_send
.all:
  xor ebx, ebx
  call msg_tree_broadcast
  popad
  ret
`;

/** Its data; what it keeps and the vector it receives lie at `msg_stash`, where the image ends. */
export const TREE_DATA: string = `
align 8
msg_word: dd 0
msg_kept: dd msg_stash
`;

/** Source, part of the message library. */
export const TREE_COLLECTIVES: string = KEEPING + TREES;
