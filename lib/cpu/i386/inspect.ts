/**
 * Looking without touching: translation and disassembly that set no accessed bit, fill no TLB and fire no hook. Cold.
 */
import { ModeBit } from "./state.ts";
import { disassemble } from "./disasm.ts";
import type { I386Cpu } from "./cpu.ts";
import { type PhysicalWords, walk, WalkResult } from "./mmu.ts";
import { Layout } from "./state.ts";

const LONGEST = 15;

/** Physical address of a linear one as supervisor reads it, or -1; under a monitor that of the guest's own tables. */
export function peekTranslate(cpu: I386Cpu, linear: number): number {
  const { interceptor } = cpu;
  if (interceptor?.translate !== undefined) return interceptor.translate(linear);
  const words: PhysicalWords = {
    read32: (phys) => {
      const four = new Uint8Array(4);
      cpu.board.space.readPhysical(phys, four);
      return new DataView(four.buffer).getInt32(0, true);
    },
    write32: () => {},
  };
  const out = new WalkResult();
  return walk(words, cpu.state, linear, false, false, false, out) ? out.frame + (linear & 0xfff) : -1;
}

/** Copies linear memory; returns how many bytes are mapped from the start. */
export function peekLinear(cpu: I386Cpu, linear: number, into: Uint8Array): number {
  let done = 0;
  while (done < into.length) {
    const at = (linear + done) >>> 0;
    const phys = peekTranslate(cpu, at);
    if (phys < 0) return done;
    const n = Math.min(into.length - done, 0x1000 - (at & 0xfff));
    cpu.board.space.readPhysical(phys, into.subarray(done, done + n));
    done += n;
  }
  return done;
}

/** Disassembles `count` instructions, one line each: address, bytes, text. */
export function disassembleAt(cpu: I386Cpu, linear: number, count: number): string[] {
  const lines: string[] = [];
  let at = linear >>> 0;
  const is32 = (cpu.state.get(Layout.mode) & ModeBit.code32) !== 0;
  for (let i = 0; i < count; i++) {
    const bytes = new Uint8Array(LONGEST);
    const n = peekLinear(cpu, at, bytes);
    if (n === 0) {
      lines.push("(not mapped)");
      break;
    }
    const one = disassemble(bytes.subarray(0, n), 0, n, at, is32);
    lines.push(one.text);
    at = (at + one.length) >>> 0;
  }
  return lines;
}

/** Mnemonic of the instruction at a linear address, prefixes left out. */
export function mnemonicAt(cpu: I386Cpu, linear: number): string {
  const text = disassembleAt(cpu, linear, 1)[0];
  return text.replace(/^((rep|repe|repne|repz|repnz|lock|a16|a32|o16|o32) )*/, "").split(" ")[0];
}
