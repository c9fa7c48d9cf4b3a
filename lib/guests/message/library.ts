/**
 * The message library for guests, in assembler: flat 32-bit code without paging, so that addresses are physical. It
 * uses the hypercall form; a program is the library's user and is entered first.
 *
 * | routine | in | out |
 * | --- | --- | --- |
 * | `msg_init` | | `[msg_rank]`, `[msg_size]`, `[msg_cluster]` |
 * | `msg_mesh` | | all pairs connected; calls `msg_init` |
 * | `msg_send` | EAX rank, ESI address, ECX bytes | EAX status |
 * | `msg_receive` | EDI address, ECX room | EAX bytes, EBX rank; longer messages: CF set |
 * | `msg_receive_from` | EDX rank, EDI address, ECX room | EAX bytes; messages of others are kept for later |
 * | `msg_barrier` | | |
 * | `msg_allreduce` | ESI vector, EDI result, ECX bytes, EAX operation + type * 256 | EAX status |
 * | `msg_collective` | AL command, EBX root, ESI, ECX given, EDI, EDX room, EBP context | EAX status, ECX bytes |
 * | `msg_tree_barrier` | | the same by messages of the library's own, without the card's help |
 * | `msg_tree_broadcast` | EBX root, EDI address, ECX bytes | |
 * | `msg_tree_sum` | EDI vector of 32-bit words, ECX bytes | the sums of all ranks, in place |
 * | `msg_register` | ESI address, ECX bytes | EAX handle, 0: refused |
 * | `msg_time` | | EDX:EAX ns |
 * | `msg_log` | ESI text, ECX bytes | |
 * | `msg_exit` | EAX code | does not return |
 *
 * `behind` is the first address behind program and library: RAM that a program may use. All other registers are kept. Completions that nobody waits for are dropped, requests to connect are accepted. Cold.
 */
import { ConfigError } from "../../core/errors.ts";
import { STASH, TREE_COLLECTIVES, TREE_DATA } from "./tree_collectives.ts";
import { assemble } from "../../cpu/i386/asm/assemble.ts";
import type { AsmSource } from "../../cpu/i386/asm/template.ts";
import { CompletionType, MESSAGE_PORTS, MessageOp, SubmitFlag } from "../../spec/message_abi.ts";

/** Offsets of a submission entry's fields. */
const ENTRY = `
e_op equ 0
e_flags equ 1
e_count equ 2
e_connection equ 4
e_cookie equ 8
e_address equ 16
e_length equ 24
e_registration equ 28
e_remote equ 32
e_offset equ 40
e_context equ 48
e_plength equ 52
e_paddress equ 56
`;

const CALL = `
; EAX: address of an entry -> EAX: status
msg_call:
  push edx
  mov edx, ${MESSAGE_PORTS.call}
  out dx, eax
  mov edx, ${MESSAGE_PORTS.status}
  in eax, dx
  pop edx
  ret

; clears the entry and writes its command: AL
msg_begin:
  push edi
  push ecx
  push eax
  mov edi, msg_entry
  mov ecx, 16
  xor eax, eax
  rep stosd
  pop eax
  mov [msg_entry + e_op], al
  pop ecx
  pop edi
  ret

msg_go:
  mov eax, msg_entry
  jmp msg_call

; waits for a completion without data -> AL: its type
msg_next:
  mov al, ${MessageOp.wait}
  call msg_begin
  mov dword [msg_entry + e_address], msg_done
  mov dword [msg_entry + e_length], 32
  call msg_go
  mov al, [msg_done]
  cmp al, ${CompletionType.connectRequest}
  jne .out
  call msg_accept
  jmp msg_next
.out:
  ret

; accepts the request in msg_done
msg_accept:
  pushad
  mov ebx, [msg_done + 4]
  mov al, ${MessageOp.respond}
  call msg_begin
  mov [msg_entry + e_connection], ebx
  call msg_go
  inc dword [msg_joined]
  popad
  ret
`;

const SETUP = `
msg_init:
  pushad
  mov al, ${MessageOp.info}
  call msg_begin
  mov dword [msg_entry + e_address], msg_info
  mov dword [msg_entry + e_length], 64
  call msg_go
  popad
  ret

; connects to all lower ranks, then accepts all higher ones
msg_mesh:
  pushad
  call msg_init
  xor ebx, ebx
.lower:
  cmp ebx, [msg_rank]
  jae .higher
  mov al, ${MessageOp.connect}
  call msg_begin
  mov [msg_entry + e_connection], ebx
  call msg_go
.wait:
  call msg_next
  cmp al, ${CompletionType.connected}
  jne .wait
  inc ebx
  jmp .lower
.higher:
  mov ecx, [msg_size]
  sub ecx, [msg_rank]
  dec ecx
  cmp [msg_joined], ecx
  jae .out
  mov al, ${MessageOp.wait}
  call msg_begin
  mov dword [msg_entry + e_address], msg_done
  mov dword [msg_entry + e_length], 32
  call msg_go
  cmp byte [msg_done], ${CompletionType.connectRequest}
  jne .higher
  call msg_accept
  jmp .higher
.out:
  popad
  ret
`;

const MESSAGES = `
msg_send:
  push ebx
  mov ebx, eax
  mov al, ${MessageOp.send}
  call msg_begin
  mov [msg_entry + e_connection], ebx
  mov [msg_entry + e_address], esi
  mov [msg_entry + e_length], ecx
  call msg_go
  pop ebx
  ret

; what was kept for later comes first
msg_receive:
  cmp dword [msg_kept], msg_stash
  jne msg_receive_kept
msg_receive_fresh:
  mov al, ${MessageOp.wait}
  call msg_begin
  mov dword [msg_entry + e_address], msg_done
  mov dword [msg_entry + e_length], 32
  mov [msg_entry + e_paddress], edi
  mov [msg_entry + e_plength], ecx
  call msg_go
  mov al, [msg_done]
  cmp al, ${CompletionType.connectRequest}
  jne .not_request
  call msg_accept
  jmp msg_receive_fresh
.not_request:
  cmp al, ${CompletionType.recv}
  jne msg_receive_fresh
  mov ebx, [msg_done + 4]
  mov eax, [msg_done + 16]
  cmp byte [msg_done + 1], 1
  cmc
  ret

msg_register:
  push ebx
  mov al, ${MessageOp.register}
  call msg_begin
  mov [msg_entry + e_address], esi
  mov [msg_entry + e_length], ecx
  mov byte [msg_entry + e_flags], ${SubmitFlag.signal}
  call msg_go
  xor ebx, ebx
  test eax, eax
  jnz .out
.wait:
  call msg_next
  cmp al, ${CompletionType.done}
  jne .wait
  mov ebx, [msg_done + 20]
.out:
  mov eax, ebx
  pop ebx
  ret
`;

const COLLECTIVES = `
msg_barrier:
  pushad
  mov al, ${MessageOp.barrier}
  xor ebx, ebx
  xor ecx, ecx
  xor edx, edx
  call msg_collective
  popad
  ret

msg_allreduce:
  push ebx
  push edx
  push ebp
  push ecx
  mov ebp, eax
  mov edx, ecx
  xor ebx, ebx
  mov al, ${MessageOp.allreduce}
  call msg_collective
  pop ecx
  pop ebp
  pop edx
  pop ebx
  ret

msg_collective:
  call msg_begin
  mov [msg_entry + e_connection], ebx
  mov [msg_entry + e_address], esi
  mov [msg_entry + e_length], ecx
  mov [msg_entry + e_paddress], edi
  mov [msg_entry + e_plength], edx
  mov [msg_entry + e_context], ebp
  call msg_go
  test eax, eax
  jnz .out
.wait:
  call msg_next
  cmp al, ${CompletionType.collectiveDone}
  jne .wait
  movzx eax, byte [msg_done + 1]
  mov ecx, [msg_done + 16]
.out:
  ret
`;

const REST = `
msg_time:
  mov al, ${MessageOp.time}
  call msg_begin
  mov dword [msg_entry + e_address], msg_clock
  mov dword [msg_entry + e_length], 8
  call msg_go
  mov eax, [msg_clock]
  mov edx, [msg_clock + 4]
  ret

msg_log:
  push eax
  mov al, ${MessageOp.log}
  call msg_begin
  mov [msg_entry + e_address], esi
  mov [msg_entry + e_length], ecx
  call msg_go
  pop eax
  ret

msg_exit:
  mov ebx, eax
  mov al, ${MessageOp.exit}
  call msg_begin
  mov [msg_entry + e_context], ebx
  call msg_go
.ever:
  hlt
  jmp .ever

; what is written does not lie in pages of code: those are translated anew when they are written to
align 4096
msg_entry: times 64 db 0
msg_done: times 32 db 0
msg_clock: dq 0
msg_joined: dd 0
msg_info:
msg_rank: dd 0
msg_size: dd 0
msg_cluster: dd 0
msg_clusters: dd 0
times 48 db 0
`;

const END = `
align 64
msg_stash:
behind equ msg_stash + ${2 * STASH}
`;

/** Source of the library, to be appended to a program's. */
export const MESSAGE_LIBRARY: string = [
  ENTRY,
  CALL,
  SETUP,
  MESSAGES,
  TREE_COLLECTIVES,
  COLLECTIVES,
  REST,
  TREE_DATA,
  END,
].join("\n");

/**
 * A guest program with the library behind it. Data that it writes had better follow an `align 4096` behind its code.
 * @param source Assembler source; its first instruction is the entry.
 * @throws {ConfigError} as `assemble` does.
 */
export function messageGuest(source: string): AsmSource {
  const whole = `${source}\nalign 4096\n${MESSAGE_LIBRARY}`;
  const make = (origin: number): AsmSource => ({ ...assemble(whole, { origin }), at: make });
  return make(0x100000);
}

/** A parameter of a program. @throws {ConfigError} message-guest: it is no integer from `low` to `high`. */
export function whole(what: string, value: number, low: number, high: number): number {
  if (Number.isInteger(value) && value >= low && value <= high) return value;
  throw new ConfigError("message-guest", `${what} must be an integer from ${low} to ${high}, not ${value}`);
}
