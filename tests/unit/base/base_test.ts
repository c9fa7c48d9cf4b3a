import { alignDown, alignUp, isEvenParity, signExtend, truncate } from "../../../lib/base/bits.ts";
import { ByteReader, ByteWriter, latin1 } from "../../../lib/base/bytes.ts";
import { hex, hexdump } from "../../../lib/base/hex.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../../../scripts/deps/std.ts";

Deno.test("signExtend(), truncate() and isEvenParity() at their boundaries", () => {
  assertEquals([signExtend(0x7f, 8), signExtend(0x80, 8), signExtend(0x8000, 16), signExtend(-1, 32)], [
    127,
    -128,
    -32768,
    -1,
  ]);
  assertEquals([truncate(-1, 8), truncate(-1, 16), truncate(-1, 32)], [0xff, 0xffff, 0xffffffff]);
  for (let v = 0; v < 256; v++) {
    const ones = v.toString(2).split("1").length - 1;
    assertEquals(isEvenParity(v), ones % 2 === 0, String(v));
  }
  assertEquals([alignUp(0, 16), alignUp(1, 16), alignUp(16, 16), alignDown(31, 16)], [0, 16, 16, 16]);
  assertEquals(alignUp(2 ** 32 + 1, 4096), 2 ** 32 + 4096);
});

Deno.test("hex() shows i32 as u32, and hexdump() lines up", () => {
  assertEquals([hex(-1), hex(10, 2), hex(2n ** 40n), hex(0.5)], ["0xffffffff", "0x0a", "0x10000000000", "0.5"]);
  const [first, second] = hexdump(latin1("0123456789abcdefZ\x00"), 0x7c00).split("\n");
  assertEquals(first, "00007c00  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|");
  assertEquals(second.indexOf("|"), first.indexOf("|"));
  assert(second.endsWith("|Z.|"));
});

Deno.test("ByteReader reads back what ByteWriter wrote and refuses to go past the end", () => {
  const w = new ByteWriter(24).u8(0, 0x1ff).u16(1, 0x8001).u32(3, 0xfffffffe).u64(7, 2 ** 40 + 5).put(
    15,
    latin1("ab", true),
  );
  const r = new ByteReader(w.bytes, "thing");
  assertEquals([r.u8(0), r.u16(1), r.u32(3), r.u32(7), r.u32(11), r.text(15, 9)], [
    0xff,
    0x8001,
    0xfffffffe,
    5,
    256,
    "ab",
  ]);
  assertThrows(() => r.u32(21), RangeError, "thing is cut off");
  assertThrows(() => r.slice(0, 25), RangeError);
});

Deno.test("Prng repeats by seed and spreads", () => {
  const [a, b, c] = [new Prng(1), new Prng(1), new Prng(2)];
  const list = Array.from({ length: 100 }, () => a.u32());
  assertEquals(Array.from({ length: 100 }, () => b.u32()), list);
  assertNotEquals(Array.from({ length: 100 }, () => c.u32()), list);
  const counts = new Array(10).fill(0);
  for (let i = 0; i < 10000; i++) counts[a.below(10)]++;
  assert(counts.every((n) => n > 800 && n < 1200), counts.join());
});
