/** A user's instruction set in a machine: everything a machine does with a CPU, around it. */
import { plainCpu } from "../../../../lib/cpu/plain/plain_cpu.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { type Machine, machine } from "../../../../lib/machine/machine.ts";
import type { Platform } from "../../../../lib/machine/platform.ts";
import { Snapshot } from "../../../../lib/machine/snapshot.ts";
import { ram } from "../../../../lib/memory/region.ts";
import { expect, ExpectationError } from "../../../../lib/script/expect.ts";
import { inject } from "../../../../lib/script/inject.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";
import { Acc, acc8 } from "./acc8.ts";

function program(
  bytes: readonly number[],
  more: { handlers?: boolean; platform?: Platform; cpus?: number } = {},
): Machine {
  const { handlers = false, ...rest } = more;
  const m = machine({ cpu: plainCpu(acc8(handlers)), memory: [ram({ at: 0, size: 0x1000 })], quantum: 7, ...rest });
  return m.load(0x40, { bytes: Uint8Array.from(bytes) });
}

/** again: load [0]; add 1; store [0]; jump again */
const COUNT = [Acc.load, 0, Acc.add, 1, Acc.store, 0, Acc.jump, 0x40];

/** A line whose vector is 2. */
function line(): Platform {
  let [level, told] = [false, (): void => {}];
  const set = (on: boolean): void => {
    level = on;
    told();
  };
  const controller = {
    get pending(): boolean {
      return level;
    },
    acknowledge(): number {
      level = false;
      return 2;
    },
  };
  return { irq: () => ({ set }), interrupts: () => controller, listen: (changed) => void (told = changed) };
}

Deno.test("plainCpu() runs a program to its halt, exact to the instruction", () => {
  const m = program([Acc.set, 40, Acc.add, 2, Acc.halt]);
  assertEquals(m.run({ instructions: 2 }), { kind: "budget", instructions: 2, eip: 0x44 });
  assertEquals(m.step().kind, "budget");
  assertEquals(m.run(), { kind: "halt", eip: 0x45 });
  assertEquals([m.cpu.get("a"), m.cpu.instructions, m.now], [42, 3, 3]);
  assertEquals([m.cpu.architecture, m.cpu.registerNames], ["acc8", ["a", "link", "pc"]]);
  m.reset();
  assertEquals([m.cpu.pc, m.cpu.get("a"), m.run().kind], [0x40, 0, "halt"]);
});

Deno.test("plainCpu() fires hooks of each kind, and they change nothing", () => {
  const plain = program(COUNT), m = program(COUNT);
  const seen: string[] = [];
  m.onCode(0x44, () => seen.push("code"));
  m.onInstruction("add", (e) => seen.push(`${e.mnemonic} ${e.linear}`));
  m.onBlock((e) => seen.push(`block ${e.linear}`));
  m.onMemory({ at: 0x200, size: 4, access: "write" }, (e) => seen.push(`write ${e.size} ${e.value}`));
  m.onMemory({ at: 0x202, access: "read" }, (e) => seen.push(`read ${e.value}`));
  for (const one of [plain, m]) one.run({ instructions: 5 });
  assertEquals(seen, ["block 64", "read 0", "add 66", "code", "write 4 1", "block 64", "read 1"]);
  assertEquals(m.hash(), plain.hash());
});

Deno.test("plainCpu(): a code hook stops before the instruction, once, and may move pc", () => {
  const m = program(COUNT);
  const remove = m.onCode(0x42, (e) => e.stop("here"));
  assertEquals(m.run(), { kind: "hook", name: "here", eip: 0x42 });
  assertEquals(m.cpu.instructions, 1);
  assertEquals(m.run().kind, "hook");
  assertEquals(m.cpu.instructions, 5);
  remove();
  m.onCode(0x46, () => m.cpu.set("pc", 0x80));
  m.poke(0x80, Uint8Array.of(Acc.halt));
  assertEquals(m.run(), { kind: "halt", eip: 0x81 });
});

Deno.test("plainCpu(): snapshots resume exactly, also from bytes, and damaged ones are refused", () => {
  const m = program(COUNT);
  m.run({ instructions: 99 });
  const here = m.snapshot();
  m.run({ instructions: 1000 });
  const end = m.hash();
  m.restore(Snapshot.fromBytes(here.toBytes()));
  m.run({ instructions: 1000 });
  assertEquals(m.hash(), end);
  const cpu = m.cpu.cpu, section = cpu.save();
  for (const field of Object.keys(section.fields)) {
    const fields = { ...section.fields };
    delete fields[field];
    assertThrows(() => cpu.load({ version: 1, fields }), ConfigError, "damaged");
  }
  assertThrows(() => cpu.load({ ...section, version: 2 }), ConfigError, "version 2");
});

Deno.test("plainCpu(): a fault changes no register; without handler it ends the run, with one it goes there", () => {
  const bytes = [Acc.set, 7, 99, Acc.halt];
  const faults: number[] = [];
  const bare = program(bytes);
  bare.onFault(undefined, (e) => faults.push(e.vector));
  assertEquals(bare.run(), { kind: "fault", vector: 6, errorCode: 0, linear: 0, eip: 0x42 });
  assertEquals([bare.cpu.get("a"), bare.cpu.pc, faults], [7, 0x42, [6]]);
  const handled = program(bytes, { handlers: true });
  handled.poke(0x60, Uint8Array.of(Acc.halt));
  assertEquals(handled.run(), { kind: "halt", eip: 0x61 });
  assertEquals([handled.cpu.get("link"), handled.cpu.get("a")], [0x42, 7]);
});

Deno.test("plainCpu(): interrupts wake it when it lets them in, and inject() delivers events", () => {
  const bytes = [Acc.enable, Acc.halt, Acc.set, 5, Acc.halt];
  const m = program(bytes, { handlers: true, platform: line() });
  m.poke(0x20, Uint8Array.of(Acc.set, 9, Acc.halt));
  const vectors: number[] = [];
  m.onInterrupt(undefined, (e) => vectors.push(e.vector));
  assertEquals(m.run().kind, "halt");
  m.irq(0, true);
  assertEquals(m.run(), { kind: "halt", eip: 0x23 });
  assertEquals([m.cpu.get("a"), m.cpu.get("link"), vectors], [9, 0x42, [2]]);
  inject(m, { interrupt: 3 });
  assertEquals([m.cpu.pc, m.cpu.get("link")], [0x30, 0x23]);
  inject(m, { fault: 4 });
  assertEquals([m.cpu.pc, m.cpu.get("link")], [0x40, 0x30]);
  assertThrows(() => inject(m, { interrupt: 256 }), ConfigError, "0 to 255");
  const deaf = program(bytes, { platform: line() });
  deaf.irq(0, true);
  assertEquals(deaf.run().kind, "halt");
  assertThrows(() => inject(deaf, { interrupt: 3 }), ConfigError);
});

Deno.test("plainCpu(): several take turns, and a run cut into pieces is the same run", () => {
  const whole = program(COUNT, { cpus: 2 }), pieces = program(COUNT, { cpus: 2 });
  for (const m of [whole, pieces]) m.cpus[1].set("pc", 0x40);
  whole.run({ instructions: 500 });
  for (let i = 0; i < 100; i++) pieces.run({ instructions: 5 });
  assertEquals(pieces.hash(), whole.hash());
  assert(whole.read(0x200) > 60);
});

Deno.test("plainCpu(): a failed assertion shows the instruction, the registers and the trace", () => {
  const m = program([Acc.set, 40, Acc.halt]);
  m.step();
  m.note("lesson", "half way");
  const error = assertThrows(() => expect(m).toBe(0), ExpectationError);
  for (const text of ["halt", "a 0x00000028", "pc 0x00000042", "half way", "plain engine"]) {
    assertStringIncludes(error.message, text);
  }
});

Deno.test("plainCpu() refuses what it cannot do", () => {
  const set = acc8(false);
  assertThrows(() => plainCpu({ ...set, registers: ["a", "a"] }), ConfigError, 'two registers "a"');
  assertThrows(() => plainCpu({ ...set, registers: ["pc"] }), ConfigError, 'two registers "pc"');
  const m = program([Acc.halt]);
  assertThrows(() => m.cpu.get("eax"), ConfigError, "there are a link pc");
  assertThrows(() => m.cpu.set("a", 1n), ConfigError, "whole number");
  m.run();
  assertThrows(() => m.load(0, { bits: 32, bytes: Uint8Array.of(0) }), ConfigError, 'mode "plain"');
});
