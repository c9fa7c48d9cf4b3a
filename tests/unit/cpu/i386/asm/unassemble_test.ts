/**
 * Bytes to a listing. Cold.
 */
import { disassemble } from "../../../../../lib/cpu/i386/asm/unassemble.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

Deno.test("disassemble() covers each byte once, in both code sizes", () => {
  const bytes = Uint8Array.of(0xb8, 0x34, 0x12, 0x90, 0x90, 0xeb, 0xf9);
  const short = (bits: 16 | 32) => disassemble(bytes, { origin: 0x7c00, bits }).map((l) => [l.address, l.text]);
  assertEquals(short(16), [[0x7c00, "mov ax,0x1234"], [0x7c03, "nop"], [0x7c04, "nop"], [0x7c05, "jmp short 0x7c00"]]);
  assertEquals(short(32), [[0x7c00, "mov eax,0x90901234"], [0x7c05, "jmp short 0x7c00"]]);
});

Deno.test("disassemble() shows a cut-off instruction as db and an empty input as nothing", () => {
  assertEquals(disassemble(Uint8Array.of(0xb8)).map((l) => [l.text, [...l.bytes]]), [["db 0xb8", [0xb8]]]);
  assertEquals(disassemble(new Uint8Array(0)), []);
});
