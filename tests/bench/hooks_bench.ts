/**
 * What hooks cost: round trips a second into TypeScript for code hooks and ports, and what the rest of the guest pays
 * while a hook is there that it never meets. Run with `deno run -A` or `deno bench -A`.
 */
import { assemble } from "../../lib/cpu/i386/asm/assemble.ts";
import { asm } from "../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import type { Device } from "../../lib/core/device.ts";
import { type Machine, machine } from "../../lib/machine/machine.ts";
import { ram } from "../../lib/memory/region.ts";
import { least, rate } from "./measure.ts";

const AT = 0x8_0000;
const N = 400_000;

type Engine = "interpreter" | "jit";

function make(engine: Engine, code: Parameters<Machine["load"]>[1], devices: Device[] = []): Machine {
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

/** A loop whose first instruction enters a handler, which goes on behind it. */
function eventLoop(engine: Engine, first: string, vector: number): Machine {
  const source = `
    lgdt [gd]
    lidt [id]
    mov eax, handler
    mov [${0x1000 + 8 * vector}], ax
    shr eax, 16
    mov [${0x1000 + 8 * vector + 6}], ax
    mov dword [${0x1000 + 8 * vector + 2}], 0x8e000008
    again: ${first}
    jmp again
    handler: ${vector === 6 ? "add dword [esp], 2" : "nop"}
    iretd
    align 8
    gdt: dd 0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcf9300
    gd: dw 23
    dd gdt
    id: dw 0x7ff
    dd 0x1000`;
  return make(engine, assemble(source, { origin: AT }));
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

  const reads = prepare(asm`
  again: mov eax, [0x20000]
         inc eax
         jmp again`);
  reads.onMemory({ at: 0x2_0000, size: 4 }, () => void seen++);
  rate("memory hook: reads", N, least(() => void reads.run({ instructions: N * 3 })), 7);

  const changed = prepare(asm`
  again: inc dword [0x20000]
         jmp again`);
  changed.onMemory({ at: 0x2_0000, size: 4 }, () => void seen++);
  rate("memory hook: reads and writes of INC", N * 2, least(() => void changed.run({ instructions: N * 2 })), 7);

  const beside = prepare(asm`
  again: mov [0x20100], eax
         inc eax
         jmp again`);
  beside.onMemory({ at: 0x2_0000, size: 4 }, () => void seen++);
  rate("memory hook elsewhere in the page: writes", N, least(() => void beside.run({ instructions: N * 3 })));

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

  const inHook = prepare(
    asm`
  again: in al, 0x80
         jmp again`,
    [port()],
  );
  inHook.onPort(0x80, (e) => void (e.value = 3));
  rate("IN with a port hook that answers: accesses", N, least(() => void inHook.run({ instructions: N * 2 })), 7);

  const events = (first: string, vector: number, per: number): void => {
    const plain = eventLoop(engine, first, vector), hooked = eventLoop(engine, first, vector);
    rate(`${first} and IRET, no hook: events`, N, least(() => void plain.run({ instructions: N * per })));
    if (vector === 6) hooked.onFault(vector, () => void seen++);
    else hooked.onInterrupt(vector, () => void seen++);
    rate(`${first} and IRET, with its hook: events`, N, least(() => void hooked.run({ instructions: N * per })));
  };
  events("int 0x40", 0x40, 5);
  events("ud2", 6, 5);

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
