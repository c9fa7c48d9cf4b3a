/** The ring in shared memory: order, wrapping, full rings, long records. */
import { Ring, RING_HEADER } from "../../../../lib/host/message/ring.ts";
import { ringMemory, WorkerTransport } from "../../../../lib/host/message/worker_transport.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { pattern } from "../../../conformance/message/suite.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

Deno.test("Ring keeps order and contents through wraps and fills, for records of any size", () => {
  const memory = new SharedArrayBuffer(RING_HEADER + 4096);
  const [writer, reader] = [new Ring(memory, 0, 4096), new Ring(memory, 0, 4096)];
  const prng = new Prng(1);
  const sizes = Array.from({ length: 3000 }, () => prng.below(10) === 0 ? prng.below(20_000) : prng.below(300));
  let [sent, done, got, refused] = [0, 0, 0, 0];
  while (got < sizes.length) {
    if (sent < sizes.length && prng.below(2) === 0) {
      const record = pattern(sizes[sent], sent);
      const next = writer.write(record, done);
      if (next === done && record.length > 0) refused++;
      done = next;
      if (done === record.length) [sent, done] = [sent + 1, 0];
    } else {
      const record = reader.read();
      if (record === undefined) continue;
      assertEquals(record.length, sizes[got]);
      const want = pattern(sizes[got], got);
      assert(record.every((b, i) => b === want[i]));
      got++;
    }
  }
  assert(refused > 10);
  assertEquals([reader.read(), reader.hasData], [undefined, false]);
});

Deno.test("Ring survives its counters' overflow", () => {
  const memory = new SharedArrayBuffer(RING_HEADER + 4096);
  const words = new Int32Array(memory, 0, 32);
  words[0] = words[16] = 0x7fffff00;
  const [writer, reader] = [new Ring(memory, 0, 4096), new Ring(memory, 0, 4096)];
  for (let i = 0; i < 200; i++) {
    assertEquals(writer.write(pattern(100, i), 0), 100);
    assertEquals(reader.read(), pattern(100, i));
  }
  assert(words[0] < 0);
});

Deno.test("WorkerTransport holds what a full ring does not take, and counts it", () => {
  const memory = ringMemory(2, 4096);
  const [a, b] = [new WorkerTransport(memory, 0, 2, false), new WorkerTransport(memory, 1, 2, false)];
  for (let i = 0; i < 100; i++) a.send(1, pattern(1000, i));
  assert(a.queued > 90_000);
  let got = 0;
  for (let turn = 0; turn < 200 && got < 100; turn++) {
    b.poll((from, record) => {
      assertEquals([from, record], [0, pattern(1000, got++)]);
    });
    a.poll(() => {});
  }
  assertEquals([got, a.queued], [100, 0]);
  assertThrows(() => ringMemory(2, 5000), ConfigError, "power of two");
});
