import { asm, asm16 } from "../../../lib/cpu/i386/asm/template.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { pc, tiny, vmiPc } from "../../../lib/machine/presets.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";

const MiB = 2 ** 20;
const code = (bits: 16 | 32, bytes: readonly number[]) => ({ bits, bytes: Uint8Array.from(bytes) });

Deno.test("tiny() runs a program", () => {
  const m = tiny().load(0x1000, code(32, [0x40, 0xf4])); // inc eax; hlt
  assertEquals(m.run().kind, "halt");
  assertEquals(m.cpu.eax, 1);
});

Deno.test("pc() writes to serial port and screen, and until sees both", () => {
  const m = pc({ memory: 4 * MiB });
  // mov dx, 0x3f8; mov al, 'O'; out dx, al; mov al, 'K'; out dx, al; mov dword [0xb8000], 0x07690748; jmp $
  m.load(
    0x7c00,
    code(32, [
      ...[0x66, 0xba, 0xf8, 3, 0xb0, 0x4f, 0xee, 0xb0, 0x4b, 0xee],
      ...[0xc7, 5, 0, 0x80, 0x0b, 0, 0x48, 7, 0x69, 7, 0xeb, 0xfe],
    ]),
  );
  const stop = m.run({ until: m.serial.contains("OK"), instructions: 1000 });
  assertEquals([stop.kind, stop.eip], ["until", 0x7c0a]);
  assertEquals(m.run({ until: m.screen.contains("Hi"), instructions: 300_000 }).kind, "until");
  assertEquals(m.screen.text(), "Hi");
  assertEquals(m.run({ until: m.screen.contains("Hi  "), instructions: 300_000 }).kind, "until"); // blanks count
});

Deno.test("pc() delivers timer interrupts through the controllers to a halted guest", () => {
  for (const engine of ["reference", "interpreter", "jit"] as const) {
    const m = pc({ memory: 4 * MiB, engine });
    // Real mode: vector 8 -> 0:0x7d00 (inc word [0x600]; mov al, 0x20; out 0x20, al; iret)
    m.load(0x7d00, Uint8Array.of(0xff, 6, 0, 6, 0xb0, 0x20, 0xe6, 0x20, 0xcf));
    m.load(0x20, Uint8Array.of(0, 0x7d, 0, 0));
    const out = (port: number, value: number): number[] => [0xb0, value, 0xe6, port];
    m.load(
      0x7c00,
      code(16, [
        ...out(0x20, 0x11),
        ...out(0x21, 8),
        ...out(0x21, 4),
        ...out(0x21, 1),
        ...out(0x21, 0xfe),
        ...out(0x43, 0x34),
        ...out(0x40, 0xa9),
        ...out(0x40, 4), // mode 2, 1193: about 1000 Hz
        ...[0xfb, 0xf4, 0xeb, 0xfd], // sti; hlt; jmp to hlt
      ]),
    );
    const stop = m.run({ ticks: m.clock.hz / 10 });
    assertEquals(stop.kind, "budget");
    const ticks = m.physical.peek16(0x600);
    assert(ticks >= 99 && ticks <= 101, `${ticks} interrupts`);
    assertEquals(m.now, m.clock.hz / 10);
  }
});

Deno.test("pc() tells the time of its own clock, and reboots or stops on request", () => {
  const m = pc({ memory: 4 * MiB });
  const cmos = (n: number): number => {
    m.ports.write(0x70, n, 8);
    return m.ports.read(0x71, 8);
  };
  assertEquals([0x32, 9, 8, 7, 4, 2, 0].map(cmos), [0x20, 0x00, 1, 1, 0, 0, 0]);
  const leap = pc({ memory: 4 * MiB, date: "2024-02-29T23:59:58" });
  leap.load(0, code(32, [0xeb, 0xfe]));
  leap.ports.write(0x70, 7, 8);
  assertEquals(leap.ports.read(0x71, 8), 0x29);
  m.load(0x7c00, code(32, [0xb0, 0xfe, 0xe6, 0x64, 0xf4])); // mov al, 0xfe; out 0x64, al
  assertEquals(m.run().kind, "reset");
});

Deno.test("presets refuse unknown keys and sizes", () => {
  assertThrows(() => pc({ memroy: 1 } as never), ConfigError, '"memory"');
  assertThrows(() => pc({ memory: 1 }), ConfigError, "memory must be");
  assertThrows(() => pc({ bios: new Uint8Array(5) }), ConfigError, "BIOS");
});

Deno.test("vmiPc() shows the option ROM to the guest", () => {
  const m = vmiPc({ memory: 4 * MiB });
  assertEquals([...m.peek(m.paravirt.at, 2)], [0x55, 0xaa]);
  assertEquals(m.paravirt.record().names(), []);
});

Deno.test("pc() has a keyboard that types in virtual time", () => {
  const m = pc({ memory: 4 * MiB });
  // Polls the controller and stores scan codes from 0x1000 on: in al, 0x64; test al, 1; jz; in al, 0x60; stosb; jmp
  m.load(0x7c00, code(32, [0xbf, 0, 0x10, 0, 0, 0xe4, 0x64, 0xa8, 1, 0x74, 0xfa, 0xe4, 0x60, 0xaa, 0xeb, 0xf5]));
  m.ports.write(0x64, 0x60, 8);
  m.ports.write(0x60, 0x40, 8); // keyboard on, translation to set 1, no interrupts
  m.keyboard.type("aB");
  m.run({ ticks: m.clock.hz / 10 });
  assertEquals([...m.peek(0x1000, 7)], [0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0]);
  assertThrows(() => m.keyboard.type("\u00e9"), ConfigError, "US layout");
});

Deno.test("a program's stack lies in RAM wherever it is loaded on a pc()", () => {
  const push = asm`
    push dword 0x12345678
    pop eax
    hlt`;
  for (const at of [0x1000, 0x7c00, 0x9f000, 0xf0000, 0x100000, 0x200000]) {
    const m = pc({ memory: 4 * MiB }).load(at, push);
    assertEquals([m.run({ instructions: 10 }).kind, m.cpu.eax], ["halt", 0x12345678], `at 0x${at.toString(16)}`);
  }
  for (const at of [0, 0x7c00, 0x10000, 0x9f000]) {
    const m = pc({ memory: 4 * MiB }).load(
      at,
      asm16`
      push word 0x1234
      pop ax
      hlt`,
    );
    assertEquals([m.run({ instructions: 10 }).kind, m.cpu.eax & 0xffff], ["halt", 0x1234], `at 0x${at.toString(16)}`);
  }
});
