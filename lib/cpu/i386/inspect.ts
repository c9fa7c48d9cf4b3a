/**
 * Looking without touching: translation and disassembly that set no accessed bit, fill no TLB and fire no hook. Cold.
 */
import { type AddressSpace, PageBit } from "../../memory/address_space.ts";
import { Cr0 } from "../../spec/i386_regs.ts";
import { ModeBit } from "./state.ts";
import { disassemble } from "./disasm.ts";
import type { I386Cpu } from "./cpu.ts";
import { type PhysicalWords, walk, WalkResult } from "./mmu.ts";
import { Layout } from "./state.ts";

const LONGEST = 15;

const result: WalkResult = new WalkResult();
const readers: WeakMap<AddressSpace, PhysicalWords> = new WeakMap();

/** Page tables of an address space, read without any effect; outside RAM and ROM all ones. */
function reader(space: AddressSpace): PhysicalWords {
  let words = readers.get(space);
  if (words === undefined) {
    words = {
      read32: (phys) => {
        const entry = phys < 0x1_0000_0000 ? space.pages[phys >>> 12] : 0;
        if ((entry & (PageBit.ram | PageBit.rom)) === 0) return -1;
        return space.view.getInt32((entry & ~0xfff) + (phys & 0xfff), true);
      },
      write32: () => {},
    };
    readers.set(space, words);
  }
  return words;
}

/** Physical address of a linear one as supervisor reads it, or -1; under a monitor that of the guest's own tables. */
export function peekTranslate(cpu: I386Cpu, linear: number): number {
  const { interceptor } = cpu;
  return interceptor?.translate === undefined ? realTranslate(cpu, linear) : interceptor.translate(linear);
}

/** The same by the real page tables. */
export function realTranslate(cpu: I386Cpu, linear: number): number {
  if ((cpu.state.get(Layout.cr0) & Cr0.pg) === 0) return linear >>> 0;
  const found = walk(reader(cpu.board.space), cpu.state, linear, false, false, false, result);
  return found ? result.frame + (linear & 0xfff) : -1;
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
