/**
 * The benchmark programs as images: a multiboot kernel for emulators, a Linux program for the host CPU, an endless loop for
 * measuring in process. The code of a program is the same bytes in all three. Cold.
 */
import { assemble, type Assembly, ByteWriter } from "../../mod.ts";
import { DATA, type Kernel, LINKED } from "./kernels.ts";
import { DONE, WRONG } from "./words.ts";

export { DONE, WRONG };

/** Where images lie. */
const ORIGIN = 0x10_0000;
/** The end of code, stack and data. */
const END = DATA + 0x10_0000;
const STACK = 0x18_0000;

/** Says a text on the first serial port, hands QEMU a code (its isa-debug-exit), halts. */
function sayAndHalt(text: string): string {
  const print = [...text].map((c) => `mov al, ${c.charCodeAt(0)}\nout dx, al\n`).join("");
  return `mov edx, 0x3f8\n${print}mov edx, 0xf4\nout dx, al\ncli\nhlt\njmp $-1\n`;
}

/** An image's bytes with the kernel's machine code behind them. */
function link(bytes: Uint8Array, { linked }: Kernel): Uint8Array {
  if (linked === undefined) return bytes;
  const all = new Uint8Array(LINKED - ORIGIN + linked.length);
  all.set(bytes);
  all.set(linked, LINKED - ORIGIN);
  return all;
}

/** Registers as the programs like them. */
const BEGIN = `
  mov eax, 1
  mov ebx, 12345
  mov edx, 7
  xor esi, esi
  xor edi, edi
  xor ebp, ebp
  fninit`;

/**
 * A multiboot kernel that does a program's work `times` times, prints {@linkcode DONE} or {@linkcode WRONG}, and ends QEMU
 * or halts. Its last word's last letter is in AL then.
 */
export function multibootImage(kernel: Kernel, times: number): Uint8Array {
  const { bytes } = assemble(
    `
    dd 0x1badb002, 0x10000, ${-(0x1badb002 + 0x10000) >>> 0}
    dd ${ORIGIN}, ${ORIGIN}, 0, ${END}, start
    start: mov esp, ${STACK}
           mov eax, cr0
           and eax, 0xfffffff3 ; an x87 is there
           or eax, 0x22
           mov cr0, eax
           ${BEGIN}
           mov ecx, ${times}
           jecxz over
           call again
           ${kernel.checked === true ? "test eax, eax\njnz near wrong" : ""}
    over:  ${sayAndHalt(DONE)}
    wrong: ${sayAndHalt(WRONG)}
    ${kernel.source}`,
    { bits: 32, origin: ORIGIN },
  );
  return link(bytes, kernel);
}

/** A static ELF32 program for Linux that does the same and exits with 0, or with 1 if the result was wrong. */
export function linuxProgram(kernel: Kernel, times: number): Uint8Array {
  const { bytes } = assemble(
    `
    times 84 db 0 ; room for the headers
    start: ${BEGIN}
           mov ecx, ${times}
           jecxz over
           call again
           ${kernel.checked === true ? "mov ecx, eax" : ""}
    over:  xor ebx, ebx
           neg ecx
           adc ebx, ebx ; 1 unless ECX was 0, as a program without a check leaves it
           mov eax, 1
           int 0x80
    ${kernel.source}`,
    { bits: 32, origin: ORIGIN },
  );
  const code = link(bytes, kernel);
  const w = new ByteWriter(code.length).put(0, code);
  w.put(0, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 1, 1, 1)).u16(16, 2).u16(18, 3).u32(20, 1);
  w.u32(24, ORIGIN + 84).u32(28, 52).u16(40, 52).u16(42, 32).u16(44, 1);
  w.u32(52, 1).u32(60, ORIGIN).u32(64, ORIGIN).u32(68, code.length).u32(72, END - ORIGIN).u32(76, 7).u32(80, 0x1000);
  return w.bytes;
}

/** Code that does the work for ever, for address {@linkcode ORIGIN}. */
export function endless(kernel: Kernel): Assembly {
  return assemble(
    `${BEGIN}
    forever: mov ecx, 100
             call again
             jmp forever
    ${kernel.source}`,
    { bits: 32, origin: ORIGIN },
  );
}
