#!/usr/bin/env -S deno run
/**
 * Lesson 2, ports and hooks: a guest that prints through a port, a device of one's own in ten lines that takes what it
 * prints, and hooks that count instructions, watch memory and change a byte on its way. Needs no permission.
 */
import { asm, type Device, expect, i386, machine, MiB, ram } from "../mod.ts";

let printed = "";
const printer: Device = {
  name: "printer",
  attach(host) {
    const write = (_port: number, value: number) => void (printed += String.fromCharCode(value));
    host.ports.map(0xe9, 1, "printer", { read: () => 0xe9, write });
  },
  reset() {},
  save: () => ({ version: 1, fields: {} }), // nothing that the guest could notice
  load() {},
};

const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })], devices: [printer] });
m.load(
  0x7c00,
  asm`
    mov esi, text
  next:
    mov al, [esi]
    inc esi
    test al, al
    jz done
    out 0xe9, al
    inc dword [0x1000]
    jmp next
  done:
    hlt
  text: db "hello, world", 0
  `,
);

let [outs, writes] = [0, 0];
m.onInstruction("out", () => outs++);
m.onMemory({ at: 0x1000, size: 4, access: "write" }, () => writes++);
const remove = m.onPort(0xe9, (event) => {
  if (event.value === 0x2c) event.value = 0x21; // the comma becomes an exclamation mark
});
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(printed).toBe("hello! world");
expect([outs, writes, m.read(0x1000)]).toEqual([12, 12, 12]);
console.log(`The guest printed: ${printed}`);
console.log(`${outs} OUT instructions, ${writes} writes to the counter.`);

remove(); // once more, with nobody in the way
m.reset();
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(printed).toEndWith("hello, world");
console.log(`Without the port hook: ${printed.slice(12)}`);
