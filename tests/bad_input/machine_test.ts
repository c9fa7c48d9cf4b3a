/**
 * Descriptions of machines that cannot be: each is refused by a ConfigError that names the value, before memory is spent.
 */
import {
  ConfigError,
  GiB,
  i386,
  machine,
  type MachineConfig,
  MiB,
  mmio,
  pc,
  ram,
  type Region,
  rom,
  tiny,
  vmiPc,
} from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";

/** What a call is refused with, as `code: message`. */
function refusal(make: () => unknown): string {
  try {
    make();
    return "accepted";
  } catch (error) {
    assert(error instanceof ConfigError, error instanceof Error ? error.stack : String(error));
    return `${error.code}: ${error.message}`;
  }
}

const build = (...memory: Region[]): string => refusal(() => machine({ cpu: i386(), memory }));
const registers = { read: (): number => 0, write: (): void => {} };

Deno.test("machine() refuses overlapping Regions of every kind and names both with their addresses", () => {
  const kinds: readonly ((at: number, size: number) => Region)[] = [
    (at, size) => ram({ at, size }),
    (at, size) => rom({ at, bytes: new Uint8Array(size) }),
    (at, size) => mmio({ at, size, handler: registers }),
  ];
  for (const one of kinds) {
    for (const two of kinds) {
      for (const [at, size] of [[0x4000, 0x1000], [0x3000, 0x2000], [0x5000, 0x9000], [0x1000, 0x20000]]) {
        const text = build(one(0x4000, 0x2000), two(at, size));
        assertStringIncludes(text, "region-overlap: ");
        for (const piece of ["0x00004000+0x2000", `0x${at.toString(16).padStart(8, "0")}`, "move or shrink"]) {
          assertStringIncludes(text, piece);
        }
      }
    }
  }
  assertEquals(build(ram({ at: 0, size: 0x4000 }), rom({ at: 0x4000, bytes: new Uint8Array(1) })), "accepted");
});

Deno.test("machine() refuses Regions with absurd places and sizes", () => {
  const bad: readonly (readonly [at: number, size: number])[] = [
    [0, 0],
    [0, -4096],
    [0, NaN],
    [NaN, 4096],
    [0, Infinity],
    [Infinity, 4096],
    [0, 4097],
    [1, 4096],
    [-4096, 8192],
    [0, 0.5],
    [0xffff_f000, 0x2000],
    [2 ** 32, 4096],
    [0, 2 ** 53],
    [0, 3.9 * GiB],
    [0, 2047.5 * MiB],
  ];
  for (const [at, size] of bad) {
    assert(/^(region-range|memory-size): /.test(build(ram({ at, size }))), `ram ${at} ${size}`);
    const mapped = build(mmio({ at, size, handler: registers }));
    assert(/^region-range: /.test(mapped) || size === 2047.5 * MiB, `mmio ${at} ${size}: ${mapped}`);
  }
  assertStringIncludes(build(ram({ at: 0, size: 3 * GiB })), "at most 2047 MiB fit; make RAM smaller");
  assertStringIncludes(build(...[0, 1, 2].map((n) => ram({ at: n * GiB, size: GiB }))), "memory-size: ");
});

Deno.test("presets refuse absurd amounts of memory and name the option", () => {
  const sizes = [0, -1, NaN, Infinity, 1.5, 4096.5, 3.9 * GiB, 4 * GiB, 2 ** 53];
  for (const memory of sizes) {
    for (const make of [pc, vmiPc, tiny]) {
      assertStringIncludes(refusal(() => make({ memory })), "config-value: memory must be an integer from");
    }
  }
  for (const make of [pc, vmiPc, tiny]) {
    assertStringIncludes(refusal(() => make({ memory: 2 * MiB + 1 })), "4 KiB");
    assertStringIncludes(refusal(() => make({ memory: "64" as unknown as number })), 'not "64"');
  }
});

Deno.test("machine() refuses wrong numbers and shapes in a description", () => {
  const cpu = i386();
  const wrong: readonly object[] = [
    { cpu, cpus: 0 },
    { cpu, cpus: 1.5 },
    { cpu, cpus: 1e9 },
    { cpu, hz: 0 },
    { cpu, hz: NaN },
    { cpu, seed: 0.1 },
    { cpu, quantum: 0 },
    { cpu, trace: 1e12 },
    { cpu, memory: 5 },
    { cpu, memory: "ram" },
    { cpu, devices: {} },
    { cpu: 386 },
    { cpu: [] },
    {},
  ];
  for (const config of wrong) {
    const text = refusal(() => machine(config as unknown as MachineConfig));
    assert(/^config-/.test(text), `${JSON.stringify(config)}: ${text}`);
  }
  for (const config of [null, undefined, 7, "pc"]) {
    assertStringIncludes(refusal(() => machine(config as unknown as MachineConfig)), "described by an object");
  }
});

Deno.test("run() and load() refuse wrong budgets and addresses", () => {
  const m = tiny();
  for (const instructions of [-1, NaN, 0.5, 2 ** 60]) {
    assertStringIncludes(refusal(() => m.run({ instructions })), "config-value: instructions");
  }
  for (const ticks of [-1, NaN]) assertStringIncludes(refusal(() => m.run({ ticks })), "config-value: ticks");
  assertStringIncludes(refusal(() => m.run({ budget: 1 } as object)), "config-key");
  for (const at of [-1, NaN, 0.5, 2 ** 32, 2 ** 53, Infinity, 1 * MiB, 1 * MiB - 1]) {
    assertStringIncludes(refusal(() => m.load(at, new Uint8Array(2))), "load-range: ");
  }
});
