/**
 * Small programs that benchmarks run everywhere: here, in other emulators, on the host CPU. Each is a function in nasm's
 * language: ECX holds how often its work is done, data lie from {@linkcode DATA} on, nothing else is touched. Cold.
 */

/** Where the data of the programs lie, 64 KiB of them. */
export const DATA = 0x20_0000;

/** Where machine code from elsewhere lies, 256 KiB at most; its own data from {@linkcode DATA} on, 1 MiB at most. */
export const LINKED = 0x11_0000;

/** A program. */
export interface Kernel {
  /** For tables. */
  readonly name: string;
  /** What it mostly does; `code`: it changes its own code; `short`: a job that ends before translators have earned much. */
  readonly kind: "integer" | "x87" | "code" | "short";
  /** Its source. */
  readonly source: string;
  /** It returns in EAX how often its result was not the known one. */
  readonly checked?: true;
  /** Guest instructions of one run, about; default: by kind. */
  readonly work?: number;
  /** Machine code that lies at {@linkcode LINKED}, called by the source. */
  readonly linked?: Uint8Array;
}

/** Repeats a body ECX times; the body may use all registers. */
function loop(body: string, after = ""): string {
  return `again: push ecx\n${body}\npop ecx\ndec ecx\njnz again\nret\n${after}`;
}

/** As {@linkcode loop} for a body that leaves in EAX, 0 or 1, whether its result was wrong; the body keeps EBP. */
export function checkedLoop(body: string, after = ""): string {
  return `again: xor ebp, ebp\nonce: push ecx\n${body}\npop ecx\nadd ebp, eax\ndec ecx\njnz once\nmov eax, ebp\nret\n${after}`;
}

const ALU = `
again: lea eax, [eax+ebx*2+7]
       xor ebx, eax
       rol eax, 5
       sub edx, eax
       and edx, 0xffffff
       or ebx, 1
       dec ecx
       jnz again
       ret`;

const SIEVE = loop(`
       mov edi, ${DATA}
       mov ecx, 8192
       mov al, 1
       rep stosb
       mov esi, 2
next:  cmp byte [${DATA}+esi], 0
       je skip
       mov edi, esi
       imul edi, esi
       cmp edi, 8192
       jae found
mark:  mov byte [${DATA}+edi], 0
       add edi, esi
       cmp edi, 8192
       jb mark
skip:  inc esi
       jmp next
found:`);

const CRC = loop(`
       mov esi, ${DATA}
       mov edi, 256
       mov eax, -1
octet: movzx edx, byte [esi]
       xor eax, edx
       mov ecx, 8
bits:  shr eax, 1
       jnc even
       xor eax, 0xedb88320
even:  dec ecx
       jnz bits
       inc esi
       dec edi
       jnz octet
       mov [${DATA}], eax`);

const MATRIX = loop(`
       xor edi, edi
row:   xor esi, esi
col:   xor edx, edx
       xor eax, eax
       mov ebp, edi
       shl ebp, 6
inner: mov ebx, [${DATA}+ebp+edx*4]
       mov ecx, edx
       shl ecx, 6
       imul ebx, [${DATA + 0x1000}+ecx+esi*4]
       add eax, ebx
       inc edx
       cmp edx, 16
       jb inner
       mov [${DATA + 0x2000}+ebp+esi*4], eax
       inc esi
       cmp esi, 16
       jb col
       inc edi
       cmp edi, 16
       jb row`);

const FIB = loop(
  `
       mov eax, 14
       call fib`,
  `
fib:   cmp eax, 2
       jb leaf
       push eax
       dec eax
       call fib
       pop edx
       push eax
       lea eax, [edx-2]
       call fib
       pop edx
       add eax, edx
leaf:  ret`,
);

const SORT = loop(`
       xor esi, esi
fill:  imul ebx, ebx, 1103515245
       add ebx, 12345
       mov [${DATA}+esi*4], ebx
       inc esi
       cmp esi, 64
       jb fill
       mov edi, 63
pass:  xor esi, esi
pair:  mov eax, [${DATA}+esi*4]
       mov edx, [${DATA + 4}+esi*4]
       cmp eax, edx
       jle keep
       mov [${DATA}+esi*4], edx
       mov [${DATA + 4}+esi*4], eax
keep:  inc esi
       cmp esi, edi
       jb pair
       dec edi
       jnz pass`);

const GCD = loop(`
       imul ebx, ebx, 69069
       inc ebx
       mov eax, ebx
       mov ecx, ebx
       shr ecx, 8
       or ecx, 1
step:  xor edx, edx
       div ecx
       mov eax, ecx
       mov ecx, edx
       test edx, edx
       jnz step`);

const STRINGS = loop(`
       mov esi, ${DATA}
       mov edi, ${DATA + 0x4000}
       mov ecx, 2048
       rep movsd
       mov edi, ${DATA + 0x4000}
       mov ecx, 1024
       mov al, 0x55
       repne scasb
       mov edi, ${DATA + 0x8000}
       mov ecx, 2048
       xor eax, eax
       rep stosd`);

/** Constants of the x87 programs, doubles as halves. */
const DOUBLES = `
x:     dd 0, 0x3fe80000 ; 0.75
c1:    dd 0, 0x3ff80000 ; 1.5
c2:    dd 0, 0xbfe00000 ; -0.5
half:  dd 0, 0x3fe00000 ; 0.5
four:  dd 0x40800000    ; 4.0, single`;

const POLYNOMIAL = loop(
  `
       fld qword [x]
       fld qword [c1]
       ${"fmul st0, st1\nfadd qword [c2]\nfmul st0, st1\nfadd qword [c1]\n".repeat(4)}
       fstp qword [${DATA}]
       fstp st0`,
  DOUBLES,
);

const MANDELBROT = loop(
  `
       fldz
       fldz
       mov edx, 50
point: fld st0
       fmul st0, st0
       fld st2
       fmul st0, st0
       fld st1
       fadd st0, st1
       fcomp dword [four]
       fnstsw ax
       test ah, 0x41
       jz outer
       fsubp st1, st0
       fadd qword [c2]
       fxch st2
       fmul st0, st1
       fadd st0, st0
       fadd qword [half]
       fstp st1
       fxch st1
       dec edx
       jnz point
       jmp close
outer: fstp st0
       fstp st0
close: fstp st0
       fstp st0`,
  DOUBLES,
);

const ROOTS = loop(`
       fild dword [esp]
       fsqrt
       fld1
       fdiv st0, st1
       fadd st0, st1
       fstp qword [${DATA}]
       fstp st0`);

/** All programs. */
export const KERNELS: readonly Kernel[] = [
  { name: "registers", kind: "integer", source: ALU },
  { name: "sieve", kind: "integer", source: SIEVE },
  { name: "checksum", kind: "integer", source: CRC },
  { name: "matrix", kind: "integer", source: MATRIX },
  { name: "recursion", kind: "integer", source: FIB },
  { name: "sort", kind: "integer", source: SORT },
  { name: "division", kind: "integer", source: GCD },
  { name: "strings", kind: "integer", source: STRINGS },
  { name: "x87 polynomial", kind: "x87", source: POLYNOMIAL },
  { name: "x87 mandelbrot", kind: "x87", source: MANDELBROT },
  { name: "x87 roots", kind: "x87", source: ROOTS },
];
