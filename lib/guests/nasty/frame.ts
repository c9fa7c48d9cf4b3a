/**
 * Nasty guest: the kernel around an edge. Flat segments, two page tables that map 8 MiB to themselves for everybody (or
 * three levels with 2 MiB pages), a third table for linear 0x40000000, handlers that say what came and go on where the
 * edge has named, the paravirtual ROM's calls by GetRelocationInfo.
 *
 * Without a ROM the calls are the instructions they stand for. On the serial port: `edge NAME`, then a line for each value, fault and tick, then `end`. Whatever is printed does not
 * depend on where the ROM is. Sources: as minikernel. Cold data.
 */

import { PARAVIRT_CALLS } from "../../spec/paravirt_calls.ts";
import { codeText, NATIVE_CODE } from "../../spec/paravirt_native.ts";
import { DESCRIPTORS, ENTRY_WORDS, exceptionEntries, FLAT, paging } from "./flat.ts";

/** Physical and linear address of the image. */
export const NASTY_ORIGIN = 0x10000;
/** Page directory, or directory pointers with PAE. */
export const DIRECTORY = 0x60000;
/** Page tables of the first 8 MiB; with PAE the directories of the first two GiB. */
export const TABLES: number = DIRECTORY + 0x1000;
/** Page table of linear 0x40000000, empty. */
export const FREE_TABLE: number = DIRECTORY + 0x3000;
/** Top of the kernel's stack; below it is room for half a page. */
export const STACK = 0x9000;
/** Physical memory that a de-privileging hypervisor keeps for itself by default. */
export const HYPERVISOR = 0x7c000000;

const FIND = `
  mov ebx, 0xc0000
find_rom:
  cmp word [ebx], 0xaa55
  jne find_next
  cmp dword [ebx+8], 0x696d5663
  jne find_next
  cmp byte [ebx+0x0d], 3
  je found_rom
find_next:
  add ebx, 2048
  cmp ebx, 0xe0000
  jb find_rom
  mov dword [rom], natives          ; without a ROM: the instructions themselves, at places that count as its
  mov byte [jumped+33], 1
  mov esi, native_words
  mov edi, calls
  mov ecx, 74
  rep movsd
  mov esi, text_no_rom
  call puts
  jmp edge_named
found_rom:
  mov [rom], ebx`;

const INIT = `
  mov ebx, [rom]
  lea eax, [ebx+0x80]
  call eax
  test eax, eax
  jz resolve
  mov esi, text_failed
  call puts
  jmp rest`;

const RESOLVE = `
resolve:
  xor esi, esi
next_call:
  mov ebx, [rom]
  lea ecx, [ebx+0x88]
  mov eax, esi
  call ecx
  cmp dl, 1
  je resolved
  cmp dl, 2
  jne not_resolved
  mov byte [jumped+esi], 1
resolved:
  mov [calls+esi*4], eax
not_resolved:
  inc esi
  cmp esi, 74
  jb next_call
edge_named:
  mov esi, text_edge
  call puts`;

/** From the boot loader to the edge. */
export function begin(pae: boolean, init: boolean): string {
  return [`\n  mov esp, ${STACK}`, FLAT, paging(DIRECTORY, pae), FIND, init ? INIT : "", RESOLVE].join("\n");
}

/** The calls as their instructions, and a word for each; IRET's own place is that of the kernel. */
function natives(): string {
  const stubs = PARAVIRT_CALLS.map(({ no, name }) => {
    const code = name === "IRET" ? undefined : NATIVE_CODE[name];
    return code === undefined
      ? ""
      : `native_${no}:\n  ${code.map(codeText).join("\n  ").replaceAll(" $+", " short $+")}`;
  });
  const words = PARAVIRT_CALLS.map(({ no, name }) =>
    `  dd ${name === "IRET" || NATIVE_CODE[name] !== undefined ? `native_${no}` : "absent"}`
  );
  return ["native_33:", "  iretd", "natives:", ...stubs, "align 4", "native_words:", ...words].join("\n");
}

/** Handlers, printing and data. */
export function rest(name: string): string {
  return `
finish:
  mov esi, text_end
  call puts
rest:
  mov eax, [calls+37*4]
  cmp eax, absent
  je rest_native
  call eax
rest_native:
  cli
  hlt
  jmp rest_native

absent:                             ; the ROM leaves this call to the guest
  mov esi, text_absent
  call puts
  jmp finish

${exceptionEntries(0, "exception")}
exception:                          ; stack: vector, code, EIP, CS, EFLAGS
  mov eax, 0x7b
  mov ds, eax
  mov es, eax
  cld
  inc dword [faults]
  cmp dword [faults], 24
  ja rest_native
  mov esi, text_fault
  call puts
  mov eax, [esp]
  call puthex
  mov esi, text_code
  call puts
  mov eax, [esp+4]
  call puthex
  mov esi, text_user
  mov eax, [esp+12]
  and eax, 3
  cmp eax, 3
  je exception_where
  mov esi, text_kernel
  mov eax, [esp+8]
  sub eax, [rom]
  cmp eax, 0x4000
  jae exception_where
  mov esi, text_rom
exception_where:
  call puts
  mov eax, [resume]
  test eax, eax
  jz exception_unexpected
  mov esp, [resume_esp]
  jmp eax
exception_unexpected:
  mov esi, text_unexpected
  call puts
  jmp finish

tick:                               ; vectors 0x20 and 0x31
  pushad
  inc dword [ticks]
  cmp dword [ticks], 40
  jb tick_go
  mov al, 0xff
  out 0x21, al
tick_go:
  mov al, 0x20
  out 0x20, al
  mov eax, [on_tick]
  test eax, eax
  jz tick_done
  mov dword [on_tick], 0
  call eax
tick_done:
  popad
leave_by_iret:
  cmp byte [ss:jumped+33], 0
  jne leave_jumped
  call dword [ss:calls+33*4]
leave_jumped:
  jmp dword [ss:calls+33*4]
other:
  jmp leave_by_iret

system_call:                        ; from ring 3, for good
  mov eax, 0x7b
  mov ds, eax
  mov es, eax
  mov esp, [resume_esp]
  jmp dword [resume]

note:                               ; EAX: a value; keeps all registers
  pushfd
  pushad
  cld
  push eax
  mov esi, text_value
  call puts
  pop eax
  call puthex
  mov al, 10
  call putc
  popad
  popfd
  ret

putc:
  push edx
  mov edx, 0x3f8
  out dx, al
  pop edx
  ret
puts:
  mov al, [esi]
  inc esi
  test al, al
  jz puts_end
  call putc
  jmp puts
puts_end:
  ret
puthex:
  push ecx
  push edx
  mov edx, eax
  mov ecx, 8
puthex_next:
  rol edx, 4
  mov eax, edx
  and eax, 15
  mov al, [digits+eax]
  call putc
  dec ecx
  jnz puthex_next
  pop edx
  pop ecx
  ret

digits: db "0123456789abcdef"
text_no_rom: db "no ROM, ", 0
text_failed: db "Init failed", 10, 0
text_edge: db "edge ${name}", 10, 0
text_end: db "end", 10, 0
text_absent: db "absent", 10, 0
text_fault: db "fault ", 0
text_code: db " code ", 0
text_user: db " in ring 3", 10, 0
text_kernel: db " in the kernel", 10, 0
text_rom: db " in the ROM", 10, 0
text_unexpected: db "unexpected", 10, 0
text_value: db "value ", 0
align 4
rom: dd 0
resume: dd 0
resume_esp: dd 0
faults: dd 0
ticks: dd 0
on_tick: dd 0
scratch: times 16 dd 0
calls: times 74 dd absent
jumped: times 76 db 0
${natives()}
align 4
entries:
${ENTRY_WORDS}
  dd tick
  times 16 dd other
  dd tick
gate_types:
  times 3 dw 0x8e00
  dw 0xee00
  times 46 dw 0x8e00
${DESCRIPTORS}
image_end:`;
}
