#!/usr/bin/env -S deno run
/**
 * Lesson 15, a processor of one's own: an accumulator machine of eight instructions, written here. Run, step, hooks,
 * snapshots and assertions work on it as on any other. Needs no permission.
 */
import { expect, KiB, machine, plainCpu, ram, reached } from "../mod.ts";

const NAMES = ["halt", "load", "store", "add", "sub", "jump", "jzero", "print"];

// Each instruction is an opcode byte and an address byte; `halt` is an opcode byte alone. Words are in memory.
const acc = plainCpu({
  architecture: "acc",
  registers: ["a"],
  execute(cpu) {
    const { r } = cpu, op = cpu.fetch();
    if (op >= NAMES.length) cpu.fault(6); // no such instruction
    if (op === 0) return cpu.halt();
    const at = cpu.fetch();
    if (op === 1) r.a = cpu.read(at, 32);
    else if (op === 2) cpu.write(at, r.a, 32);
    else if (op === 3) r.a += cpu.read(at, 32);
    else if (op === 4) r.a -= cpu.read(at, 32);
    else if (op === 5) r.pc = at;
    else if (op === 6) r.pc = r.a === 0 ? at : r.pc;
    else cpu.writePort(0xe9, r.a);
  },
  disassemble(next) {
    const op = next();
    return op === 0 ? "halt" : op < NAMES.length ? `${NAMES[op]} 0x${next().toString(16)}` : `db ${op}`;
  },
});

/** A line of the program as bytes. */
const line = (text: string): number[] => {
  const [name, address] = text.trim().split(" ");
  return [NAMES.indexOf(name), ...(address === undefined ? [] : [Number(address)])];
};

const m = machine({ cpu: acc, memory: [ram({ at: 0, size: 4 * KiB })] });
const [n, one, sum] = ["0x80", "0x84", "0x88"];
const source = [
  `load ${n}`, // 0x00: as long as n is not 0
  `jzero 0x10`,
  `add ${sum}`, // 0x04: sum = sum + n
  `store ${sum}`,
  `load ${n}`, // 0x08: n = n - 1
  `sub ${one}`,
  `store ${n}`,
  `jump 0x0`, // 0x0e
  `load ${sum}`, // 0x10
  `print 0x0`,
  `halt`,
];
m.load(0, { bytes: Uint8Array.from(source.flatMap(line)) });
m.write(0x80, 10);
m.write(0x84, 1);

let printed = 0;
m.onPort(0xe9, (event) => void (printed = event.value));
let [additions, stores] = [0, 0];
m.onInstruction("add", () => additions++);
m.onMemory({ at: 0x88, size: 4, access: "write" }, () => stores++);

expect(m.run({ until: reached(0x0e), instructions: 1_000 }).kind).toBe("until");
console.log(`Once around: a is ${m.cpu.get("a")}, next comes ${m.cpu.disassemble()[0]}`);
const here = m.snapshot();
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(printed).toBe(55);
expect([additions, stores]).toEqual([10, 10]);
const end = m.hash();

m.restore(here); // and the same way again
m.step();
expect(m.cpu.pc).toBe(0);
m.run({ instructions: 1_000 });
expect(m.hash()).toBe(end);
console.log(`It printed ${printed} after ${m.cpu.instructions} instructions; gone back and on, it ended the same.`);

m.reset();
m.poke(0x10, Uint8Array.of(99)); // an instruction that is not there
const stop = m.run({ instructions: 1_000 });
expect(stop.kind).toBe("fault");
console.log(`Opcode 99 is a ${stop.kind} at 0x${stop.eip.toString(16)}; a is ${m.cpu.get("a")} as before.`);
