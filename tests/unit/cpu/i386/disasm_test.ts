/** Texts of the disassembler; that nasm takes them back is tested in asm/nasm_test.ts. */
import { disassemble } from "../../../../lib/cpu/i386/disasm.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

function text(hex: string, is32 = true, address = 0): string {
  const bytes = Uint8Array.from(hex.split(" "), (b) => parseInt(b, 16));
  const one = disassemble(bytes, 0, bytes.length, address, is32);
  return `${one.text} (${one.length})`;
}

Deno.test("disassemble writes sizes where nothing else tells them", () => {
  assertEquals(text("c7 40 04 01 00 00 00"), "mov dword [eax+4],1 (7)");
  assertEquals(text("89 48 fc"), "mov [eax-4],ecx (3)");
  assertEquals(text("d3 20"), "shl dword [eax],cl (2)");
  assertEquals(text("0f b6 03"), "movzx eax,byte [ebx] (3)");
});

Deno.test("disassemble writes targets as addresses", () => {
  assertEquals(text("eb fe", true, 0x1000), "jmp short 0x1000 (2)");
  assertEquals(text("0f 84 00 00 00 00", true, 0x1000), "jz near 0x1006 (6)");
  assertEquals(text("e8 fb ff", false, 2), "call 0 (3)");
  assertEquals(text("ea 00 7c 00 00 08 00"), "jmp 8:0x7c00 (7)");
});

Deno.test("disassemble writes prefixes that no operand shows", () => {
  assertEquals(text("f3 66 a5"), "rep movsw (3)");
  assertEquals(text("64 f2 ae"), "repne fs scasb (3)");
  assertEquals(text("f0 0f b1 0b"), "lock cmpxchg [ebx],ecx (4)");
  assertEquals(text("66 c3"), "o16 ret (2)");
  assertEquals(text("67 e2 00"), "a16 loop 3 (3)");
  assertEquals(text("64 a1 00 00 00 00"), "mov eax,[fs:0] (6)");
});

Deno.test("disassemble writes db for what is no instruction", () => {
  assertEquals(text("0f ff"), "db 0xf (1)");
  assertEquals(text("0f 0a"), "db 0xf (1)");
});
