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
  /** Number of the mode; see {@linkcode MODES}. */
  readonly mode: number;
  /** The first one is entered. */
  readonly blocks: readonly Block[];
}

const TRANSFERS = new Set([
  ...["jcc", "jcxz", "loop", "loope", "loopne", "jmpRel", "jmpInd", "callRel", "callInd", "ret", "enter"],
]);

/** The program of a seed. */
export function generate(seed: number): Program {
  const r = new Prng(seed);
  const mode = r.below(5) < 2 ? 1 + r.below(MODES.length - 1) : 0;
  const starts = [...Array(4 + r.below(8)).keys()].map((i) => 0x4f00 + i * 0x40 + r.below(8));
  const blocks = starts.map((at): Block => {
    const parts: Part[] = [];
    const isQuiet = r.below(3) === 0, count = r.below(isQuiet ? 12 : 5);
    for (let i = 0; i < count; i++) parts.push({ bytes: isQuiet ? quiet(r) : programOf(r, 1, TRANSFERS) });
    if (r.below(6) === 0) parts.push({ bytes: patch(r, starts, mode) });
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
  return { seed, mode, blocks };
}

/** Instructions between registers that cannot leave a region: opcode bytes, and whether ModRM.reg is part of them. */
const QUIET: readonly (readonly [bytes: readonly number[], digit: number])[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].flatMap((op) => [0, 1, 2, 3].map((form) => [[op * 8 + form], -1] as const)),
  ...[0, 1, 2, 3, 4, 5, 7].map((digit) => [[0xd1], digit] as const),
  ...[2, 3].map((digit) => [[0xf7], digit] as const),
  ...[0, 1].map((digit) => [[0xfe], digit] as const),
  ...[0xa3, 0xab, 0xaf, 0xb3, 0xb6, 0xbb, 0xbe, 0xbc, 0xc1].map((second) => [[0x0f, second], -1] as const),
];

/** One instruction of registers and flags, ESP left alone. */
function quiet(r: Prng): number[] {
  const register = (): number => r.pick([0, 1, 2, 3, 5, 6, 7]),
    modrm = (reg: number): number => 0xc0 | reg * 8 | register();
  const prefix = r.below(8) === 0 ? [0x66] : [];
  switch (r.below(8)) {
    case 0:
      return [...prefix, r.pick([0x40, 0x48]) + register()];
    case 1:
      return [r.pick([0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0x27, 0x37])];
    case 2:
      return [...prefix, r.pick([0xc0, 0xc1]), modrm(r.pick([0, 1, 2, 3, 4, 5, 7])), r.pick([0, 1, 31, r.below(33)])];
    case 3:
      return [0x0f, 0x40 + r.below(16), modrm(register())];
    case 4:
      return [0x0f, 0x90 + r.below(16), modrm(0)];
    default: {
      const [bytes, digit] = r.pick(QUIET);
      return [...prefix, ...bytes, modrm(digit < 0 ? register() : digit)];
    }
  }
}

/** MOV of a byte or register into code. */
function patch(r: Prng, starts: readonly number[], mode: number): number[] {
  const near = nearOf(mode), at = r.pick(starts) + r.below(12) - MODES[mode].segments[2][0];
  const address = [at & 0xff, (at >> 8) & 0xff, 0, 0].slice(0, near), modrm = near === 2 ? 6 : 5;
  return r.below(2) === 0 ? [0xc6, modrm, ...address, r.u32() & 0xff] : [0x88, modrm + 8 * r.below(4), ...address];
}

/** Bytes of a near displacement. */
function nearOf(mode: number): number {
  return MODES[mode].segments[0][2] ? 4 : 2;
}

function bytesOf({ at, parts }: Block, mode: number): number[] {
  const bytes: number[] = [];
  for (const { bytes: own, target } of parts) {
    bytes.push(...own);
    if (target === undefined) continue;
    const near = nearOf(mode), distance = target - (at + bytes.length + near);
    bytes.push(...[0, 8, 16, 24].slice(0, near).map((s) => (distance >> s) & 0xff));
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
  for (const block of program.blocks) space.writePhysical(block.at, Uint8Array.from(bytesOf(block, program.mode)));
  setMode(cpu, MODES[program.mode]);
  for (let n = 0; n < 8; n++) {
    s.setReg32(n, r.pick([r.below(3), r.below(64), 0x3000 + r.below(0x1000), 0x8000 + r.below(0x100), r.u32() | 0]));
  }
  s.setReg32(4, 0xa000 + r.below(5));
  writeEflags(s, (r.u32() & 0x8d5) | 2);
  cpu.set("eip", program.blocks[0].at - MODES[program.mode].segments[0][0]);
}

/** The program in hex, a line a block. */
export function listing({ seed, mode, blocks }: Program): string {
  const hex = (bytes: readonly number[]): string => bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
  const lines = blocks.map((b) => `  0x${b.at.toString(16)}: ${hex(bytesOf(b, mode))}`);
  return [`data of seed ${seed}, ${MODES[mode].name}`, ...lines].join("\n");
}
