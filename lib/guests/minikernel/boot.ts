/**
 * Minikernel: from the boot loader to high linear addresses.
 *
 * The kernel is linked at 0xC0100000 and loaded at physical 1 MiB, so until paging is on every address needs PAGE_OFFSET
 * taken off. It enters by multiboot 1: flat protected mode, paging off. Source: Multiboot Specification 0.6.96. Cold data.
 */

/** Assembly source of this part. */
export const BOOT: string = String.raw`
PAGE_OFFSET   equ 0xC0000000
BOOT_PD       equ 0x180000          ; physical: page directory of the boot
BOOT_PT       equ 0x181000          ; physical: page table of the first 4 MiB
IDT           equ 0xC0182000        ; linear: interrupt descriptor table
STACK_TOP     equ 0xC0190000        ; linear: top of the kernel stack
FIRST_FREE    equ 0x200             ; page frames from here on are free
END_OF_FRAMES equ 0x400             ; up to here: what the boot page table maps

; --- multiboot header, with addresses (flag bit 16), so that any format of file will do
header:
  dd 0x1BADB002
  dd 0x00010000
  dd 0xE4514FFE                     ; the three words add up to 0
  dd header - PAGE_OFFSET
  dd header - PAGE_OFFSET           ; load from the start of the file
  dd image_end - PAGE_OFFSET
  dd 0
  dd start - PAGE_OFFSET

; --- entry: paging off, interrupts off, segments flat but unknown to us
start:
  cli
  cld
  mov esp, STACK_TOP - PAGE_OFFSET
  cmp eax, 0x2BADB002               ; the loader's word that EBX leads to its information
  jne start_uninformed
  mov [boot_info - PAGE_OFFSET], ebx
start_uninformed:
  lgdt [boot_gdt_pointer - PAGE_OFFSET]
  push dword 0x60                   ; load CS from our table: a far return
  push dword start_flat - PAGE_OFFSET
  retf
start_flat:
  mov eax, 0x68
  mov ss, ax
  mov eax, 0x7B                     ; as Linux does: the user data segment for DS and ES
  mov ds, ax
  mov es, ax
  xor eax, eax
  mov fs, ax
  mov gs, ax

; --- tables: everything from the page directory to the stack is zero first
  mov edi, BOOT_PD
  mov ecx, 0x4000
  rep stosd
  mov edi, BOOT_PT
  mov eax, 3                        ; present, writable
fill_page_table:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  cmp edi, BOOT_PT + 0x1000
  jb fill_page_table
  mov dword [BOOT_PD], BOOT_PT + 3          ; linear 0: so that the next instruction is still there
  mov dword [BOOT_PD + 0xC00], BOOT_PT + 3  ; linear PAGE_OFFSET: entry 768
  mov eax, BOOT_PD
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000                ; PG, and WP so that ring 0 respects read-only pages
  mov cr0, eax
  mov eax, start_high
  jmp eax
start_high:
  mov esp, STACK_TOP
  lgdt [gdt_pointer]                ; the same table by its linear address
  jmp main
boot_info:
  dd 0
`;
