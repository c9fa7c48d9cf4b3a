/**
 * Speed of x87, MMX and SSE code, as CPU milliseconds a million guest instructions: `deno bench`, or as a script
 * (deno run -A tests/bench/x87_bench.ts [engine ...]) the least of several repetitions side by side, in process CPU time.
 */
import process from "node:process";
import { asm, type AsmSource } from "../../lib/cpu/i386/asm/template.ts";
import { type EngineName, i386 } from "../../lib/cpu/i386/factory.ts";
import type { Machine } from "../../lib/machine/machine.ts";
import { machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";

/** Instructions of one iteration. */
const INSTRUCTIONS = 1_000_000;
/** Where the numbers lie. */
const DATA = 0x1_0000;

/** Loops that never end; EBX points at doubles near one. */
export const LOOPS: Readonly<Record<string, AsmSource>> = {
  "multiply and add, registers": asm`
           fninit
           fld1
           fld qword [ebx+0x3ff8]
    again: fmul st1, st0
           fadd st1, st0
           fxch st1
           fxch st1
           jmp again`,
  "dot product, m64": asm`
           fninit
    outer: mov esi, ebx
           mov ecx, 256
           fldz
    again: fld qword [esi]
           fmul qword [esi+0x1000]
           faddp st1, st0
           add esi, 8
           dec ecx
           jnz again
           fstp qword [ebx+0x4000]
           jmp outer`,
  "n-body step": asm`
           fninit
    outer: mov esi, ebx
           mov ecx, 64
    again: fld qword [esi]
           fsub qword [esi+24]
           fld qword [esi+8]
           fsub qword [esi+32]
           fld qword [esi+16]
           fsub qword [esi+40]
           fld st2
           fmul st0, st3
           fld st2
           fmul st0, st3
           faddp st1, st0
           fld st1
           fmul st0, st2
           faddp st1, st0
           fld st0
           fsqrt
           fmulp st1, st0
           fdivr qword [ebx+0x2000]
           fmul st1, st0
           fmul st2, st0
           fmulp st3, st0
           fadd qword [esi+0x3000]
           fstp qword [esi+0x4000]
           fadd qword [esi+0x3008]
           fstp qword [esi+0x4008]
           fadd qword [esi+0x3010]
           fstp qword [esi+0x4010]
           add esi, 48
           dec ecx
           jnz again
           jmp outer`,
  "Horner polynomial": asm`
           fninit
           fld qword [ebx]
    outer: fld1
           fmul st0, st1
           fadd qword [ebx+8]
           fmul st0, st1
           fadd qword [ebx+16]
           fmul st0, st1
           fadd qword [ebx+24]
           fmul st0, st1
           fadd qword [ebx+32]
           fstp qword [ebx+0x4000]
           jmp outer`,
  "integers to floats and back": asm`
           fninit
           fnstcw word [ebx+0x4000]
           mov word [ebx+0x4002], 0xf7f
    again: fild dword [ebx+0x4010]
           fmul qword [ebx]
           fldcw word [ebx+0x4002]
           fistp dword [ebx+0x4020]
           fldcw word [ebx+0x4000]
           inc dword [ebx+0x4010]
           jmp again`,
  "compare and branch": asm`
           fninit
           fld qword [ebx]
           fld qword [ebx+8]
    again: fcom st1
           fnstsw ax
           test ah, 1
           jz over
           fxch st1
    over:  fucomi st0, st1
           ja again
           fxch st1
           jmp again`,
  "SSE2 daxpy": asm`
    outer: mov esi, ebx
           mov ecx, 256
           movsd xmm7, [ebx+8]
           unpcklpd xmm7, xmm7
    again: movapd xmm0, [esi]
           mulpd xmm0, xmm7
           addpd xmm0, [esi+0x1000]
           movapd [esi+0x4000], xmm0
           add esi, 16
           dec ecx
           jnz again
           jmp outer`,
  "SSE2 scalar dot product": asm`
    outer: mov esi, ebx
           mov ecx, 256
           xorpd xmm1, xmm1
    again: movsd xmm0, [esi]
           mulsd xmm0, [esi+0x1000]
           addsd xmm1, xmm0
           add esi, 8
           dec ecx
           jnz again
           jmp outer`,
  "MMX blend": asm`
    outer: mov esi, ebx
           mov ecx, 256
    again: movq mm0, [esi]
           movq mm1, [esi+0x1000]
           movq mm2, mm0
           punpcklbw mm0, mm1
           punpckhbw mm2, mm1
           psrlw mm0, 1
           psrlw mm2, 1
           pmullw mm0, mm1
           packuswb mm0, mm2
           paddusb mm0, mm1
           movq [esi+0x4000], mm0
           add esi, 8
           dec ecx
           jnz again
           emms
           jmp outer`,
};

/** Allows SSE. */
const ENABLE = asm`
  mov eax, cr4
  or eax, 0x600
  mov cr4, eax
  jmp $+0x35`;

function prepare(engine: EngineName, code: AsmSource): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })] });
  m.load(0x8_0000, ENABLE);
  m.load(0x8_0040, code);
  m.cpu.set("esp", 0x7_0000);
  m.cpu.set("ebx", DATA);
  const data = new DataView(new ArrayBuffer(0x4000));
  for (let n = 0; n < 0x4000; n += 8) data.setFloat64(n, 1 + ((n * 37) & 1023) / 997, true);
  data.setFloat64(0x3ff8, 0.7, true);
  m.load(DATA, new Uint8Array(data.buffer));
  m.run({ instructions: 4 });
  return m;
}

function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Least CPU milliseconds a million instructions. */
function least(m: Machine): number {
  m.run({ instructions: 3 * INSTRUCTIONS });
  let best = Infinity;
  for (let n = 0; n < 7; n++) {
    const start = cpuTime();
    m.run({ instructions: INSTRUCTIONS });
    best = Math.min(best, cpuTime() - start);
  }
  return best;
}

if (import.meta.main) {
  const engines = (Deno.args.length === 0 ? ["interpreter", "jit"] : Deno.args) as EngineName[];
  for (const [name, code] of Object.entries(LOOPS)) {
    const figures = engines.map((engine) => `${engine} ${least(prepare(engine, code)).toFixed(1)}`);
    console.log(`${name.padEnd(30)} ${figures.join("   ")} ms a million instructions`);
  }
} else {
  for (const [name, code] of Object.entries(LOOPS)) {
    const m = prepare("interpreter", code);
    m.run({ instructions: 3 * INSTRUCTIONS });
    Deno.bench({ name: `${name}, 1 M instructions`, fn: () => void m.run({ instructions: INSTRUCTIONS }) });
  }
}
