/** The decoder's fields, statuses and rules of prefixes. Lengths are compared with another decoder in decode_length_test.ts. */
import { decode, Decoded, DecodeStatus } from "../../../../lib/cpu/i386/decode.ts";
import { MODELS } from "../../../../lib/cpu/i386/models.ts";
import { opcodeIndex } from "../../../../lib/cpu/i386/opcode_index.ts";
import type { ModelName } from "../../../../lib/cpu/i386/model.ts";
import { OPS } from "../../../../lib/spec/i386_ops.ts";
import { assert, assertEquals, assertStrictEquals } from "../../../../scripts/deps/std.ts";

function parse(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(" "), (b) => parseInt(b, 16));
}

function run(hex: string, is32 = true, model: ModelName = "pentium4"): { status: DecodeStatus; d: Decoded } {
  const bytes = parse(hex), d = new Decoded();
  return { status: decode(bytes, 0, bytes.length, is32, opcodeIndex(MODELS[model].features), d), d };
}

Deno.test("decode fills the address of 32-bit forms", () => {
  const { status, d } = run("8b 84 8d f0 ff ff ff");
  assertEquals(status, DecodeStatus.ok);
  assertEquals([d.base, d.index, d.scale, d.disp, d.seg, d.reg], [5, 1, 2, -16, 2, 0]);
  const none = run("8b 04 25 00 10 00 00").d;
  assertEquals([none.base, none.index, none.disp, none.seg], [8, 8, 0x1000, 3]);
  const scaled = run("8b 04 6d 00 10 00 00").d; // [ebp*2+0x1000]
  assertEquals([scaled.base, scaled.index, scaled.scale, scaled.seg], [8, 5, 1, 3]);
});

Deno.test("decode fills the address of 16-bit forms", () => {
  const { d } = run("8b 42 fe", false); // mov ax,[bp+si-2]
  assertEquals([d.base, d.index, d.disp, d.seg, d.opSize, d.addrSize], [5, 6, -2, 2, 16, 16]);
  const direct = run("64 8b 06 34 12", false).d;
  assertEquals([direct.base, direct.index, direct.disp, direct.seg, direct.segOverride], [8, 8, 0x1234, 4, 4]);
});

Deno.test("decode extends immediates as the row says", () => {
  assertEquals(run("83 c0 fe").d.imm, -2);
  assertEquals(run("80 c0 fe").d.imm, 0xfe);
  assertEquals(run("66 b8 fe ff").d.imm, 0xfffe);
  assertEquals(run("eb fe").d.imm, -2);
  assertEquals(run("66 e9 fe ff").d.imm, -2);
  const far = run("ea 78 56 34 12 08 00").d;
  assertEquals([far.imm, far.imm2], [0x12345678, 8]);
  const enter = run("c8 10 00 02").d;
  assertEquals([enter.imm, enter.imm2], [0x10, 2]);
  const moffs = run("a1 00 10 00 00").d;
  assertEquals([moffs.isMem, moffs.base, moffs.disp, moffs.seg], [false, 8, 0x1000, 3]);
});

Deno.test("decode asks for more bytes, and gives up after fifteen", () => {
  assertEquals(run("8b").status, DecodeStatus.more);
  assertEquals(run("b8 01 02 03").status, DecodeStatus.more);
  assertEquals(run("66 66 66").status, DecodeStatus.more);
  assertEquals(run(`${"66 ".repeat(14)}90`).status, DecodeStatus.ok);
  assertEquals(run(`${"66 ".repeat(15)}90`).status, DecodeStatus.tooLong);
  assertEquals(run(`${"2e ".repeat(11)}b8 01 02 03 04`).status, DecodeStatus.tooLong);
});

Deno.test("decode takes LOCK only with a memory destination that may be locked", () => {
  assertEquals(run("f0 01 08").status, DecodeStatus.ok);
  assertEquals(run("f0 01 c8").status, DecodeStatus.undefined); // register
  assertEquals(run("f0 03 08").status, DecodeStatus.undefined); // memory is the source
  assertEquals(run("f0 39 08").status, DecodeStatus.undefined); // CMP
  assertEquals(run("f0 0f c7 08").status, DecodeStatus.ok);
  assertEquals(run("f0 0f a3 08").status, DecodeStatus.undefined); // BT
  assertEquals(run("f0 90").status, DecodeStatus.undefined);
});

Deno.test("decode lets F2 and F3 win over 66 in front of SSE rows", () => {
  assertEquals(run("66 f2 0f 58 c1").d.row.mnemonic, "addsd");
  assertEquals(run("f3 f2 0f 58 c1").d.row.mnemonic, "addsd");
  assertEquals(run("f2 f3 0f 58 c1").d.row.mnemonic, "addss");
  assertEquals(run("66 0f 58 c1").d.row.mnemonic, "addpd");
  assertEquals(run("f3 90").d.row.mnemonic, "pause");
  assertEquals(run("f2 90").d.row.mnemonic, "nop");
});

Deno.test("decode knows what a model lacks", () => {
  assertEquals(run("0f c8", true, "386").status, DecodeStatus.undefined);
  assertEquals(run("0f c8", true, "486").status, DecodeStatus.ok);
  assertEquals(run("0f 31", true, "486").status, DecodeStatus.undefined);
  assertEquals(run("0f 40 c0", true, "pentium").status, DecodeStatus.undefined);
  assertEquals(run("66 0f 58 c1", true, "pentium3").status, DecodeStatus.undefined);
  assertEquals(run("0f 24 d8", true, "486").status, DecodeStatus.ok);
  assertEquals(run("0f 24 d8", true, "pentium").status, DecodeStatus.undefined);
});

Deno.test("decode ignores mod of MOV with control registers", () => {
  const { status, d } = run("0f 20 00");
  assertEquals([status, d.isMem, d.length], [DecodeStatus.ok, false, 3]);
});

Deno.test("opcodeIndex is made once per feature set", () => {
  assertStrictEquals(opcodeIndex(new Set(MODELS["486"].features)), opcodeIndex(MODELS["486"].features));
});

Deno.test("no flag is both defined and undefined in a row of the table", () => {
  for (const row of OPS) assert((row.sets & row.undef) === 0, row.mnemonic);
});

Deno.test("every model's CPUID bits agree with its feature set", () => {
  const bits = {
    tsc: 4,
    msr: 5,
    cx8: 8,
    sep: 11,
    cmov: 15,
    clflush: 19,
    mmx: 23,
    fxsr: 24,
    sse: 25,
    sse2: 26,
  } as const;
  for (const model of Object.values(MODELS)) {
    for (const [feature, bit] of Object.entries(bits)) {
      const has = [...model.features].some((f) => f === feature);
      assertEquals(((model.featureBits >>> bit) & 1) === 1, has, `${model.name} ${feature}`);
    }
    assertEquals(model.vendor.length, 12);
  }
});
