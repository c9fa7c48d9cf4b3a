/** Frames on the wire: round trip, and every malformed one gives a status. */
import { decodeFrame, encodeFrame, type Frame, frameSize } from "../../../../lib/vmi/message/frame.ts";
import { crc32c } from "../../../../lib/vmi/message/crc32c.ts";
import { packFields, unpackFields } from "../../../../lib/vmi/message/operation.ts";
import { FrameType, MessageStatus } from "../../../../lib/spec/message_abi.ts";
import { hmacSha256, sha256 } from "../../../../lib/vmi/message/sha256.ts";
import { isSuccess, statusName } from "../../../../lib/vmi/message/status.ts";
import { frameRecord, parseRecord, syncRecord } from "../../../../lib/vmi/message/transport.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";

const text = new TextEncoder();
const hex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, "0")).join("");

const FRAME: Frame = {
  type: FrameType.put,
  flags: 0xa5,
  chain: 3,
  source: 7,
  destination: 0xfffffffe,
  sequence: 2 ** 52 + 12345,
  sentAt: 2 ** 40 + 1,
  epoch: 9,
  extensions: [{ type: 0x8003, data: Uint8Array.of(1, 2, 3) }, packFields(1, 2n ** 64n - 1n)],
  payload: Uint8Array.of(9, 8, 7, 6, 5),
};

/** A frame whose extensions are values, whatever keeps them. */
const plain = (frame: Frame | undefined): unknown => ({
  ...frame,
  extensions: frame?.extensions.map(({ type, data }) => ({ type, data })),
});

/** Repairs the header's check value after a change, so that the change itself is judged. */
function reseal(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(44, crc32c(bytes.subarray(0, 44)), true);
  return bytes;
}

Deno.test("crc32c() gives the check values of RFC 3720 B.4", () => {
  assertEquals(crc32c(text.encode("123456789")), 0xe3069283);
  assertEquals(crc32c(new Uint8Array(32)), 0x8a9136aa);
  assertEquals(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  assertEquals(crc32c(text.encode("6789"), crc32c(text.encode("12345"))), 0xe3069283);
});

Deno.test("sha256() and hmacSha256() give the published vectors", () => {
  assertEquals(hex(sha256(text.encode("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  assertEquals(hex(sha256(new Uint8Array(0))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const two = text.encode("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq");
  assertEquals(hex(sha256(two)), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  const mac = hmacSha256(text.encode("Jefe"), text.encode("what do ya want for nothing?")); // RFC 4231, case 2
  assertEquals(hex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

Deno.test("decodeFrame() gives back what encodeFrame() was given", () => {
  const bytes = encodeFrame(FRAME);
  assertEquals(bytes.length, frameSize(FRAME));
  const { status, frame } = decodeFrame(bytes);
  assertEquals([status, plain(frame)], [MessageStatus.success, plain(FRAME)]);
  assert(frame !== undefined);
  const operation = unpackFields({ ...frame, extensions: frame.extensions.slice(1) }, 2);
  assertEquals([operation?.number(0), operation?.big(1)], [1, 2n ** 64n - 1n]);
});

Deno.test("the header has its documented bytes", () => {
  const bytes = encodeFrame(FRAME);
  const view = new DataView(bytes.buffer);
  assertEquals(new TextDecoder().decode(bytes.subarray(0, 4)), "VMI2");
  assertEquals([bytes[4], bytes[5], bytes[6], bytes[7]], [1, 19, 0xa5, 3]);
  assertEquals([8, 12, 32, 36, 40].map((at) => view.getUint32(at, true)), [7, 0xfffffffe, 5, 27, 9]);
  assertEquals(view.getBigUint64(16, true), 2n ** 52n + 12345n);
  assertEquals(view.getBigUint64(24, true), 2n ** 40n + 1n);
});

Deno.test("packFields() and unpackFields() agree with and without bytes between them", () => {
  const numbers = [0, 1, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1];
  const near: Frame = { ...FRAME, extensions: [packFields(...numbers)] };
  const far = decodeFrame(encodeFrame(near)).frame;
  assert(far !== undefined);
  const copied: Frame = { ...near, extensions: [{ type: 1, data: near.extensions[0].data }] };
  for (const frame of [near, far, copied]) {
    const f = unpackFields(frame, 5);
    assertEquals(numbers.map((_, i) => f?.number(i)), numbers);
    assertEquals(numbers.map((_, i) => f?.big(i)), numbers.map(BigInt));
    assertEquals([unpackFields(frame, 4), unpackFields({ ...frame, extensions: [] }, 0)], [undefined, undefined]);
  }
  assertEquals(encodeFrame(copied), encodeFrame(near));
  assertEquals(unpackFields({ ...FRAME, extensions: [packFields(2n ** 64n - 2n)] }, 1)?.big(0), 2n ** 64n - 2n);
});

Deno.test("decodeFrame() refuses each kind of malformed frame with its status", () => {
  const change = (at: number, value: number): Uint8Array => {
    const b = encodeFrame(FRAME);
    b[at] = value;
    return b;
  };
  const { corrupt, unsupported } = MessageStatus;
  const cases: readonly [string, Uint8Array, number][] = [
    ["empty", new Uint8Array(0), corrupt],
    ["short header", encodeFrame(FRAME).subarray(0, 47), corrupt],
    ["magic", reseal(change(0, 0)), corrupt],
    ["version", change(4, 2), unsupported],
    ["header bit without check value", change(8, 1), corrupt],
    ["type", reseal(change(5, 99)), unsupported],
    ["payload length too long", reseal(change(32, 6)), corrupt],
    ["payload length huge", reseal(change(35, 0xff)), corrupt],
    ["extension length", reseal(change(36, 26)), corrupt],
    ["extension inside lies", change(48 + 2, 200), corrupt],
    ["sequence beyond 2^53", reseal(change(23, 0xff)), corrupt],
    ["time beyond 2^53", reseal(change(31, 0xff)), corrupt],
    ["cut off", encodeFrame(FRAME).subarray(0, frameSize(FRAME) - 1), corrupt],
    ["one byte more", new Uint8Array([...encodeFrame(FRAME), 0]), corrupt],
  ];
  for (const [what, bytes, want] of cases) assertEquals(decodeFrame(bytes).status, want, what);
});

Deno.test("decodeFrame() and parseRecord() survive random and damaged bytes", () => {
  const prng = new Prng(5);
  const good = encodeFrame(FRAME);
  const record = frameRecord({ device: 1, arrival: 5, order: 6, frame: FRAME });
  let accepted = 0;
  for (let i = 0; i < 20_000; i++) {
    const base = prng.below(3) === 0 ? prng.bytes(prng.below(120)) : good.slice();
    const bytes = prng.below(4) === 0 ? base.subarray(0, prng.below(base.length + 1)) : base;
    for (let k = prng.below(4); k > 0 && bytes.length > 0; k--) bytes[prng.below(bytes.length)] = prng.u32();
    if (bytes.length >= 48 && prng.below(2) === 0) reseal(bytes);
    const { status, frame } = decodeFrame(bytes);
    assertEquals(isSuccess(status), frame !== undefined);
    if (frame !== undefined) {
      accepted++;
      assertEquals(encodeFrame(frame), bytes);
      unpackFields(frame, 2);
    }
    const damaged = record.slice(0, prng.below(record.length + 1));
    if (damaged.length > 0) damaged[prng.below(damaged.length)] = prng.u32();
    parseRecord(damaged);
  }
  assert(accepted > 100 && accepted < 15_000, `${accepted} accepted`);
});

Deno.test("records between processes round-trip", () => {
  const value = { device: 3, arrival: 1.5e15, order: 77, frame: FRAME };
  const back = parseRecord(frameRecord(value));
  assert(back.kind === "frame");
  assertEquals({ ...back.value, frame: plain(back.value.frame) }, { ...value, frame: plain(FRAME) });
  const sync = { round: 4, next: Infinity, live: 2, ended: 0 };
  assertEquals(parseRecord(syncRecord(sync)), { kind: "sync", value: sync });
  assertEquals(parseRecord(new Uint8Array(0)).kind, "bad");
});

Deno.test("statusName() names codes and shows others in hex", () => {
  assertEquals([statusName(0), statusName(0x80000006), statusName(-1)], ["success", "peerGone", "0xffffffff"]);
});
