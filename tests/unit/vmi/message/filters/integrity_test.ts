/** The building blocks of checksum, compress and encrypt against published vectors and damage. */
import { createCipheriv } from "node:crypto";
import { chacha20, open, poly1305, seal } from "../../../../../lib/vmi/message/chacha20_poly1305.ts";
import { compressLz, decompressLz } from "../../../../../lib/vmi/message/lz.ts";
import { job } from "../../../../../lib/vmi/message/job.ts";
import { Prng } from "../../../../../lib/base/prng.ts";
import { MessageStatus } from "../../../../../lib/spec/message_abi.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";

const bytes = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replaceAll(/[^0-9a-f]/g, "").match(/../g) ?? [], (h) => parseInt(h, 16));
const text = new TextEncoder();

const SUNSCREEN = text.encode(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.",
);

Deno.test("chacha20() gives the ciphertext of RFC 8439 2.4.2", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => i);
  const out = chacha20(key, 1, bytes("000000000000004a00000000"), SUNSCREEN);
  assertEquals(out.subarray(0, 16), bytes("6e2e359a2568f98041ba0728dd0d6981"));
  assertEquals(out.subarray(96), bytes("5af90bbf74a35be6b40b8eedf2785e42874d"));
});

Deno.test("poly1305() gives the tags of RFC 8439 2.5.2 and A.3", () => {
  const key = bytes("85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b");
  const tag = poly1305(key, text.encode("Cryptographic Forum Research Group"));
  assertEquals(tag, bytes("a8061dc1305136c6c22b8baf0c0127a9"));
  // A.3 vectors 7 to 9: carries around 2^130 - 5.
  const r = (hex: string): Uint8Array => new Uint8Array([...bytes(hex), ...new Uint8Array(32 - bytes(hex).length)]);
  assertEquals(
    poly1305(
      r("01"),
      bytes("ffffffffffffffffffffffffffffffff f0ffffffffffffffffffffffffffffff 11000000000000000000000000000000"),
    ),
    bytes("05000000000000000000000000000000"),
  );
  assertEquals(
    poly1305(
      r("01"),
      bytes("ffffffffffffffffffffffffffffffff fbfefefefefefefefefefefefefefefe 01010101010101010101010101010101"),
    ),
    new Uint8Array(16),
  );
  assertEquals(
    poly1305(r("02"), bytes("fdffffffffffffffffffffffffffffff")),
    bytes("faffffffffffffffffffffffffffffff"),
  );
});

Deno.test("seal() and open() agree with RFC 8439 2.8.2 and refuse every changed bit", () => {
  const key = Uint8Array.from({ length: 32 }, (_, i) => 0x80 + i);
  const nonce = bytes("070000004041424344454647");
  const aad = bytes("50515253c0c1c2c3c4c5c6c7");
  const sealed = seal(key, nonce, aad, SUNSCREEN);
  assertEquals(sealed.subarray(0, 16), bytes("d31a8d34648e60db7b86afbc53ef7ec2"));
  assertEquals(sealed.subarray(-16), bytes("1ae10b594f09e26a7e902ecbd0600691"));
  assertEquals(open(key, nonce, aad, sealed), SUNSCREEN);
  for (let bit = 0; bit < 8 * sealed.length; bit += 7) {
    const bad = sealed.slice();
    bad[bit >> 3] ^= 1 << (bit & 7);
    assertEquals(open(key, nonce, aad, bad), undefined);
  }
  assertEquals(open(key, nonce, aad.subarray(1), sealed), undefined);
  assertEquals(open(key, nonce, aad, sealed.subarray(0, 15)), undefined);
});

Deno.test("seal() agrees with another implementation at every size up to some blocks, and around the kernel's room", () => {
  const prng = new Prng(21);
  const [room, block] = [65536, 64];
  const sizes = [
    ...Array.from({ length: 600 }, (_, n) => n),
    ...[-block - 1, -block, -block + 1, -1, 0, 1, room - block, room - block + 1, 2 * room].map((n) => room + n),
  ];
  for (const size of sizes) {
    const [key, nonce, aad] = [prng.bytes(32), prng.bytes(12), prng.bytes(prng.below(300))];
    const plain = prng.bytes(size);
    const cipher = createCipheriv("chacha20-poly1305", key, nonce, { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: size });
    const want = [...cipher.update(plain), ...cipher.final(), ...cipher.getAuthTag()];
    const sealed = seal(key, nonce, aad, plain);
    assert(sealed.length === want.length && sealed.every((b, i) => b === want[i]), `${size} bytes`);
    const back = open(key, nonce, aad, sealed);
    assert(back?.length === size && back.every((b, i) => b === plain[i]), `${size} bytes back`);
    sealed[prng.below(sealed.length)] ^= 1 << prng.below(8);
    assertEquals(open(key, nonce, aad, sealed), undefined);
  }
});

Deno.test("compressLz() round-trips texts of every kind, decompressLz() survives damage", () => {
  const prng = new Prng(8);
  let saved = 0;
  for (let i = 0; i < 300; i++) {
    const size = prng.below(i % 10 === 0 ? 70_000 : 600);
    const spread = prng.pick([1, 2, 5, 256]);
    const input = Uint8Array.from({ length: size }, () => prng.below(spread));
    const packed = compressLz(input);
    assertEquals(decompressLz(packed, size), input);
    saved += size - packed.length;
    if (packed.length === 0) continue;
    const bad = packed.slice(0, prng.below(packed.length + 1));
    for (let k = 0; k < 3 && bad.length > 0; k++) bad[prng.below(bad.length)] = prng.u32();
    const out = decompressLz(bad, size);
    assert(out === undefined || out.length === size);
  }
  assert(saved > 100_000, `${saved} bytes saved`);
});

Deno.test("checksum with onError fail ends the connection with corrupt", async () => {
  const result = await job({
    ranks: 2,
    spec: {
      devices: {
        sum: { module: "builtin:checksum", parameters: { onError: "fail" } },
        bad: { module: "builtin:corrupt", parameters: { probability: 1, skip: 3, count: 1 } },
      },
      chains: [{ name: "c", layers: ["sum", "bad", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      let status = -1;
      rank.onDisconnect((_c, s) => status = s);
      if (rank.rank === 1) { for (let i = 0; i < 9; i++) rank.to(0).sendInline(Uint8Array.of(i)); }
      await rank.until(() => status >= 0, 1e6);
      return status;
    },
  }).run();
  assertEquals(result.ranks[0].value, MessageStatus.corrupt);
});

Deno.test("encrypt hides payloads on the wire", async () => {
  const result = await job({
    ranks: 2,
    spec: {
      devices: {
        key: { module: "builtin:encrypt" },
        see: { module: "builtin:trace", parameters: { snap: 64, types: [16] } },
      },
      chains: [{ name: "c", layers: ["key", "see", "loopback"] }],
    },
    program: async (rank) => {
      await rank.mesh();
      if (rank.rank === 0) rank.to(1).sendInline(text.encode("a secret message"));
      else return new TextDecoder().decode((await rank.receive()).data);
    },
  }).run();
  assertEquals(result.ranks[1].value, "a secret message");
  const [seen] = result.trace.filter((t) => t.direction === "down");
  const plain = [...text.encode("secret")].map((b) => b.toString(16).padStart(2, "0")).join("");
  assert(seen.data !== undefined && seen.data.length > 60 && !seen.data.includes(plain), seen.data);
});
