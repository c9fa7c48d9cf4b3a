/**
 * The start that small hostile kernels share: flat segments, gates from a table, page tables that map 8 MiB to themselves
 * for everybody (or three levels with 2 MiB pages) and an empty one for linear 0x40000000, paging, a task. Assembly of the
 * caller's has `entries` and `gate_types` (50 words each: a handler, and the high word of its gate; 0: none), the handler
 * `system_call` for vector 0x80. Cold data.
 */

/** Gates that are made from the table. */
const GATES = 50;

/** Flat segments, gates, the task's descriptor; interrupts are off. */
export const FLAT: string = `
  cli
  cld
  lgdt [gdt_pointer]
  push dword 0x60
  push dword flat
  retf
flat:
  mov eax, 0x68
  mov ss, ax
  mov eax, 0x7b
  mov ds, ax
  mov es, ax
  xor eax, eax
  mov fs, ax
  mov gs, ax
  xor ebx, ebx
next_gate:
  mov eax, [entries+ebx*4]
  mov edx, eax
  and eax, 0xffff
  or eax, 0x600000
  mov dx, [gate_types+ebx*2]
  mov [idt+ebx*8], eax
  mov [idt+ebx*8+4], edx
  inc ebx
  cmp ebx, ${GATES}
  jb next_gate
  mov eax, system_call
  mov [idt+0x80*8], ax
  mov word [idt+0x80*8+2], 0x60
  mov dword [idt+0x80*8+4], 0xee00
  shr eax, 16
  mov [idt+0x80*8+6], ax
  lidt [idt_pointer]
  mov eax, tss
  mov [gdt+0x80+2], ax
  shr eax, 16
  mov [gdt+0x84], al
  mov [gdt+0x87], ah`;

/**
 * Page tables behind a directory (with PAE: pointers, and behind them two directories), paging, the task register. The
 * page tables of the first 8 MiB are the next two pages, the empty one is the page after them.
 */
export function paging(directory: number, pae: boolean): string {
  const tables = directory + 0x1000, free = directory + 0x3000;
  return `
  mov edi, ${directory}
  mov ecx, 0x1400
  xor eax, eax
  rep stosd
  ${pae ? threeLevels(directory, tables, free) : twoLevels(directory, tables, free)}
  mov eax, ${directory}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  jmp paging
paging:
  mov eax, 0x80
  ltr ax`;
}

function twoLevels(directory: number, tables: number, free: number): string {
  return `
  mov edi, ${tables}
  mov eax, 7
next_page:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  cmp edi, ${tables + 0x2000}
  jb next_page
  mov dword [${directory}], ${tables + 7}
  mov dword [${directory + 4}], ${tables + 0x1000 + 7}
  mov dword [${directory + 0x400}], ${free + 7}`;
}

function threeLevels(directory: number, tables: number, free: number): string {
  return `
  mov dword [${directory}], ${tables + 1}
  mov dword [${directory + 8}], ${tables + 0x1000 + 1}
  mov dword [${tables}], 0x000087
  mov dword [${tables + 8}], 0x200087
  mov dword [${tables + 16}], 0x400087
  mov dword [${tables + 24}], 0x600087
  mov dword [${tables + 0x1000}], ${free + 7}
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax`;
}

/** Exceptions with an error code. */
const WITH_CODE: readonly number[] = [8, 10, 11, 12, 13, 14, 17];
const VECTORS: readonly number[] = Array.from({ length: 32 }, (_, v) => v);

/** Labels of the exceptions' entries, in order, as words. */
export const ENTRY_WORDS: string = VECTORS.map((v) => `  dd entry_${v}`).join("\n");

/** Entries of the exceptions: each pushes `noCode` where the processor pushes no code, then its vector, and jumps. */
export function exceptionEntries(noCode: number, to: string): string {
  return VECTORS.map((v) =>
    `entry_${v}:\n  ${WITH_CODE.includes(v) ? "" : `push dword ${noCode}`}\n  push dword ${v}\n  jmp ${to}`
  ).join("\n");
}

/** Descriptor tables and the task state: its stack for ring 0 is at 0xA000, no port is free to ring 3. */
export const DESCRIPTORS: string = `
align 8
gdt:
  times 24 dd 0
  dd 0x0000ffff, 0x00cf9a00
  dd 0x0000ffff, 0x00cf9200
  dd 0x0000ffff, 0x00cffa00
  dd 0x0000ffff, 0x00cff200
  dd 0x0000006b, 0x00008900
  times 30 dd 0
gdt_pointer:
  dw 255
  dd gdt
idt_pointer:
  dw 2047
  dd idt
align 8
tss:
  dd 0, 0xa000, 0x68
  times 22 dd 0
  dd 0x680000
  dd 0xffffffff
align 8
idt:
  times 512 dd 0`;
