import { expect, ExpectationError } from "../../../lib/script/expect.ts";
import { inject, type Injectable } from "../../../lib/script/inject.ts";
import { scenario } from "../../../lib/script/scenario.ts";
import { SerialConsole } from "../../../lib/machine/serial_console.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../scripts/deps/std.ts";
import { Fake, fakeCpu } from "../machine/fake_cpu.ts";

/** Echoes: port 0x10 writes to the console, port 0x11 reads a typed byte or 0. */
function echoMachine(program: readonly number[]): Machine {
  const serial = new SerialConsole();
  let input = 0;
  const port = {
    name: "echo",
    attach: (host: import("../../../lib/core/device.ts").DeviceHost): void => {
      host.ports.map(0x10, 2, "echo", {
        read: () => {
          const byte = input;
          input = 0;
          serial.ready();
          return byte;
        },
        write: (_port, value) => serial.put(value),
      });
      serial.connect((byte) => {
        if (input !== 0) return false;
        input = byte;
        return true;
      });
    },
    reset: (): void => {},
    save: () => ({ version: 1, fields: { input } }),
    load: (): void => {},
  };
  const m = machine({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 4096 })], devices: [port], serial });
  return m.load(0, Uint8Array.from(program));
}

Deno.test("expect() passes and fails each assertion, and not turns it round", () => {
  const cases: readonly [boolean, () => void][] = [
    [true, () => expect(42).toBe(42)],
    [false, () => expect(41).toBe(42)],
    [true, () => expect({ a: [1, Uint8Array.of(2)] }).toEqual({ a: [1, Uint8Array.of(2)] })],
    [false, () => expect([1]).toEqual([1, 2])],
    [true, () => expect(2n).toBeGreaterThan(1)],
    [false, () => expect("2").toBeGreaterThan(1)],
    [true, () => expect(["Init", "Halt"]).toStartWith(["Init"])],
    [false, () => expect(["Init"]).toStartWith(["Init", "Halt"])],
    [true, () => expect("a-b").toContain("-")],
    [true, () => expect([1, 2, 3]).toContain([2, 3])],
    [false, () => expect([1, 2, 3]).toContain([3, 2])],
    [true, () => expect("abc").toMatch(/^a.c$/)],
    [true, () => expect({ kind: "halt", eip: 4 }).toMatchObject({ kind: "halt" })],
    [true, () => expect([1, 2]).toHaveLength(2)],
    [true, () =>
      expect(() => {
        throw new RangeError("too far");
      }).toThrow(RangeError)],
    [false, () => expect(() => 1).toThrow()],
    [true, () => expect(1).not.toBe(2)],
    [false, () => expect(1).not.toBe(1)],
  ];
  for (const [passes, run] of cases) {
    if (passes) run();
    else assertThrows(run, ExpectationError);
  }
});

Deno.test("expect() prints hex, the place in the guest, trace and serial tail", () => {
  const m = echoMachine([Fake.set, 0x58, Fake.out, 0x10, Fake.out, 0x77, Fake.hlt]);
  m.run();
  const { message } = assertThrows(() => expect(m.cpu.get("a"), m).toBe(4096), ExpectationError);
  for (
    const part of ["0x00001000 (4096)", "0x00000058 (88)", "at 0x00000007", "op 0", "nobody answers port 0x77", "| X"]
  ) {
    assertStringIncludes(message, part);
  }
});

Deno.test("scenario() waits for text, answers, and reports the step that failed", () => {
  // Write '?', then echo what is typed for ever.
  const m = echoMachine([Fake.set, 0x3f, Fake.out, 0x10, Fake.in, 0x11, Fake.out, 0x10, Fake.jmp, 4]);
  const result = scenario(m, [
    { serial: "?", send: "hi" },
    { serial: "h" },
    { serial: "i", then: (it) => assertEquals(it, m) },
  ]);
  assertEquals(result.stops.map((s) => s.kind), ["until", "until", "until"]);
  assert(result.instructions < 40);
  const error = assertThrows(() => scenario(m, [{ serial: "never", within: 100 }]), ExpectationError);
  assertStringIncludes(error.message, "Step 1 of 1");
});

Deno.test("inject() says what is missing", () => {
  const m = echoMachine([Fake.hlt]);
  expect(() => inject(m as Machine & Injectable, "Halt")).toThrow({ code: "no-hypervisor" });
  expect(() => inject(m, { irq: 1 })).toThrow({ code: "no-platform" });
});
