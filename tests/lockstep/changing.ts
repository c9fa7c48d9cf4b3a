/**
 * Code that changes for as long as one likes: functions are written, called, patched and replaced all over some pages.
 * What the host's memory does meanwhile is measured. Cold.
 */
import { asm, i386, machine, MiB, ram } from "../../mod.ts";

/** Memory of the process at some moments. */
export interface Growth {
  /** Instructions executed. */
  readonly instructions: number;
  /** Resident bytes after the first third of the run. */
  readonly early: number;
  /** The most seen after that. */
  readonly late: number;
}

/** Writes little functions by a pseudo-random sequence over 256 KiB, calls each some times, patches it and calls again. */
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
         jmp again
`;

/** Runs for so many slices of a million instructions; `resident` tells the bytes of the process. */
export function change(slices: number, resident: () => number, threshold: number): Growth {
  const m = machine({ cpu: i386({ engine: "jit", jit: { threshold } }), memory: [ram({ at: 0, size: 2 * MiB })] });
  m.load(0x1000, PROGRAM);
  let early = 0, late = 0;
  for (let n = 0; n < slices; n++) {
    const stop = m.run({ instructions: 1_000_000 });
    if (stop.kind !== "budget") throw new Error(`The program ended: ${stop.kind}`);
    if (n < slices / 3) early = Math.max(early, resident());
    else late = Math.max(late, resident());
  }
  return { instructions: m.cpu.instructions, early, late };
}
