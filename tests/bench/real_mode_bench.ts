/**
 * Speed of 16-bit real-mode code and of 32-bit code with segments that are not flat, as millions of guest instructions a
 * second. Run with `deno run -A` or `deno bench -A`.
 */
import { asm16, type AsmSource } from "../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import { machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";
import { least, rate } from "./measure.ts";

const N = 4_000_000;

const KERNELS: Readonly<Record<string, AsmSource>> = {
  "push, pop, call, ret, loop": asm16`
    again: mov cx, 100
    inner: push ax
    push word [bx]
    call leaf
    pop dx
    pop ax
    loop inner
    jmp again
    leaf: add ax, dx
    ret`,
  "rep movsb": asm16`
    again: mov si, 0x100
    mov di, 0x4000
    mov cx, 1000
    rep movsb
    jmp again`,
  "registers and memory": asm16`
    again: mov ax, [bx+si]
    add [di], ax
    inc si
    and si, 0xfff
    jnz again
    jmp again`,
  "far call and ret": asm16`
    again: push cs
    call leaf
    jmp again
    leaf: retf`,
  "int and iret": asm16`
    mov word [0x200], handler
    mov word [0x202], 0
    again: int 0x80
    jmp again
    handler: inc ax
    iret`,
};

for (const [name, code] of Object.entries(KERNELS)) {
  const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 << 20 })] });
  m.load(0x7c00, code);
  m.cpu.set("esp", 0x7000);
  m.cpu.set("ebx", 0x1000);
  m.cpu.set("edi", 0x2000);
  rate(`real mode, ${name}: instructions`, N, least(() => void m.run({ instructions: N })));
}
