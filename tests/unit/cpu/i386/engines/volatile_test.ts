/** What is remembered of bytes that are written over and over. */
import { VolatileCode } from "../../../../../lib/cpu/i386/engines/interpreter/volatile.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

Deno.test("VolatileCode.has(): bytes written four times, those beside them not", () => {
  const code = new VolatileCode();
  for (let n = 1; n <= 4; n++) {
    assertEquals(code.has(7, 0x100, 0x104), false, `after ${n - 1} writes`);
    code.note(7, 0x100, 0x104);
  }
  assertEquals(code.has(7, 0x103, 0x104), true);
  assertEquals(code.has(7, 0xf0, 0x101), true);
  assertEquals(code.has(7, 0x104, 0x110), false);
  assertEquals(code.has(8, 0x100, 0x104), false);
  code.clear();
  assertEquals(code.has(7, 0x100, 0x104), false);
});

Deno.test("VolatileCode.note(): a write that replaces code as a whole does not count; pages stay few", () => {
  const code = new VolatileCode();
  for (let n = 0; n < 10; n++) code.note(1, 0, 0x1000);
  assertEquals(code.has(1, 0, 0x1000), false);
  for (let pfn = 0; pfn < 257; pfn++) for (let n = 0; n < 4; n++) code.note(pfn, 0, 1);
  assertEquals(code.has(0, 0, 1), false);
  assertEquals(code.has(256, 0, 1), true);
});

Deno.test("VolatileCode.written(): one write after the other is no change of single instructions", () => {
  const code = new VolatileCode();
  for (let n = 0; n < 6; n++) {
    assertEquals(code.written(1, 0x100, 0x104), n === 0); // then it is known how rows begin
    for (let at = 0x104; at < 0x200; at += 4) assertEquals(code.written(1, at, at + 4), false);
    assertEquals(code.written(2, 0, 0x1000), false);
  }
  assertEquals(code.has(1, 0x100, 0x200), false);
  for (let n = 0; n < 63; n++) code.written(1, 0x100, 0x104); // noted by the next write, when no more follows for long
  assertEquals([code.written(1, 0x100, 0x104), code.has(1, 0x100, 0x104)], [false, false]);
  for (let n = 0; n < 6; n++) code.written(1, 0x100, 0x104);
  assertEquals(code.written(1, 0x100, 0x104), true);
  assertEquals([code.has(1, 0x103, 0x104), code.has(1, 0x104, 0x200)], [true, false]);
});
