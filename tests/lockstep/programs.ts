/**
 * Random programs for running two engines in lockstep: blocks of random instructions over two pages, joined by random
 * jumps, branches, calls and returns, with writes into their own code. A program is a list of parts that can be left out
 * one by one, so that a failing one shrinks. Cold.
 */
import { Prng } from "../../lib/base/prng.ts";
import { writeEflags } from "../../lib/cpu/i386/flags.ts";
import { programOf } from "../unit/cpu/i386/random_program.ts";
import { MODES, type Rig, setMode } from "../unit/cpu/i386/rig.ts";

/** Bytes that execution may be without: one instruction, or a transfer at the end of a block. */
export interface Part {
  /** The instruction; of a transfer its opcode, the displacement follows from where it lies. */
  readonly bytes: readonly number[];
  /** Address a transfer leads to. */
  readonly target?: number;
}

/** A block: where it lies, and its parts. */
export interface Block {
  /** Address of its first byte. */
  readonly at: number;
  /** In order; the last one is a jump. */
  readonly parts: readonly Part[];
}

/** A program. */
export interface Program {
  /** Seed of registers, flags and data. */
  readonly seed: number;
  /** The first one is entered. */
  readonly blocks: readonly Block[];
}

const TRANSFERS = new Set([
  ...["jcc", "jcxz", "loop", "loope", "loopne", "jmpRel", "jmpInd", "callRel", "callInd", "ret", "enter"],
]);

/** The program of a seed. */
export function generate(seed: number): Program {
  const r = new Prng(seed);
  const starts = [...Array(4 + r.below(8)).keys()].map((i) => 0x4f00 + i * 0x40 + r.below(8));
  const blocks = starts.map((at): Block => {
    const parts: Part[] = [];
    const count = r.below(5);
    for (let i = 0; i < count; i++) parts.push({ bytes: programOf(r, 1, TRANSFERS) });
    if (r.below(6) === 0) parts.push({ bytes: patch(r, starts) });
    const far = (bytes: number[]): void => void parts.push({ bytes, target: r.pick(starts) });
    const n = r.below(10);
    if (n < 4) far([0x0f, 0x80 + r.below(16)]);
    else if (n < 5) parts.push({ bytes: [0xe2, (0x100 - r.below(0x20)) & 0xff] });
    else if (n < 7) far([0xe8]);
    else if (n < 8) parts.push({ bytes: [0xc3] });
    if (n < 6) far([0x0f, 0x80 + r.below(16)]);
    far([0xe9]);
    return { at, parts };
  });
  return { seed, blocks };
}

/** MOV of a byte or register into code. */
function patch(r: Prng, starts: readonly number[]): number[] {
  const at = r.pick(starts) + r.below(12), address = [at & 0xff, at >> 8, 0, 0];
  return r.below(2) === 0 ? [0xc6, 0x05, ...address, r.u32() & 0xff] : [0x88, 0x05 + 8 * r.below(4), ...address];
}

function bytesOf({ at, parts }: Block): number[] {
  const bytes: number[] = [];
  for (const { bytes: own, target } of parts) {
    bytes.push(...own);
    if (target === undefined) continue;
    const distance = target - (at + bytes.length + 4);
    bytes.push(...[0, 8, 16, 24].map((s) => (distance >> s) & 0xff));
  }
  return bytes;
}

/** Puts a program and its data into a rig, and the CPU at its beginning. */
export function place(rig: Rig, program: Program): void {
  const r = new Prng(program.seed ^ 0x5eed), { cpu, space } = rig, s = cpu.state;
  cpu.reset();
  rig.bus.log.length = 0;
  space.writePhysical(0, r.bytes(0x4000));
  space.writePhysical(0x4000, new Uint8Array(0xc000));
  for (const block of program.blocks) space.writePhysical(block.at, Uint8Array.from(bytesOf(block)));
  setMode(cpu, MODES[0]);
  for (let n = 0; n < 8; n++) {
    s.setReg32(n, r.pick([r.below(3), r.below(64), 0x3000 + r.below(0x1000), 0x8000 + r.below(0x100), r.u32() | 0]));
  }
  s.setReg32(4, 0xa000 + r.below(5));
  writeEflags(s, (r.u32() & 0x8d5) | 2);
  cpu.set("eip", program.blocks[0].at);
}

/** The program in hex, a line a block. */
export function listing({ seed, blocks }: Program): string {
  const hex = (bytes: readonly number[]): string => bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  const lines = blocks.map((b) => `  0x${b.at.toString(16)}: ${hex(bytesOf(b))}`);
  return [`data of seed ${seed}`, ...lines].join("\n");
}
