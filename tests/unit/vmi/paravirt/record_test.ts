/** Records of calls: bounded memory, and the same entries whoever else looks, on every backend and engine. */
import { ConfigError } from "../../../../lib/core/errors.ts";
import { minikernel } from "../../../../lib/guests/minikernel/minikernel.ts";
import { vmiPc, type VmiPcMachine } from "../../../../lib/machine/presets.ts";
import type { ParavirtBackend } from "../../../../lib/vmi/paravirt/backend.ts";
import { native } from "../../../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../../../lib/vmi/paravirt/backends/scripted.ts";
import { type RecordedCall, Recording } from "../../../../lib/vmi/paravirt/record.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

/** A call with its arguments in words, as those of the call table are. */
function call(no: number, time: number): RecordedCall {
  return {
    no,
    name: "GetDR",
    args: {},
    eip: 0xc00c_8000,
    from: 0xffff_fff0,
    time,
    putWords: (row, at) => {
      row[at] = time;
      return true;
    },
  };
}

Deno.test("Recording keeps the latest calls that it is told to keep, and counts the others", () => {
  const r = new Recording(() => {}, { most: 5000 });
  const open = r.begin(call(1, 0));
  for (let i = 1; i < 12_345; i++) r.end(r.begin(call(i % 3, 2 ** 33 + i)), i % 2 === 0 ? i : BigInt(i) << 33n);
  r.end(open, 1);
  assertEquals([r.length, r.dropped, r.entries.length], [5000, 7345, 5000]);
  const [first] = r.entries, last = r.entries[4999];
  assertEquals([first.time, first.result, last.time, last.result], [
    2 ** 33 + 7345,
    7345n << 33n,
    2 ** 33 + 12_344,
    12_344,
  ]);
  assertEquals([last.eip, last.from, last.no], [0xc00c_8000, 0xffff_fff0, 12_344 % 3]);
  assertEquals(r.last(7), r.entries.slice(-7));
  assertEquals([...r.counts().values()].reduce((sum, n) => sum + n), 5000);
  const before = r.entries;
  r.begin(call(2, 5));
  assertEquals([before.length, before[0].time, r.entries[0].time], [5000, 2 ** 33 + 7345, 2 ** 33 + 7346]);
  r.clear();
  assertEquals([r.length, r.dropped, r.entries.length, r.last(3).length], [0, 0, 0, 0]);
  r.end(r.begin(call(1, 77)), 0xffff_ffff);
  assertEquals([r.entries[0].time, r.entries[0].result], [77, 0xffff_ffff]);
});

Deno.test("a Recording that has all the calls it keeps takes no more memory", () => {
  const r = new Recording(() => {}, { most: 10_000 });
  const put = (n: number): void => {
    for (let i = 0; i < n; i++) r.end(r.begin(call(1, i)), i);
  };
  put(20_000);
  const before = Deno.memoryUsage().external;
  put(1_000_000); // as many rows would be 50 MB
  assert(Deno.memoryUsage().external - before < 4 << 20);
  assertEquals([r.length, r.dropped], [10_000, 1_010_000]);
});

Deno.test("Recording drops calls without a row of the call table with their names and arguments", () => {
  const r = new Recording(() => {}, { most: 2 });
  for (let i = 0; i < 5; i++) {
    r.end(r.begin({ no: 1000 + i, name: `n${i}`, args: { i }, eip: 0, from: 0, time: i }), -i);
  }
  assertEquals(r.names(), ["n3", "n4"]);
  assertEquals(r.entries.map((e) => [e.no, e.args.i, e.result]), [[1003, 3, -3], [1004, 4, -4]]);
});

Deno.test("paravirt.record() refuses a size that is none and says what one is", () => {
  const { paravirt } = vmiPc({ backend: native() });
  for (const most of [0, -1, 1.5, NaN]) {
    const error = assertThrows(() => paravirt.record({ most }), ConfigError);
    assertEquals([error.code, error.message.includes(`not ${most}`)], ["record-size", true]);
  }
  assertEquals(paravirt.record({ most: Infinity }).length, 0);
});

type Engine = "reference" | "interpreter" | "jit";

/** A guest that makes all kinds of calls, up to the end of its start. */
function booted(backend: () => ParavirtBackend, engine: Engine, arm: (m: VmiPcMachine) => void): VmiPcMachine {
  const m = vmiPc({ engine, backend: backend(), memory: 8 << 20 });
  m.boot(minikernel());
  arm(m);
  m.run({ instructions: 120_000 });
  return m;
}

for (const [name, backend] of Object.entries({ native, scripted })) {
  Deno.test(`${name}: a record has the same entries alone, beside another, and beside before(), on every engine; the guest sees none of them`, () => {
    const seen: string[] = [], states: string[] = [];
    for (const engine of ["reference", "interpreter", "jit"] as const) {
      const ways: ((m: VmiPcMachine) => Recording[])[] = [
        (m) => [m.paravirt.record()],
        (m) => [m.paravirt.record(), m.paravirt.record()],
        (m) => {
          for (const { name } of m.paravirt.rom.slots) m.paravirt.before(name, () => {});
          return [m.paravirt.record()];
        },
      ];
      states.push(booted(backend, engine, () => {}).hash());
      for (const way of ways) {
        let records: Recording[] = [];
        states.push(booted(backend, engine, (m) => records = way(m)).hash());
        for (const r of records) seen.push(JSON.stringify(r));
      }
    }
    assertEquals(new Set(states).size, 1);
    assertEquals(new Set(seen).size, 1);
    const all = JSON.parse(seen[0]) as { name: string; args: Record<string, unknown>; result: unknown }[];
    assert(all.length > 400, `${all.length}`);
    assert(all.some((e) => typeof e.result === "string") && all.some((e) => typeof e.result === "number"));
    assert(all.some((e) => Object.values(e.args).some((v) => typeof v === "string")));
  });
}

Deno.test("a call and a record print as what they hold, and a record can be gone through entry by entry", () => {
  const m = vmiPc({ backend: native(), memory: 8 << 20 });
  m.boot(minikernel());
  const seen = m.paravirt.record({ most: 3 });
  let printed = "";
  m.paravirt.before("SetPxE", (call) => printed ||= Deno.inspect(call));
  m.run({ instructions: 60_000 });
  for (const part of ['name: "SetPxE"', "pte: ", "ptep: ", "cpu: 0", "from: "]) assert(printed.includes(part), printed);
  const record = Deno.inspect(seen);
  for (const part of ["length: 3", `dropped: ${seen.dropped}`, `name: "${seen.entries[2].name}"`]) {
    assert(record.includes(part), record);
  }
  assertEquals([...seen], [...seen.entries]);
});
