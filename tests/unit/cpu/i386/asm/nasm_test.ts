/**
 * Our assembler and disassembler against nasm, over every row of the opcode table in both code sizes.
 *
 * Left out, each because nasm has no such form: MOVZX and MOVSX of a word to a word, BSWAP of a 16-bit register (the
 * manual leaves it undefined), WAIT behind another prefix (nasm takes WAIT as a prefix and writes it first), FSTPNCE.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { disassemble } from "../../../../../lib/cpu/i386/disasm.ts";
import { opcodeIndex } from "../../../../../lib/cpu/i386/opcode_index.ts";
import { hexBytes } from "../../../../../lib/base/hex.ts";
import { assertEquals, assertGreater } from "../../../../../scripts/deps/std.ts";
import { toolSync } from "../../../../guests/tool.ts";
import { EVERYTHING, nasmLines, type RowText, rowTexts } from "../../../../oracle/nasm.ts";
import { OPS } from "../../../../../lib/spec/i386_ops.ts";

const nasm = toolSync("nasm");
const SHAPES = 6;
const why = nasm.available ? "" : ` (${nasm.reason})`;

function hasNoForm({ text }: RowText): boolean {
  return /mov[zs]x (ax|bx|cx|dx|sp|bp|si|di),(word|ax|bx|cx|dx|sp|bp|si|di)/.test(text) ||
    /bswap (ax|bx|cx|dx|sp|bp|si|di)/.test(text) || / wait/.test(text) || text.includes("fstpnce");
}

function encode(text: string, origin: number, bits: 16 | 32): string {
  try {
    return hexBytes(assemble(text, { origin, bits }).bytes);
  } catch (error) {
    return String(error);
  }
}

for (const bits of [32, 16] as const) {
  Deno.test({
    name: `assemble agrees with nasm about every row of the table, ${bits}-bit code${why}`,
    ignore: !nasm.available,
    fn() {
      if (!nasm.available) return;
      const texts = rowTexts(new Prng(bits), bits === 32, SHAPES);
      const { bytes, messages } = nasmLines(nasm.path, texts.map((t) => hasNoForm(t) ? "nop" : t.text), bits);
      const wrong: string[] = [];
      let compared = 0;
      texts.forEach((one, i) => {
        if (hasNoForm(one)) return;
        compared++;
        const theirs = bytes[i] === undefined ? `nasm: ${messages.get(i)}` : hexBytes(bytes[i] ?? new Uint8Array(0));
        const ours = encode(one.text, i * 32, bits);
        if (ours !== theirs) wrong.push(`${one.text}: ${ours}, nasm ${theirs}`);
      });
      assertEquals(wrong, []);
      assertGreater(compared, OPS.length * 4);
      assertEquals(new Set(texts.map((t) => t.row)).size > OPS.length * 0.97, true);
    },
  });

  Deno.test({
    name: `disassemble writes what nasm turns into the same bytes, ${bits}-bit code${why}`,
    ignore: !nasm.available,
    fn() {
      if (!nasm.available) return;
      const texts = rowTexts(new Prng(bits + 1), bits === 32, SHAPES).filter((t) => !hasNoForm(t));
      const first = nasmLines(nasm.path, texts.map((t) => t.text), bits).bytes;
      const index = opcodeIndex(EVERYTHING);
      const again = first.map((b, i) => {
        const one = disassemble(b ?? new Uint8Array(0), 0, b?.length ?? 0, i * 32, bits === 32, index);
        return one.length === b?.length ? one.text : `length ${one.length} of ${b?.length}`;
      });
      const second = nasmLines(nasm.path, again, bits);
      const wrong: string[] = [];
      first.forEach((b, i) => {
        const got = second.bytes[i];
        const same = b !== undefined && got !== undefined && hexBytes(b) === hexBytes(got);
        if (!same) wrong.push(`${texts[i].text}: ${again[i]} ${second.messages.get(i) ?? ""}`);
      });
      assertEquals(wrong, []);
    },
  });
}
