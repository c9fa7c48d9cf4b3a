import { encodePacket, fromHex, hexNumber, PACKET_SIZE, PacketReader, toHex } from "../../../../lib/host/gdb/packet.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (c) => c.charCodeAt(0));

Deno.test("PacketReader finds packets, interrupts and requests to repeat, also in pieces", () => {
  const reader = new PacketReader();
  assertEquals(reader.take(bytes("+$?#3f\x03-")), [
    { kind: "packet", text: "?" },
    { kind: "interrupt" },
    { kind: "again" },
  ]);
  assertEquals(reader.take(bytes("$m0,")), []);
  assertEquals(reader.take(bytes("4#f")), []);
  assertEquals(reader.take(bytes("d")), [{ kind: "packet", text: "m0,4" }]);
  assertEquals(reader.take(bytes("$?#00")), [{ kind: "damaged" }]);
  assertEquals(reader.take(bytes("$?#zz")), [{ kind: "damaged" }]);
  assertEquals(reader.take(bytes("$g$?#3f")), [{ kind: "packet", text: "?" }]);
});

Deno.test("PacketReader takes back what encodePacket made, whatever the bytes", () => {
  const all = String.fromCharCode(...Array.from({ length: 256 }, (_, i) => i));
  assertEquals(new PacketReader().take(encodePacket(all)), [{ kind: "packet", text: all }]);
});

Deno.test("PacketReader keeps within its bound and goes on after a packet that is too long", () => {
  const reader = new PacketReader();
  const long = encodePacket("x".repeat(PACKET_SIZE + 1));
  assertEquals(reader.take(long), [{ kind: "damaged" }]);
  for (let i = 0; i < 100; i++) reader.take(new Uint8Array(0x10000).fill(0x78));
  assertEquals(reader.take(encodePacket("?")), [{ kind: "packet", text: "?" }]);
});

Deno.test("PacketReader takes noise for noise", () => {
  const random = new Prng(4);
  const reader = new PacketReader();
  for (let round = 0; round < 500; round++) {
    const noise = Uint8Array.from({ length: random.below(300) }, () => "$#}+-\x03abc"[random.below(9)].charCodeAt(0));
    for (const item of reader.take(noise)) assert(["packet", "damaged", "again", "interrupt"].includes(item.kind));
  }
});

Deno.test("hex helpers refuse what is no hex", () => {
  assertEquals([toHex(Uint8Array.of(1, 0xab)), fromHex("01AB")], ["01ab", Uint8Array.of(1, 0xab)]);
  assertEquals([fromHex("0"), fromHex("0g"), hexNumber(""), hexNumber("123456789"), hexNumber("-1")], [
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  assertEquals(hexNumber("ffffffff"), 0xffff_ffff);
});
