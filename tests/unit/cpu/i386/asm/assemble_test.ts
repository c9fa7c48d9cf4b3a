/** The assembler alone: directives, labels, sizes of jumps, errors. Agreement with nasm is tested beside this file. */
import { hexBytes } from "../../../../../lib/base/hex.ts";
import { assemble, type AssembleOptions } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { asm, asm16 } from "../../../../../lib/cpu/i386/asm/template.ts";
import { ConfigError } from "../../../../../lib/core/errors.ts";
import { minikernelSource } from "../../../../../lib/guests/minikernel/source.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../../../../scripts/deps/std.ts";
import { toolSync } from "../../../../guests/tool.ts";

function bytes(source: string, options?: AssembleOptions): string {
  return hexBytes(assemble(source, options).bytes).replaceAll(" ", "");
}

function code(source: string): string {
  const error = assertThrows(() => assemble(source), ConfigError);
  return error.code;
}

Deno.test("asm assembles the first script of the manual", () => {
  const { bytes: b, bits } = asm`
    mov eax, ${40}
    add eax, 2
    hlt
  `;
  assertEquals([...b], [0xb8, 40, 0, 0, 0, 0x83, 0xc0, 2, 0xf4]);
  assertEquals(bits, 32);
  assertEquals([...asm16`mov eax, ${-1}`.bytes], [0x66, 0xb8, 0xff, 0xff, 0xff, 0xff]);
});

Deno.test("asm assembles again for another origin", () => {
  const source = asm`start: mov eax, start`;
  assertEquals([...source.bytes], [0xb8, 0, 0, 0, 0]);
  assertEquals([...source.at(0x7c00).bytes], [0xb8, 0, 0x7c, 0, 0]);
});

Deno.test("assemble makes jumps as short as they can be", () => {
  assertEquals(bytes("a: jmp b\ntimes 127 nop\nb: hlt").slice(0, 4), "eb7f");
  assertEquals(bytes("a: jmp b\ntimes 128 nop\nb: hlt").slice(0, 10), "e980000000");
  assertEquals(bytes("a: times 126 nop\njz a").slice(-4), "7480");
  assertEquals(bytes("a: times 127 nop\njz a").slice(-12), "0f847bffffff");
});

Deno.test("assemble keeps local labels under the last global one", () => {
  const { labels } = assemble("one:\n.x: nop\ntwo:\n.x: jmp .x\njmp one.x");
  assertEquals([labels.get("one.x"), labels.get("two.x")], [0, 1]);
});

Deno.test("assemble knows data, EQU, ORG, ALIGN, TIMES and RESB", () => {
  assertEquals(
    bytes('db 1, -1, "ab", 0\ndw 0x1234\ndd 1 << 31\ndq -2'),
    "01ff6162003412" + "00000080" + "feffffffffffffff",
  );
  assertEquals(bytes("size equ end - start\nstart: dd 0\nend: db size"), "0000000004");
  assertEquals(bytes("org 0x100\nx: dw x, $, $$"), "000100010001");
  assertEquals(bytes("db 1\nalign 4, db 0xee\ndb 2\nresb 2"), "01eeeeee020000");
  assertEquals(bytes("db 1\ntimes 4-($-$$) db 7"), "01070707");
});

Deno.test("assemble evaluates as nasm does", () => {
  assertEquals(
    bytes("dd 2 + 3 * 4, (2 + 3) * 4, 7 / 2, 7 % 4, ~0 & 0ffh, 1 | 6 ^ 2, 0b101, 101b, 'ab', 1_000"),
    [
      ...["0e000000", "14000000", "03000000", "03000000", "ff000000", "05000000", "05000000", "05000000"],
      ...["61620000", "e8030000"],
    ].join(""),
  );
});

Deno.test("assemble says where each line went", () => {
  assertEquals(assemble("nop\n\nx: int3\n db 1,2", { origin: 0x10 }).lines, [
    { line: 1, address: 0x10, length: 1 },
    { line: 3, address: 0x11, length: 1 },
    { line: 4, address: 0x12, length: 2 },
  ]);
});

Deno.test("assemble reports mistakes with line, column and the line", () => {
  const error = assertThrows(() => assemble("nop\n  mov eax, [ebx + ]"), ConfigError);
  assertEquals(error.code, "asm-syntax");
  assertStringIncludes(error.message, "Line 2, column 19");
  assertStringIncludes(error.message, "mov eax, [ebx + ]");
  assertEquals(code("frobnicate eax"), "asm-mnemonic");
  assertEquals(code("mov eax, bl"), "asm-operands");
  assertEquals(code("inc [eax]"), "asm-size");
  assertEquals(code("mov al, 300"), "asm-range");
  assertEquals(code("jmp nowhere"), "asm-symbol");
  assertEquals(code("a:\na:"), "asm-label");
  assertEquals(code("a equ b + 1\nb equ a + 1\ndb 0"), "asm-passes");
  assertEquals(code("mov eax, [esp*2]"), "asm-syntax");
  assertEquals(code("jmp short $+1000"), "asm-range");
});

const nasm = toolSync("nasm");

Deno.test({
  name: `assemble makes of the minikernel what nasm makes of it${nasm.available ? "" : ` (${nasm.reason})`}`,
  ignore: !nasm.available,
  async fn() {
    if (!nasm.available) return;
    const folder = await Deno.makeTempDir({ prefix: "vmikit-asm-" });
    try {
      const source = `org 0xC0100000\nbits 32\n${minikernelSource()}`;
      await Deno.writeTextFile(`${folder}/a.asm`, source);
      const { success } = await new Deno.Command(nasm.path, { args: ["-o", "a.bin", "a.asm"], cwd: folder }).output();
      assertEquals(success, true);
      assertEquals(assemble(source).bytes, await Deno.readFile(`${folder}/a.bin`));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

Deno.test("assemble makes displacements short also when their names come later, and keeps those of labels long", () => {
  assertEquals(bytes("mov eax, [ebx+N]\nN equ 8"), "8b4308");
  assertEquals(bytes("mov eax, [ebx+esi*2+N]\nN equ -128"), "8b447380");
  assertEquals(bytes("mov eax, [ebx+N]\nN equ 0"), "8b03");
  assertEquals(bytes("mov eax, [ebx+N]\nN equ 128"), "8b8380000000");
  assertEquals(bytes("lea esi, [eax+b-a]\na: nop\nb:"), "8d700190");
  assertEquals(bytes("mov eax, [ebx+a]\na:"), "8b8306000000");
  assertEquals(bytes("mov ax, [bx+N]\nN equ 8", { bits: 16 }), "8b4708");
});
