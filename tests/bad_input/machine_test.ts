/**
 * Descriptions of machines that cannot be: each is refused by a ConfigError that names the value, before memory is spent.
 */
import {
  ConfigError,
  GiB,
  i386,
  inject,
  machine,
  type MachineConfig,
  MiB,
  mmio,
  pc,
  plainCpu,
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

/** Scripts run without a type check, too: anything may stand where something else is meant. */
const JUNK: readonly unknown[] = [null, 5, "text", {}, [], () => {}, { name: "x" }];

Deno.test("what is not of the shape of its contract is refused by name, whatever stands there instead", () => {
  const m = tiny(), board = pc({ memory: 4 * MiB });
  const places: Readonly<Record<string, (junk: never) => unknown>> = {
    "machine": (junk) => machine(junk),
    "cpu": (junk) => machine({ cpu: junk }),
    "memory": (junk) => machine({ cpu: i386(), memory: [junk] }),
    "handler": (handler) => machine({ cpu: i386(), memory: [mmio({ at: 0, size: 4096, handler })] }),
    "rom": (bytes) => machine({ cpu: i386(), memory: [rom({ at: 0, bytes })] }),
    "device": (junk) => machine({ cpu: i386(), devices: [junk] }),
    "platform": (platform) => machine({ cpu: i386(), platform }),
    "paravirt": (paravirt) => machine({ cpu: i386(), paravirt }),
    "card": (junk) => pc({ cards: [junk] }),
    "disk": (junk) => pc({ disks: [junk] }),
    "backend": (backend) => vmiPc({ backend }),
    "personality": (personality) => pc({ personality }),
    "instruction set": (junk) => plainCpu(junk),
    "load": (junk) => m.load(0x1000, junk),
    "boot": (junk) => m.boot(junk),
    "restore": (junk) => m.restore(junk),
    "until": (until) => m.run({ until, instructions: 1 }),
    "register": (junk) => m.cpu.set("eax", junk),
    "xmm": (junk) => m.cpu.set("xmm0", junk),
    "line": (junk) => board.irq(junk, true),
    "read width": (junk) => m.read(0, junk),
    "fault": (junk) => inject(m, { fault: junk }),
  };
  const fits = new Set(["backend null", "paravirt []", "register 5", "line 5", "until () => {}", "fault 5"]); // what happens to be right
  const wrong: string[] = [];
  for (const [name, give] of Object.entries(places)) {
    for (const junk of JUNK) {
      const what = `${name} ${typeof junk === "function" ? "() => {}" : JSON.stringify(junk)}`;
      const answer = refusal(() => give(junk as never));
      if ((answer === "accepted") !== fits.has(what)) wrong.push(`${what}: ${answer}`);
    }
  }
  assertEquals(wrong, []);
});

Deno.test("addresses, widths and lines that are not there are refused, and nothing is lost in silence", () => {
  const m = tiny();
  assertStringIncludes(refusal(() => m.poke(0x200000, Uint8Array.of(1))), "memory-unmapped");
  assertStringIncludes(refusal(() => m.poke(0xffffe, new Uint8Array(4))), "do not all lie in RAM");
  assertStringIncludes(refusal(() => m.peek(-5, 10)), "No memory is mapped at 0x");
  assertStringIncludes(refusal(() => m.read(0, 64 as 32)), "8, 16 or 32 bits");
  assertStringIncludes(refusal(() => pc({ memory: 4 * MiB }).irq(24, true)), "0 to 23");
  assertStringIncludes(refusal(() => m.cpu.set("eax", 1.5)), "whole number");
  assertStringIncludes(build(ram({ at: -4096, size: 4096 })), "0xfffff000");
});
