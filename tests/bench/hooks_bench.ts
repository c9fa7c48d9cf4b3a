/**
 * What hooks cost: round trips a second into TypeScript for code hooks and ports, and what the rest of the guest pays
 * while a hook is there that it never meets. Run with `deno run -A` or `deno bench -A`.
 */
import { asm } from "../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import type { Device } from "../../lib/core/device.ts";
import { type Machine, machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";
import { least, rate } from "./measure.ts";

const AT = 0x8_0000;
const N = 400_000;

type Engine = "interpreter" | "jit";

function make(engine: Engine, code: ReturnType<typeof asm>, devices: Device[] = []): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })], devices });
  m.load(AT, code);
  m.cpu.set("esp", 0x7_0000);
  return m;
}

function port(): Device {
  let last = 0;
  return {
    name: "port",
    attach: (host) => void host.ports.map(0x80, 1, "port", { read: () => last, write: (_, v) => void (last = v) }),
    reset: () => {},
    save: () => ({ version: 1, fields: {} }),
    load: () => {},
  };
}

const LOOP = asm`
  again: add eax, 2
         dec ecx
         xor edx, eax
         jmp again`;

function measure(engine: Engine): void {
  const prepare = (code: ReturnType<typeof asm>, devices: Device[] = []): Machine => make(engine, code, devices);
  console.log(`engine ${engine}`);
  const plain = prepare(LOOP);
  rate("loop of 4, no hook: instructions", N * 4, least(() => void plain.run({ instructions: N * 4 })));

  const elsewhere = prepare(LOOP);
  elsewhere.onCode(0x1234, () => {});
  rate("loop of 4, code hook elsewhere: instructions", N * 4, least(() => void elsewhere.run({ instructions: N * 4 })));

  const range = prepare(LOOP);
  range.onCode({ at: 0x4_0000, size: 0x1000 }, () => {});
  rate("loop of 4, range hook elsewhere: instructions", N * 4, least(() => void range.run({ instructions: N * 4 })));

  let seen = 0;
  const hooked = prepare(LOOP);
  hooked.onCode(AT, () => void seen++);
  rate("loop of 4, code hook at its head: hooks", N, least(() => void hooked.run({ instructions: N * 4 })), 7);

  const keeps = prepare(LOOP);
  keeps.onCode(AT, (e) => void (seen += e.linear));
  rate("same, reading the event: hooks", N, least(() => void keeps.run({ instructions: N * 4 })), 7);

  const block = prepare(LOOP);
  block.onBlock(() => void seen++);
  rate("loop of 4, block hook: blocks", N, least(() => void block.run({ instructions: N * 4 })), 7);

  const mnemonic = prepare(LOOP);
  mnemonic.onInstruction("dec", () => void seen++);
  rate("loop of 4, hook on DEC: hooks", N, least(() => void mnemonic.run({ instructions: N * 4 })), 7);

  const watched = prepare(asm`
  again: mov [0x20000], eax
         inc eax
         jmp again`);
  watched.onMemory({ at: 0x2_0000, size: 4 }, () => void seen++);
  rate("memory hook: writes", N, least(() => void watched.run({ instructions: N * 3 })), 7);

  const out = prepare(
    asm`
  again: out 0x80, al
         jmp again`,
    [port()],
  );
  rate("OUT to a device: accesses", N, least(() => void out.run({ instructions: N * 2 })), 7);

  const inn = prepare(
    asm`
  again: in al, 0x80
         jmp again`,
    [port()],
  );
  rate("IN from a device: accesses", N, least(() => void inn.run({ instructions: N * 2 })), 7);

  const portHook = prepare(
    asm`
  again: out 0x80, al
         jmp again`,
    [port()],
  );
  portHook.onPort(0x80, () => void seen++);
  rate("OUT with a port hook: accesses", N, least(() => void portHook.run({ instructions: N * 2 })), 7);

  const sti = prepare(asm`
  again: pushfd
         cli
         popfd
         jmp again`);
  rate("PUSHF, CLI, POPF, JMP: instructions", N * 4, least(() => void sti.run({ instructions: N * 4 })));

  const shadowed = prepare(asm`
  again: cli
         sti
         nop
         jmp again`);
  rate("CLI, STI, NOP, JMP: instructions", N * 4, least(() => void shadowed.run({ instructions: N * 4 })));
}

measure("interpreter");
measure("jit");
