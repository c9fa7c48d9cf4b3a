#!/usr/bin/env -S deno run
/**
 * Lesson 4, paging and faults: the script lays out descriptor and page tables, the guest switches paging on and touches
 * a page that is not there; its own handler maps the page and goes on. A hook watches. Needs no permission.
 */
import { asm, expect, hex32, tiny } from "../mod.ts";

const [GDT, IDT, DIRECTORY, TABLE, FRAME, MISSING] = [0x1000, 0x2000, 0x3000, 0x4000, 0x50000, 0x200000];
const m = tiny();
m.write(GDT + 8, 0x0000ffff); // selector 8: flat code
m.write(GDT + 12, 0x00cf9b00);
m.write(GDT + 16, 0x0000ffff); // selector 16: flat data
m.write(GDT + 20, 0x00cf9300);
m.write(DIRECTORY, TABLE | 3);
for (let page = 0; page < 256; page++) m.write(TABLE + 4 * page, page << 12 | 3); // the first MiB maps to itself

m.load(
  0x7c00,
  asm`
    lgdt [gdtr]
    lidt [idtr]
    jmp 8:flat
  flat:
    mov eax, 16
    mov ds, ax
    mov ss, ax
    mov word [${IDT + 14 * 8}], handler     ; an interrupt gate for vector 14
    mov dword [${IDT + 14 * 8 + 2}], 8
    mov word [${IDT + 14 * 8 + 5}], 0x8e
    mov eax, ${DIRECTORY}
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    mov dword [${MISSING}], 0x1234          ; faults, and is executed again
    hlt
  handler:
    mov ebx, cr2
    mov dword [${TABLE + (MISSING >>> 12) * 4}], ${FRAME | 3}
    invlpg [ebx]
    add esp, 4                              ; the error code
    iret
  gdtr: dw 23
    dd ${GDT}
  idtr: dw 127
    dd ${IDT}
  `,
);

const faults: string[] = [];
m.onFault(
  14,
  (f) => faults.push(`page fault at ${hex32(f.linear)}, error code ${f.errorCode}, EIP ${hex32(m.cpu.eip)}`),
);
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(faults).toHaveLength(1);
expect(m.cpu.ebx).toBe(MISSING);
expect(m.cpu.translate(MISSING)).toBe(FRAME);
expect(m.read(FRAME)).toBe(0x1234); // physical
expect(m.linear.read(MISSING)).toBe(0x1234); // as the guest sees it
console.log(faults[0]);
console.log(`The handler mapped it: ${hex32(MISSING)} is now physical ${hex32(m.cpu.translate(MISSING))}.`);
