#!/usr/bin/env -S deno run
/**
 * Lesson 16, memory of one's own: a window of 16 KiB onto one of four banks, chosen through a port. It is a Region and a
 * device in one object, so that it is reset and saved with the machine. Needs no permission.
 */
import { asm, type Device, expect, i386, KiB, machine, MiB, mmio, type MmioHandler, ram, type Width } from "../mod.ts";

const AT = 0x200000, SIZE = 16 * KiB, PORT = 0x2f0;

class Banks implements MmioHandler, Device {
  readonly name = "banks";
  readonly bytes = new Uint8Array(4 * SIZE);
  readonly view = new DataView(this.bytes.buffer);
  bank = 0;

  // A Region: what the guest reads and writes in the window. Values are unsigned, accesses never cross a page.
  read(offset: number, width: Width): number {
    const at = this.bank * SIZE + offset;
    return width === 8 ? this.bytes[at] : width === 16 ? this.view.getUint16(at, true) : this.view.getUint32(at, true);
  }
  write(offset: number, value: number, width: Width): void {
    for (let i = 0; i < width / 8; i++) this.bytes[this.bank * SIZE + offset + i] = value >>> (8 * i);
  }
  peek(offset: number, width: Width): number {
    return this.read(offset, width); // looking has no effect here
  }

  // A device: the port that switches, and what is to be reset and saved.
  attach(host: Parameters<Device["attach"]>[0]): void {
    host.ports.map(PORT, 1, this.name, {
      read: () => this.bank,
      write: (_port, value) => void (this.bank = value & 3),
    });
  }
  reset(): void {
    this.bank = 0;
  }
  save() {
    return { version: 1, fields: { bank: this.bank, bytes: this.bytes } };
  }
  load(section: { readonly fields: { readonly [name: string]: unknown } }): void {
    this.bank = section.fields.bank as number;
    this.bytes.set(section.fields.bytes as Uint8Array);
  }
}

const banks = new Banks();
const window = mmio({ at: AT, size: SIZE, name: "window", handler: banks });
const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB }), window], devices: [banks] });
m.load(
  0x7c00,
  asm`
    mov dx, ${PORT}
    xor eax, eax
  fill:                       ; each bank gets its number at its begin, and a subroutine that returns it squared
    out dx, al
    mov [${AT}], eax
    mov dword [${AT} + 16], 0xc3c0af0f    ; imul eax, eax; ret
    inc eax
    cmp eax, 4
    jb fill
    xor esi, esi
    xor ebx, ebx
  sum:
    mov eax, esi
    out dx, al
    mov eax, [${AT}]
    mov ecx, ${AT} + 16
    call ecx                  ; the code comes from the bank that is switched in
    add ebx, eax
    inc esi
    cmp esi, 4
    jb sum
    hlt
  `,
);

const fresh = m.snapshot();
let writes = 0;
m.onMemory({ at: AT, size: SIZE, access: "write" }, () => writes++);
expect(m.run({ instructions: 1_000 }).kind).toBe("halt");
expect(m.cpu.ebx).toBe(0 + 1 + 4 + 9);
expect([banks.bank, writes]).toEqual([3, 8]);
console.log(`Four banks behind one window: the sum is ${m.cpu.ebx}, after ${writes} writes.`);

const end = m.hash();
expect([0, 1, 2, 3].map((n) => banks.bytes[n * SIZE])).toEqual([0, 1, 2, 3]);
m.restore(fresh);
expect(banks.bytes.every((byte) => byte === 0)).toBe(true);
m.run({ instructions: 1_000 });
expect(m.hash()).toBe(end);
console.log("The banks went back with the machine, and came out the same.");
