/**
 * Code that changes for as long as one likes: functions are written, called, patched and replaced all over some pages,
 * pieces of code are copied over one another, loops are written anew and run until they are translated. What the host's
 * memory does meanwhile is measured. Cold.
 */
import { asm, i386, machine, MiB, ram } from "../../mod.ts";

/** The process at some moment. */
export interface Sample {
  /** Instructions executed. */
  readonly instructions: number;
  /** Resident bytes. */
  readonly resident: number;
  /** Modules made so far. */
  readonly made: number;
  /** Those of them that the garbage collector has not taken. */
  readonly alive: number;
}

/** Memory of the process over a run. */
export interface Growth {
  /** Instructions executed. */
  readonly instructions: number;
  /** Resident bytes after the first third of the run. */
  readonly early: number;
  /** The most seen after that. */
  readonly late: number;
  /** Moments at equal distances. */
  readonly samples: readonly Sample[];
}

/**
 * Writes little functions by a pseudo-random sequence over 256 KiB, calls each some times, patches it and calls again;
 * copies one of four pieces of code over the last one and calls it; now and then writes a loop of a random operation and
 * runs it for long.
 */
const PROGRAM = asm`
  again: imul edx, edx, 1664525
         add edx, 1013904223
         mov edi, edx
         shr edi, 14
         and edi, 0x3fff0
         add edi, 0x100000
         mov byte [edi], 0xb8
         mov [edi+1], edx
         mov dword [edi+5], 0xc3d8014b
         mov ebp, 40
  calls: call edi
         dec ebp
         jnz calls
         mov [edi+2], dl
         call edi
         mov esi, edx
         shr esi, 20
         and esi, 48
         add esi, pieces
         mov edi, 0x150000
         mov ecx, 4
         rep movsd
         mov edi, 0x150000
         call edi
         test edx, 0x3f00000
         jnz again
         mov edi, edx
         shr edi, 14
         and edi, 0x3fff0
         add edi, 0x180000
         mov byte [edi], 0xb9 ; mov ecx, 3000; turn: add eax, ebx; dec ecx; jnz turn; ret
         mov dword [edi+1], 3000
         mov dword [edi+5], 0x7549d801
         mov word [edi+9], 0xc3fb
         mov eax, edx
         and eax, 0x38000000
         shr eax, 24
         or [edi+5], al ; another operation
         call edi
         jmp again
  pieces: times 5 add eax, 3
         ret
         times 5 sub eax, 7
         ret
         times 5 xor eax, 9
         ret
         times 3 imul eax, eax, 0x11
         times 6 nop
         ret
`;

/** Runs for so many slices of a million instructions; `resident` tells the bytes of the process, `tell` hears ten times. */
export async function change(
  slices: number,
  resident: () => number,
  threshold: number,
  tell: (sample: Sample) => void = () => {},
): Promise<Growth> {
  const counts = { made: 0, alive: 0 }, { Module } = WebAssembly;
  const registry = new FinalizationRegistry(() => counts.alive--);
  WebAssembly.Module = new Proxy(Module, {
    construct(target, args: [BufferSource]): WebAssembly.Module {
      const module = new target(...args);
      counts.made++;
      counts.alive++;
      registry.register(module, undefined);
      return module;
    },
  });
  try {
    return await run(slices, resident, threshold, () => ({ ...counts }), tell);
  } finally {
    WebAssembly.Module = Module;
  }
}

async function run(
  slices: number,
  resident: () => number,
  threshold: number,
  counts: () => { readonly made: number; readonly alive: number },
  tell: (sample: Sample) => void,
): Promise<Growth> {
  const m = machine({ cpu: i386({ engine: "jit", jit: { threshold } }), memory: [ram({ at: 0, size: 2 * MiB })] });
  m.load(0x1000, PROGRAM);
  m.cpu.set("esp", 0xf0000);
  const distance = Math.max(1, Math.floor(slices / 10));
  let early = 0, late = 0;
  const samples: Sample[] = [];
  for (let n = 0; n < slices; n++) {
    const stop = m.run({ instructions: 1_000_000 }), bytes = resident();
    if (stop.kind !== "budget") throw new Error(`The program ended: ${stop.kind}`);
    if (n < slices / 3) early = Math.max(early, bytes);
    else late = Math.max(late, bytes);
    if ((n + 1) % distance === 0) {
      await new Promise((resolve) => setTimeout(resolve)); // the garbage collector's news come between
      const sample = { instructions: m.cpu.instructions, resident: bytes, ...counts() };
      samples.push(sample);
      tell(sample);
    }
  }
  return { instructions: m.cpu.instructions, early, late, samples };
}
