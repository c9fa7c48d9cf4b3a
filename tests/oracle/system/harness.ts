/**
 * The guest of the system oracle: a firmware image that runs cases in real, virtual-8086 and protected mode, one after
 * the other, writes what came of each into memory, prints all results on port 0xe9 and powers off.
 *
 * A case ends in a single-step trap, a breakpoint (the code window is filled with INT3) or a fault. The image runs the
 * same on every PC emulator that takes a BIOS image; none of them knows that it is judged. Cold.
 */
import { assemble, type Assembly } from "../../../lib/cpu/i386/asm/assemble.ts";
import { CaseAt, GDT_ENTRIES, MARK, Mode, Place, POKES, RESULT_DWORDS, Sel, Sums, WINDOW_BYTES } from "./places.ts";

/** Faults that push an error code. */
const WITH_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);
/** Bytes of harness code at the start of the image. */
const CODE_BYTES = 0x8000;
const KIB64 = 0x10000;
/** Bytes of page tables, and the most of an image that those reach where it lies. */
const PAGING_BYTES = Place.pagingEnd - Place.paging, MOST_PAGED = 0x2e0000;

/** Maker of images, and the addresses of interrupt stubs for the interrupt tables. */
export interface Harness {
  /** Linear address of each vector's stub in protected mode. */
  readonly stubs: readonly number[];
  /** Offset of each vector's stub in real mode, segment 0. */
  readonly realStubs: readonly number[];
  /** Address at which the double-fault task starts. */
  readonly doubleFault: number;
  /** Makes the image. `tables` goes to {@linkcode Place.tables}; with `dump` the windows are printed behind the results.
   * `pages` are page tables; cases name them by number, counted from 1. */
  image(
    tables: Uint8Array,
    cases: readonly Uint8Array[],
    dump?: boolean,
    pages?: readonly Uint8Array[],
  ): Uint8Array<ArrayBuffer>;
}

const all = (line: (v: number) => string): string => Array.from({ length: 256 }, (_, v) => line(v)).join("\n");

/** Loads the registers of a record at EBX in the order of POPAD. */
const PUSH_REGS = Array.from({ length: 8 }, (_, n) => `push dword [ebx+${CaseAt.regs + 4 * n}]`).join("\n");
const LOW_PUSH_REGS = Array.from({ length: 8 }, (_, n) => `push dword [${Place.lowCase + CaseAt.regs + 4 * n}]`)
  .join("\n");

/** Debug registers and paging off; CR0 as it was is kept. */
const UNPAGE = `
  xor eax, eax
  mov dr7, eax
  mov eax, cr0
  mov [crzero], eax
  and eax, 0x7ffeffff
  mov cr0, eax
  mov ecx, cr4
  and ecx, 0xffffff4f
  mov cr4, ecx
`;

const MAIN = `
org ${Place.image}
bits 32
main:
  mov esp, ${Place.harnessStack}
  mov dword [result], ${Place.results}
  mov esi, lowcode
  mov edi, ${Place.low}
  mov ecx, lowend - lowcode
  rep movsb
  mov al, 0xff
  out 0x21, al
  out 0xa1, al
  call fillfirst
next:
  cmp dword [left], 0
  je finish
  dec dword [left]
  mov esi, tables
  mov edi, ${Place.tables}
  mov ecx, ${(Place.tablesEnd - Place.tables) / 4}
  rep movsd
  lgdt [gdtr]
  lidt [idtr]
  mov ax, ${Sel.ldt}
  lldt ax
  mov ax, ${Sel.tss}
  ltr ax
  clts
  xor eax, eax
  mov cr2, eax
  mov edi, ${Place.code}
  mov eax, 0xcccccccc
  mov ecx, 0x4000
  rep stosd
  mov ebx, [cursor]
  add dword [cursor], ${CaseAt.size}
  lea esi, [ebx+${CaseAt.code}]
  mov edi, [ebx+${CaseAt.eip}]
  add edi, [ebx+${CaseAt.codeBase}]
  mov ecx, 16
  rep movsb
  lea esi, [ebx+${CaseAt.pokes}]
  mov ecx, ${POKES}
poke:
  lodsd
  mov edx, eax
  lodsd
  test edx, edx
  jz nopoke
  mov [edx], eax
nopoke:
  loop poke
  mov eax, [ebx+${CaseAt.sums}]
  mov [sums], eax
  call paging
  call debug
  mov eax, [ebx+${CaseAt.mode}]
  cmp eax, ${Mode.v86}
  je v86
  cmp eax, ${Mode.real}
  je real
  mov ecx, [ebx+${CaseAt.ss}]
  cmp eax, ${Mode.outer}
  je outer
  mov edx, [ebx+${CaseAt.regs + 16}]
  mov ss, cx
  mov esp, edx
  jmp frame
outer:
  push ecx
  push dword [ebx+${CaseAt.regs + 16}]
frame:
  push dword [ebx+${CaseAt.eflags}]
  push dword [ebx+${CaseAt.cs}]
  push dword [ebx+${CaseAt.eip}]
  ${PUSH_REGS}
  mov es, [ebx+${CaseAt.es}]
  mov fs, [ebx+${CaseAt.fs}]
  mov gs, [ebx+${CaseAt.gs}]
  mov ds, [ebx+${CaseAt.ds}]
  popad
  iretd
v86:
  push dword [ebx+${CaseAt.gs}]
  push dword [ebx+${CaseAt.fs}]
  push dword [ebx+${CaseAt.ds}]
  push dword [ebx+${CaseAt.es}]
  push dword [ebx+${CaseAt.ss}]
  push dword [ebx+${CaseAt.regs + 16}]
  push dword [ebx+${CaseAt.eflags}]
  push dword [ebx+${CaseAt.cs}]
  push dword [ebx+${CaseAt.eip}]
  ${PUSH_REGS}
  popad
  iretd
real:
  mov esi, ebx
  mov edi, ${Place.lowCase}
  mov ecx, ${CaseAt.size / 4}
  rep movsd
  jmp ${Sel.code16}:${Place.low}

${all((v) => `stub${v}:\n${WITH_CODE.has(v) ? "" : "push dword 0xdead\n"}push dword ${v}\njmp near common`)}
common:
  pushad
  cld
  ${["ds", "es", "fs", "gs"].map((name) => `mov ax, ${name}\nmovzx eax, ax\npush eax`).join("\n")}
  mov ax, ss
  movzx eax, ax
  mov ebp, esp
  lar ebx, eax
  mov edx, 0xffffffff
  bt ebx, 22
  jc wide
  mov edx, 0xffff
wide:
  and ebp, edx
  mov ax, ${Sel.data}
  mov ds, ax
  mov es, ax
  ${UNPAGE}
  mov edi, [result]
  mov ecx, 14
copy:
  mov eax, [ss:ebp]
  stosd
  add ebp, 4
  and ebp, edx
  loop copy
  mov ecx, 3
copyframe:
  mov eax, [ss:ebp]
  stosd
  add ebp, 4
  and ebp, edx
  loop copyframe
  mov ebx, [edi-4]
  mov ecx, [edi-8]
  xor esi, esi
  bt ebx, 17
  jc fromv86
  test ecx, 3
  jz rest
  mov esi, 2
  jmp rest
fromv86:
  mov esi, 6
rest:
  mov ecx, 6
more:
  xor eax, eax
  dec esi
  js none
  mov eax, [ss:ebp]
  add ebp, 4
  and ebp, edx
none:
  stosd
  loop more
  xor eax, eax
  mov ax, ss
  stosd
  mov eax, ebp
  stosd
  mov ax, ${Sel.data}
  mov ss, ax
  mov esp, ${Place.harnessStack}
  jmp close

doublefault:
  cld
  call unpage
  pop eax
  push dword 2
  popfd
  mov edi, [result]
  mov ecx, 12
  xor eax, eax
  rep stosd
  mov eax, 8
  stosd
  mov ecx, 12
  xor eax, eax
  rep stosd
  mov esp, ${Place.harnessStack}
close:
  mov edi, [result]
  add edi, ${4 * 25}
  xor eax, eax
  str ax
  stosd
  mov eax, [crzero]
  stosd
  mov esi, ${Place.tables}
  mov ecx, ${(Place.tablesEnd - Place.tables) / 4}
  call sum
  push edi
  mov eax, dr6
  add edi, 4
  stosd
  mov eax, cr2
  stosd
  xor eax, eax
  cmp dword [paged], 0
  je notables
  mov esi, ${Place.paging}
  mov ecx, ${(Place.pagingEnd - Place.paging) / 4}
  call sum
notables:
  pop edi
  cmp dword [paged], 0
  jne dirty
  cmp dword [sums], 0
  je nosums
wholesum:
  mov esi, ${Place.data}
  mov ecx, ${(Place.windowsEnd - Place.data) / 4}
  call sum
  cmp dword [sums], ${Sums.keep}
  je nosums
  call refill
nosums:
  add dword [result], ${4 * RESULT_DWORDS}
  jmp next
refill:
  mov esi, ${Place.pristine}
  mov edi, ${Place.data}
  mov ecx, ${(Place.windowsEnd - Place.data) / 4}
  rep movsd
  ret
; Sums the pages that the page tables call dirty, and makes all as they were.
dirty:
  mov eax, ${Place.paging} + 4
  cmp dword [paged], 1
  je onlyword
  mov eax, ${Place.paging} + 0x1010
onlyword:
  mov eax, [eax]
  and eax, 0xc0
  cmp eax, 0xc0
  je wholesum
  xor edx, edx
  mov ebp, ${Place.data / 4096}
nextpage:
  mov eax, [paged]
  lea eax, [eax*4]
  imul eax, ebp
  test byte [eax+${Place.paging + 0x2000}], 0x40
  jz clean
  mov esi, ebp
  shl esi, 12
  mov ecx, 1024
pagesum:
  rol edx, 3
  add edx, [esi]
  add esi, 4
  dec ecx
  jnz pagesum
  add edx, ebp
clean:
  inc ebp
  cmp ebp, ${Place.windowsEnd / 4096}
  jb nextpage
  mov eax, edx
  stosd
  call refill
  jmp nosums
; Page tables of the case at EBX.
paging:
  mov dword [paged], 0
  mov esi, [ebx+${CaseAt.paging}]
  test esi, esi
  jz nopaging
  mov edi, ${Place.paging}
  mov ecx, ${(Place.pagingEnd - Place.paging) / 4}
  rep movsd
  mov dword [${Place.doubleTss + 0x1c}], ${Place.paging}
  mov dword [${Place.task32 + 0x1c}], ${Place.paging}
  mov dword [${Place.tss + 0x1c}], ${Place.paging}
  mov eax, [ebx+${CaseAt.efer}]
  cmp eax, 0xffffffff
  je noefer
  mov ecx, 0xc0000080
  xor edx, edx
  wrmsr
noefer:
  mov eax, [ebx+${CaseAt.cr4}]
  mov cr4, eax
  shr eax, 5
  and eax, 1
  inc eax
  mov [paged], eax
  mov eax, ${Place.paging}
  mov cr3, eax
  mov eax, cr0
  or eax, [ebx+${CaseAt.cr0}]
  mov cr0, eax
nopaging:
  ret
; Debug registers of the case at EBX.
debug:
  mov eax, 0xffff0ff0
  mov dr6, eax
${[0, 1, 2, 3].map((n) => `mov eax, [ebx+${CaseAt.dr + 4 * n}]\nmov dr${n}, eax`).join("\n")}
  mov eax, [ebx+${CaseAt.dr7}]
  mov dr7, eax
  ret
unpage:
  ${UNPAGE}
  ret
fillfirst:
  mov edi, ${Place.data}
  mov ecx, ${(Place.windowsEnd - Place.data) / 4}
  mov eax, 1
fill:
  imul eax, eax, 0x19660d
  add eax, 0x3c6ef35f
  mov [edi], eax
  add edi, 4
  dec ecx
  jnz fill
  mov esi, ${Place.data}
  mov edi, ${Place.pristine}
  mov ecx, ${(Place.windowsEnd - Place.data) / 4}
  rep movsd
  ret
sum:
  xor eax, eax
sumloop:
  rol eax, 3
  add eax, [esi]
  add esi, 4
  dec ecx
  jnz sumloop
  stosd
  ret

backpm:
  mov ax, ${Sel.data}
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, ${Place.harnessStack}
  cld
  call unpage
  mov edi, [result]
  mov esi, ${Place.lowResult}
  mov ecx, 25
  rep movsd
  jmp close

finish:
  mov esi, mark
  mov ecx, ${MARK.length}
  mov edx, 0xe9
  rep outsb
  mov esi, ${Place.results}
  mov ecx, [result]
  sub ecx, esi
  rep outsb
  mov esi, ${Place.data}
  mov ecx, [dump]
  rep outsb
  mov esi, bye
  mov ecx, 8
  mov edx, 0x8900
  rep outsb
  cli
  hlt
mark: db "${MARK}"
bye: db "Shutdown"
align 4
left: dd 0
cursor: dd ${Place.image + CODE_BYTES}
result: dd 0
sums: dd 0
paged: dd 0
crzero: dd 0
dump: dd 0
gdtr: dw ${GDT_ENTRIES * 8 - 1}
  dd ${Place.gdt}
idtr: dw 0x7ff
  dd ${Place.idt}
align 16
lowcode:
`;

const LOW = `
org ${Place.low}
bits 16
  mov ax, ${Sel.data16}
  mov ds, ax
  mov es, ax
  mov fs, ax
  mov gs, ax
  mov ss, ax
  lidt [ivtr]
  mov eax, cr0
  and al, 0xfe
  mov cr0, eax
  jmp 0:real1
real1:
  xor ax, ax
  mov ds, ax
  mov ss, [${Place.lowCase + CaseAt.ss}]
  mov esp, [${Place.lowCase + CaseAt.regs + 16}]
  push word [${Place.lowCase + CaseAt.eflags}]
  push word [${Place.lowCase + CaseAt.cs}]
  push word [${Place.lowCase + CaseAt.eip}]
  ${LOW_PUSH_REGS}
  mov es, [${Place.lowCase + CaseAt.es}]
  mov fs, [${Place.lowCase + CaseAt.fs}]
  mov gs, [${Place.lowCase + CaseAt.gs}]
  mov ds, [${Place.lowCase + CaseAt.ds}]
  popad
  iret
ivtr: dw 0x3ff
  dd 0
align 2
${all((v) => `stub${v}:\npush word ${v}\njmp near common`)}
common:
  pushad
  cld
  push ds
  push es
  push fs
  push gs
  mov ax, ss
  mov ds, ax
  xor ax, ax
  mov es, ax
  mov di, ${Place.lowResult}
  mov si, sp
  mov cx, 24
  rep movsw
  mov cx, 26
  rep stosw
  mov [es:${Place.lowResult + 92}], ss
  mov [es:${Place.lowResult + 96}], esp
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword ${Sel.code}:back
`;

/** At the reset vector: into protected mode, the image into RAM, and there. `size` bytes lie below 4 GiB. */
const reset = (size: number): string => `
bits 16
org 0xff00
start:
  cli
  o32 lgdt [cs:gdtr]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:0xf0000+pm
gdtr: dw 0x17
  dd 0xf0000+gdt
gdt: dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300
bits 32
pm:
  mov ax, 0x10
  mov ds, ax
  mov es, ax
  mov ss, ax
  in al, 0x92
  or al, 2
  and al, 0xfe
  out 0x92, al
  mov esi, 0x100000000-${size}
  mov edi, ${Place.image}
  mov ecx, ${size / 4}
  rep movsd
  mov eax, ${Place.image}
  jmp eax
times 0xfff0-($-$$)-0xff00 db 0
bits 16
  jmp 0xf000:0xff00
times 0x10000-($-$$)-0xff00 db 0
`;

/** Assembles the harness. */
export function harness(): Harness {
  // The real-mode part lies in the main part as bytes; each knows an address in the other, neither changes its size.
  const around = (low: Uint8Array): Assembly =>
    assemble(`${MAIN}\ndb ${[...low].join(",")}\nlowend:\nalign 4\ntables:\n`);
  const lowAt = (back: number): Assembly => assemble(LOW.replace(":back", `:${back}`));
  const low = lowAt(label(around(lowAt(0).bytes), "backpm"));
  const main = around(low.bytes);
  return {
    stubs: Array.from({ length: 256 }, (_, v) => label(main, `stub${v}`)),
    realStubs: Array.from({ length: 256 }, (_, v) => label(low, `stub${v}`)),
    doubleFault: label(main, "doublefault"),
    image: (tables, cases, dump = false, pages = []) => {
      const pagesAt = CODE_BYTES + cases.length * CaseAt.size, used = pagesAt + pages.length * PAGING_BYTES;
      if (pages.length > 0 && used > MOST_PAGED) throw new Error("more cases than page tables reach");
      const size = (Math.ceil(used / KIB64) + 1) * KIB64;
      const image = new Uint8Array(size), view = new DataView(image.buffer);
      const at = label(main, "tables") - Place.image;
      if (at + tables.length > CODE_BYTES) throw new Error("harness code and tables do not fit");
      image.set(main.bytes);
      image.set(tables, at);
      view.setUint32(label(main, "left") - Place.image, cases.length, true);
      view.setUint32(label(main, "dump") - Place.image, dump ? WINDOW_BYTES : 0, true);
      cases.forEach((one, i) => {
        const at = CODE_BYTES + i * CaseAt.size;
        image.set(one, at);
        const number = view.getUint32(at + CaseAt.paging, true);
        if (number !== 0) view.setUint32(at + CaseAt.paging, Place.image + pagesAt + (number - 1) * PAGING_BYTES, true);
      });
      pages.forEach((one, i) => image.set(one, pagesAt + i * PAGING_BYTES));
      image.set(assemble(reset(size)).bytes, size - 0x100);
      return image;
    },
  };
}

function label(assembly: Assembly, name: string): number {
  const at = assembly.labels.get(name);
  if (at === undefined) throw new Error(`harness has no label ${name}`);
  return at;
}
