/**
 * What the disassembler writes, the assembler turns into an instruction that means the same: random instructions,
 * decoded, written, assembled, decoded again. The encoding may be a shorter one.
 */
import { hexBytes } from "../../../../../lib/base/hex.ts";
import { Prng } from "../../../../../lib/base/prng.ts";
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { decode, Decoded, DecodeStatus } from "../../../../../lib/cpu/i386/decode.ts";
import { textOf } from "../../../../../lib/cpu/i386/disasm.ts";
import { opcodeIndex } from "../../../../../lib/cpu/i386/opcode_index.ts";
import { assertEquals, assertGreater } from "../../../../../scripts/deps/std.ts";
import { EVERYTHING } from "../../../../oracle/nasm.ts";

const ADDRESS = 0x1000;

/** What an instruction means, apart from how it is encoded. */
function meaning(d: Decoded): string {
  const { row } = d;
  const sem = row.sem.replace(/\.(load|store)$/, ""); // the same between registers
  const moffs = row.operands.some((o) => o === "Ob" || o === "Ov");
  const jump = row.operands.some((o) => o[0] === "J");
  const isMem = d.isMem || moffs;
  const address = isMem ? [d.base, d.index, d.scale, d.addrSize === 16 ? d.disp & 0xffff : d.disp, d.seg] : [];
  const imm = jump
    ? (ADDRESS + d.length + d.imm) & (d.opSize === 16 ? 0xffff : -1)
    : d.opSize === 16
    ? d.imm & 0xffff
    : d.imm;
  return JSON.stringify([
    sem,
    row.cc ?? -1,
    d.opSize,
    d.width,
    d.lock,
    row.rep && d.rep,
    isMem,
    address,
    imm,
    d.imm2,
  ]);
}

for (const is32 of [true, false]) {
  Deno.test(`assemble gives back what disassemble wrote, ${is32 ? 32 : 16}-bit code`, () => {
    const rng = new Prng(is32 ? 5 : 6), index = opcodeIndex(EVERYTHING);
    const d = new Decoded();
    const wrong: string[] = [];
    let done = 0;
    for (let k = 0; k < 6000; k++) {
      const bytes = rng.bytes(16);
      if (rng.below(4) === 0) bytes[0] = rng.pick([0x66, 0x67, 0xf3, 0xf0, 0x64]);
      if (rng.below(3) === 0) bytes[1] = 0x0f;
      if (decode(bytes, 0, 16, is32, index, d) !== DecodeStatus.ok) continue;
      const text = textOf(d, ADDRESS, is32), before = meaning(d), from = hexBytes(bytes.subarray(0, d.length));
      let after: string;
      try {
        const made = assemble(text, { origin: ADDRESS, bits: is32 ? 32 : 16 }).bytes;
        after = decode(made, 0, made.length, is32, index, d) === DecodeStatus.ok ? meaning(d) : "no instruction";
      } catch (error) {
        after = String(error);
      }
      done++;
      if (before !== after) wrong.push(`${from} ${text}: ${before} ${after}`);
    }
    assertEquals(wrong.slice(0, 30), []);
    assertGreater(done, 4000);
  });
}
