import type { Device, DeviceHost } from "../../../lib/core/device.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import type { Platform } from "../../../lib/machine/platform.ts";
import { Snapshot } from "../../../lib/machine/snapshot.ts";
import { reached } from "../../../lib/machine/until.ts";
import { ram, rom } from "../../../lib/memory/region.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../../scripts/deps/std.ts";
import { Fake, fakeCpu } from "./fake_cpu.ts";

const RAM = [ram({ at: 0, size: 0x10000 })];

/** Periodic timer on port 0x40 (write: period; read: ticks fired) that pulses IRQ line 0. */
class Ticker implements Device {
  readonly name = "ticker";
  count = 0;
  #period = 0;
  #host: DeviceHost | undefined;
  #timer: { armAt(tick: number): void; cancel(): void } | undefined;
  attach(host: DeviceHost): void {
    this.#host = host;
    this.#timer = host.clock.timer("ticker", () => {
      this.count++;
      host.irq(0).set(true);
      this.#timer?.armAt(host.clock.now + this.#period);
    });
    host.ports.map(0x40, 1, this.name, {
      read: () => this.count,
      write: (_port, value) => {
        this.#period = value;
        this.#timer?.armAt(host.clock.now + value);
      },
    });
    host.ports.map(0x41, 1, this.name, {
      read: () => host.clock.now & 0xff,
      write: (_port, value) => host.request(value === 1 ? "reset" : "power-off"),
    });
  }
  reset(): void {
    this.count = this.#period = 0;
    this.#timer?.cancel();
  }
  save() {
    return { version: 1, fields: { count: this.count, period: this.#period } };
  }
  load(section: { fields: unknown }): void {
    const f = section.fields as { count: number; period: number };
    [this.count, this.#period] = [f.count, f.period];
  }
}

/** One line to all CPUs, vector 2. */
function oneLine(): Platform {
  let level = false;
  let told = (): void => {};
  const controller = {
    get pending() {
      return level;
    },
    acknowledge: () => {
      level = false;
      return 2;
    },
  };
  return {
    irq: () => ({
      set: (on) => {
        level = on;
        told();
      },
    }),
    interrupts: () => controller,
    listen: (changed) => told = changed,
  };
}

function withProgram(
  program: readonly number[],
  extra: { cpus?: number; quantum?: number; reboot?: boolean } = {},
): Machine {
  const m = machine({
    cpu: fakeCpu(),
    cpus: extra.cpus ?? 1,
    quantum: extra.quantum ?? 1000,
    memory: RAM,
    devices: [new Ticker()],
    platform: oneLine(),
    onReset: extra.reboot === true ? "reboot" : "stop",
  });
  return m.load(0, Uint8Array.from(program));
}

Deno.test("machine() runs a user's own CPU to a halt", () => {
  const m = withProgram([Fake.set, 40, Fake.add, 2, Fake.hlt]);
  assertEquals(m.run({ instructions: 100 }), { kind: "halt", eip: 5 });
  assertEquals(m.cpu.get("a"), 42);
  assertEquals(m.cpu.instructions, 3);
});

Deno.test("run() ends exactly at the budget and goes on from there", () => {
  const m = withProgram([Fake.add, 1, Fake.jmp, 0]);
  assertEquals(m.run({ instructions: 7 }), { kind: "budget", instructions: 7, eip: 2 });
  assertEquals(m.step().kind, "budget");
  assertEquals(m.cpu.instructions, 8);
  assertEquals(m.now, 8);
});

Deno.test("run() fires timers at their tick and virtual time jumps while halted", () => {
  const handler = new Array(0x20 - 6).fill(Fake.nop);
  // Period 100, enable, hlt; the handler at 0x20 enables, halts and halts again.
  const m = withProgram([
    Fake.set,
    100,
    Fake.out,
    0x40,
    Fake.ei,
    Fake.hlt,
    ...handler,
    Fake.ei,
    Fake.hlt,
    Fake.jmp,
    0x20,
  ]);
  const stop = m.run({ ticks: 1000 });
  assertEquals(stop.kind, "budget");
  assertEquals(m.now, 1000);
  // Written at tick 1 (the second instruction), so due at 101, 201, ...
  assertEquals(m.ports.read(0x40, 8), 9);
});

Deno.test("run() reports halt when the guest cannot be woken although a timer is armed", () => {
  assertEquals(withProgram([Fake.set, 100, Fake.out, 0x40, Fake.hlt]).run().kind, "halt");
});

Deno.test("a device reads exact time in the middle of a slice", () => {
  const m = withProgram([Fake.nop, Fake.nop, Fake.nop, Fake.in, 0x41, Fake.hlt]);
  m.run();
  assertEquals(m.cpu.get("a"), 3);
});

Deno.test("reset and power-off requests stop at the instruction boundary or reboot", () => {
  assertEquals(withProgram([Fake.set, 1, Fake.out, 0x41, Fake.nop]).run(), { kind: "reset", eip: 4 });
  const off = withProgram([Fake.set, 2, Fake.out, 0x41, Fake.nop]);
  assertEquals(off.run(), { kind: "power-off", eip: 4 });
  assertEquals(off.run(), { kind: "power-off", eip: 4 });
  const again = withProgram([Fake.set, 1, Fake.out, 0x41], { reboot: true });
  assertEquals(again.run({ instructions: 9 }).kind, "budget");
  assertEquals(again.cpu.pc, 2);
});

Deno.test("a fault nobody takes is reported with its vector", () => {
  const stop = withProgram([Fake.nop, Fake.die]).run();
  assertEquals(stop, { kind: "fault", vector: 6, errorCode: -1, linear: 0, eip: 1 });
});

Deno.test("onCode() stops before the instruction and does not fire again on the way on", () => {
  const m = withProgram([Fake.set, 7, Fake.add, 1, Fake.hlt]);
  let fired = 0;
  m.onCode(2, (event) => {
    fired++;
    event.stop("here");
  });
  assertEquals(m.run(), { kind: "hook", name: "here", eip: 2 });
  assertEquals(m.cpu.get("a"), 7);
  assertEquals(m.run().kind, "halt");
  assertEquals(fired, 1);
  assertEquals(m.cpu.get("a"), 8);
});

Deno.test("until: reached() and tests end the run", () => {
  const m = withProgram([Fake.add, 1, Fake.add, 1, Fake.jmp, 0]);
  assertEquals(m.run({ until: reached(4) }), { kind: "until", name: "0x00000004", eip: 4 });
  assertEquals(m.hooks.size, 0);
  const stop = m.run({ until: () => Number(m.cpu.get("a")) > 100 });
  assertEquals(stop.kind, "until");
});

Deno.test("hooks do not change a run", () => {
  const program = [Fake.set, 9, Fake.out, 0x40, Fake.ei, Fake.sta, 0x80, Fake.add, 1, Fake.jmp, 5];
  const plain = withProgram(program);
  const watched = withProgram(program);
  for (const m of [plain, watched]) m.load(0x20, Uint8Array.of(Fake.ei, Fake.jmp, 5));
  let seen = 0;
  watched.onCode({ at: 0, size: 0x10000 }, () => seen++);
  watched.onMemory({ at: 0x80 }, () => seen++);
  watched.onPort(0x40, () => seen++);
  watched.onInterrupt(undefined, () => seen++);
  for (const m of [plain, watched]) m.run({ instructions: 500 });
  assertEquals(watched.hash(), plain.hash());
  assert(seen > 500);
});

Deno.test("several CPUs interleave by the quantum, however the run is cut", () => {
  const program = [Fake.in, 0x41, Fake.sta, 0x90, Fake.add, 3, Fake.jmp, 0];
  const whole = withProgram(program, { cpus: 3, quantum: 10 });
  whole.run({ instructions: 1000 });
  const cut = withProgram(program, { cpus: 3, quantum: 10 });
  for (let i = 0; i < 1000;) {
    const n = Math.min(7, 1000 - i);
    cut.run({ instructions: n });
    i += n;
  }
  assertEquals(cut.hash(), whole.hash());
  assertEquals(whole.cpus.map((c) => c.instructions), [340, 330, 330]);
});

Deno.test("a timer that one of several CPUs arms ends the round at its tick", () => {
  // The first CPU arms a period of 100 at tick 2; the quantum is 1000.
  const m = withProgram([Fake.set, 100, Fake.out, 0x40, Fake.ei, Fake.jmp, 5], { cpus: 2 });
  m.cpus[1].set("pc", 5);
  m.poke(0x20, Uint8Array.of(Fake.ei, Fake.jmp, 0x21));
  const times: number[] = [];
  m.onInterrupt(2, () => times.push(m.now));
  m.run({ instructions: 900 });
  assertEquals(times.slice(0, 3), [101, 201, 301]);
});

Deno.test("idle CPUs are passed over and cost no time", () => {
  const halting = withProgram([Fake.hlt], { cpus: 3, quantum: 100 });
  halting.cpus[2].set("pc", 2);
  halting.poke(2, Uint8Array.of(Fake.add, 1, Fake.jmp, 2));
  halting.run({ instructions: 502 });
  assertEquals([...halting.cpus.map((c) => c.instructions), halting.now], [1, 1, 500, 500]);
});

Deno.test("restore() goes back exactly, forwards and backwards along the chain", () => {
  const m = withProgram([Fake.add, 1, Fake.sta, 0x90, Fake.jmp, 0]);
  const start = m.snapshot();
  m.run({ instructions: 50 });
  const middle = m.snapshot();
  m.run({ instructions: 50 });
  const end = m.hash();
  m.restore(start);
  assertEquals(m.peek(0x90, 1)[0], 0);
  assertEquals(m.hash(), start.hash());
  m.run({ instructions: 100 });
  assertEquals(m.hash(), end);
  m.restore(middle);
  m.run({ instructions: 50 });
  assertEquals(m.hash(), end);
});

Deno.test("Snapshot survives bytes, and another machine of the same shape takes it", () => {
  const m = withProgram([Fake.add, 1, Fake.sta, 0x90, Fake.jmp, 0]);
  m.run({ instructions: 31 });
  const bytes = m.snapshot().toBytes();
  const other = withProgram([]);
  other.restore(Snapshot.fromBytes(bytes));
  m.run({ instructions: 31 });
  other.run({ instructions: 31 });
  assertEquals(other.hash(), m.hash());
});

Deno.test("Snapshot refuses other machines, old and new formats and damage, each with its own words", () => {
  const bytes = withProgram([]).snapshot().toBytes();
  const small = machine({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 0x1000 })] });
  assertStringIncludes(assertThrows(() => small.restore(Snapshot.fromBytes(bytes)), ConfigError).message, "ticker");
  const version = (v: number): Uint8Array => {
    const copy = bytes.slice();
    copy[4] = v;
    return copy;
  };
  assertStringIncludes(assertThrows(() => Snapshot.fromBytes(version(0)), ConfigError).message, "too old");
  assertStringIncludes(assertThrows(() => Snapshot.fromBytes(version(9)), ConfigError).message, "too new");
  for (let n = 0; n < bytes.length; n += 97) {
    assertThrows(() => Snapshot.fromBytes(bytes.subarray(0, n)), ConfigError);
  }
});

Deno.test("machine() refuses what is wrong with a description", () => {
  const code = (config: unknown): string => {
    try {
      machine(config as Parameters<typeof machine>[0]);
      return "accepted";
    } catch (error) {
      assert(error instanceof ConfigError, String(error));
      return `${error.code}: ${error.message}`;
    }
  };
  assertStringIncludes(
    code({ cpu: fakeCpu(), memroy: [] }),
    'config-key: Unknown key "memroy" of machine; did you mean "memory"',
  );
  assertStringIncludes(code({}), "config-cpu");
  assertStringIncludes(code({ cpu: fakeCpu(), cpus: 99 }), "config-value");
  assertStringIncludes(code({ cpu: fakeCpu(), hz: 10 }), "config-value");
  assertStringIncludes(
    code({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 8192 }), ram({ at: 4096, size: 4096 })] }),
    "region-overlap",
  );
  assertStringIncludes(code({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 100 })] }), "region-range");
  assertStringIncludes(code({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 3 * 2 ** 30 })] }), "memory-size");
  assertStringIncludes(code({ cpu: fakeCpu(), devices: [new Ticker(), new Ticker()] }), "config-name");
  assertStringIncludes(code({ cpu: fakeCpu(), onReset: "explode" }), "config-value");
});

Deno.test("load() says when an address has no memory, and reaches ROM", () => {
  const m = machine({ cpu: fakeCpu(), memory: [rom({ at: 0x1000, bytes: Uint8Array.of(1) })] });
  m.load(0x1001, Uint8Array.of(2));
  assertEquals([...m.peek(0x1000, 3)], [1, 2, 0xff]);
  assertThrows(() => m.load(0x5000, Uint8Array.of(2)), ConfigError, "0x00005000");
});

Deno.test("runAsync() gives the same run and obeys its signal", async () => {
  const a = withProgram([Fake.add, 1, Fake.jmp, 0]);
  const b = withProgram([Fake.add, 1, Fake.jmp, 0]);
  let pieces = 0;
  const stop = await a.runAsync({ instructions: 1000, piece: 100, onProgress: () => pieces++ });
  assertEquals(stop, b.run({ instructions: 1000 }));
  assertEquals(pieces, 10);
  assertEquals(a.hash(), b.hash());
  const abort = new AbortController();
  const stopped = await a.runAsync({ piece: 100, signal: abort.signal, onProgress: () => abort.abort() });
  assertEquals(stopped.kind, "stopped");
  await assertRejects(() => a.runAsync({ instructions: -1 }), ConfigError);
});

Deno.test("a snapshot does not change with a device that saves the very arrays it goes on to use", () => {
  const list: number[] = [1];
  let bytes: Uint8Array = new Uint8Array(4), deep = { values: list };
  const device: Device = {
    name: "sharer",
    attach() {},
    reset() {},
    save: () => ({ version: 1, fields: { bytes, deep } }),
    load: (section) => void ({ bytes, deep } = section.fields as unknown as { bytes: Uint8Array; deep: typeof deep }),
  };
  const m = machine({ cpu: fakeCpu(), memory: RAM, devices: [device] });
  const start = m.snapshot(), hash = start.hash();
  for (let turn = 0; turn < 2; turn++) {
    bytes[2] = 7;
    deep.values.push(2);
    assertEquals(start.hash(), hash);
    m.restore(start);
    assertEquals([[...bytes], deep.values], [[0, 0, 0, 0], [1]]);
  }
});
