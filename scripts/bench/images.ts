/**
 * The benchmark programs as images: a multiboot kernel for emulators, a Linux program for the host CPU, an endless loop for
 * measuring in process. The code of a program is the same bytes in all three. Cold.
 */
import { assemble, type Assembly, ByteWriter } from "../../mod.ts";
import { DATA, type Kernel } from "./kernels.ts";

/** Where images lie. */
const ORIGIN = 0x10_0000;
/** Code up to here; data and 64 KiB of theirs above. */
const END = DATA + 0x1_0000;
const STACK = 0x18_0000;

/** What a multiboot image prints on the first serial port when it has done its work. */
export const DONE = "done";

/** Registers as the programs like them. */
const BEGIN = `
  mov eax, 1
  mov ebx, 12345
  mov edx, 7
  xor esi, esi
  xor edi, edi
  xor ebp, ebp
  fninit`;

/** A multiboot kernel that does a program's work `times` times, prints {@linkcode DONE}, and ends QEMU or halts. */
export function multibootImage(kernel: Kernel, times: number): Uint8Array {
  const print = [...DONE].map((c) => `mov al, ${c.charCodeAt(0)}\nout dx, al\n`).join("");
  return assemble(
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
    over:  mov edx, 0x3f8
           ${print}
           mov edx, 0xf4 ; QEMU's isa-debug-exit
           out dx, al
           cli
    off:   hlt
           jmp off
    ${kernel.source}`,
    { bits: 32, origin: ORIGIN },
  ).bytes;
}

/** A static ELF32 program for Linux that does the same and exits with 0. */
export function linuxProgram(kernel: Kernel, times: number): Uint8Array {
  const code = assemble(
    `
    times 84 db 0 ; room for the headers
    start: ${BEGIN}
           mov ecx, ${times}
           jecxz over
           call again
    over:  mov eax, 1
           xor ebx, ebx
           int 0x80
    ${kernel.source}`,
    { bits: 32, origin: ORIGIN },
  ).bytes;
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
