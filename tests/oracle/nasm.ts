/**
 * nasm as an oracle, and texts of every row of the opcode table to try it with. Cold.
 */
import type { Prng } from "../../lib/base/prng.ts";
import { decode, Decoded, DecodeStatus } from "../../lib/cpu/i386/decode.ts";
import { textOf } from "../../lib/cpu/i386/disasm.ts";
import { needsModrm, opcodeIndex } from "../../lib/cpu/i386/opcode_index.ts";
import { type CpuFeature, type OpRow, OPS } from "../../lib/spec/i386_ops.ts";

/** Index with every row, of any model. */
export const EVERYTHING: ReadonlySet<CpuFeature> = new Set(OPS.map((row) => row.feature));

/** What nasm made of lines of source: bytes per line, `undefined` where it reported an error. */
export interface NasmLines {
  /** Bytes by line. */
  readonly bytes: (Uint8Array | undefined)[];
  /** First message by line. */
  readonly messages: Map<number, string>;
}

/** Assembles each line at its own address with one run of nasm, from the listing. */
export function nasmLines(path: string, lines: readonly string[], bits: 16 | 32): NasmLines {
  const folder = Deno.makeTempDirSync({ prefix: "vmikit-nasm-" });
  try {
    const messages = new Map<number, string>();
    const kept = [...lines];
    for (let round = 0; round < 2; round++) {
      // Each line at a multiple of 32, so that an error moves nothing; lines that failed become empty.
      const source = kept.map((l) => `align 32, db 0\n${l}\ndb 0xcc`).join("\n");
      Deno.writeTextFileSync(`${folder}/a.asm`, `bits ${bits}\n${source}\n`);
      const { stderr } = new Deno.Command(path, { args: ["-f", "bin", "-o", "a.bin", "a.asm"], cwd: folder })
        .outputSync();
      let failed = false;
      for (const [, n, text] of new TextDecoder().decode(stderr).matchAll(/a\.asm:(\d+): error: (.*)/g)) {
        const line = Math.floor((Number(n) - 2) / 3);
        if (!messages.has(line)) messages.set(line, text);
        kept[line] = "";
        failed = true;
      }
      if (!failed) break;
    }
    const all = Deno.readFileSync(`${folder}/a.bin`);
    const bytes = lines.map((_, i) => messages.has(i) ? undefined : upToMark(all.subarray(i * 32, i * 32 + 32)));
    return { bytes, messages };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** The bytes before the last 0xcc, after which there are only zeros. */
function upToMark(slot: Uint8Array): Uint8Array {
  return slot.slice(0, slot.lastIndexOf(0xcc));
}

/** Bytes that decode to a row in one shape, or `undefined` if the draw came to another row. */
export function drawRow(row: OpRow, rng: Prng, is32: boolean, wantMemory: boolean): Uint8Array | undefined {
  const bytes: number[] = [];
  const op16 = row.opSize === undefined ? rng.below(2) === 0 : row.opSize === 16;
  const sixteen = row.prefix === undefined && op16;
  if (row.prefix !== undefined && row.prefix !== 0 && row.prefix !== 0x66) bytes.push(row.prefix);
  if (row.prefix === 0x66 || (row.prefix === undefined && sixteen === is32)) bytes.push(0x66);
  const address16 = row.addrSize === undefined ? rng.below(4) === 0 : row.addrSize === 16;
  if (address16 === is32) bytes.push(0x67);
  if (rng.below(6) === 0 && wantMemory) bytes.push(rng.pick([0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65]));
  if (row.opcode > 0xff) bytes.push(0x0f);
  bytes.push(row.opcode & 0xff);
  if (row.modrm !== undefined) bytes.push(row.modrm);
  else if (needsModrm(row)) {
    const reg = row.digit ?? rng.below(8);
    const mod = wantMemory && row.mod !== "reg" ? rng.below(3) : 3;
    bytes.push((mod << 6) | (reg << 3) | rng.below(8));
  }
  const tail = rng.bytes(15);
  if (rng.below(3) === 0) tail.fill(rng.below(2) === 0 ? 0 : 0xff, 1);
  return Uint8Array.from([...bytes, ...tail]);
}

/** A text of a row with the row it came from. */
export interface RowText {
  /** The text, at address 0 of its line. */
  readonly text: string;
  /** Row drawn. */
  readonly row: OpRow;
}

/** Texts of all rows, several shapes each; relative targets are drawn near the line. */
export function rowTexts(rng: Prng, is32: boolean, shapes: number): RowText[] {
  const index = opcodeIndex(EVERYTHING);
  const out: RowText[] = [];
  const d = new Decoded();
  OPS.forEach((row) => {
    for (let k = 0; k < shapes; k++) {
      const bytes = drawRow(row, rng, is32, k % 2 === 0);
      if (bytes === undefined || decode(bytes, 0, bytes.length, is32, index, d) !== DecodeStatus.ok) continue;
      const address = out.length * 32;
      if (row.operands.some((o) => o[0] === "J")) d.imm = rng.below(200) - 100;
      const relative = row.operands.some((o) => o[0] === "J");
      const text = textOf(d, relative ? address : 0, is32);
      if (relative && /0x[0-9a-f]{5,}$/.test(text)) continue;
      out.push({ text, row: d.row });
    }
  });
  return out;
}
