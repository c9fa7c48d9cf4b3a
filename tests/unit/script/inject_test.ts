/** Faults and interrupts that a script puts before a guest, on every engine: at rest, out of a hook, halted, wrong. */
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import type { EngineName } from "../../../lib/cpu/i386/factory.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import type { Machine } from "../../../lib/machine/machine.ts";
import { tiny } from "../../../lib/machine/presets.ts";
import { expect, ExpectationError } from "../../../lib/script/expect.ts";
import { inject } from "../../../lib/script/inject.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../scripts/deps/std.ts";
import { fakeCpu } from "../machine/fake_cpu.ts";
import { machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";

const ENGINES: readonly EngineName[] = ["reference", "interpreter", "jit"];
const IDT = 0x2000, GDT = 0x1000;

/** Flat ring 0; handlers of #UD, #GP, #PF and vector 0x40 note what they find, EDI counts the loop. */
function guest(engine: EngineName, body = "main: inc edi\njmp main"): Machine {
  const m = tiny({ engine });
  m.write(GDT + 8, 0x0000ffff);
  m.write(GDT + 12, 0x00cf9b00);
  m.write(GDT + 16, 0x0000ffff);
  m.write(GDT + 20, 0x00cf9300);
  const source = `
    lgdt [gdt]
    lidt [idt]
    mov dword [${IDT + 8 * 6}], 0x80000 + nocode
    mov dword [${IDT + 8 * 13}], 0x80000 + code
    mov dword [${IDT + 8 * 14}], 0x80000 + code
    mov dword [${IDT + 8 * 0x40}], 0x80000 + nocode
    mov ecx, 0x41
    mov ebx, ${IDT + 4}
    gates: mov dword [ebx], 0x8e00
    add ebx, 8
    loop gates
    ${body}
  code:
    pop esi
    mov eax, cr2
    iret
  nocode:
    mov ebp, [esp]
    mov esi, -1
    iret
  gdt: dw 23
    dd ${GDT}
  idt: dw 0x7ff
    dd ${IDT}
  `;
  const program = assemble(source, { bits: 32, origin: 0x7c00 });
  m.load(0x7c00, program);
  m.run({ instructions: 1000 });
  assert(m.cpu.edi > 100 || body.includes("hlt"), "the guest is in its loop");
  return m;
}

for (const engine of ENGINES) {
  Deno.test(`inject(): faults enter their handlers at once, with code and address, engine ${engine}`, () => {
    const m = guest(engine);
    const seen: string[] = [];
    for (const vector of [6, 13, 14]) {
      m.onFault(vector, (e) => void seen.push(`${e.vector} ${e.errorCode} ${e.linear.toString(16)}`));
    }
    const { eip } = m.cpu;
    inject(m, { fault: 14, errorCode: 6, linear: 0xdead0000 });
    assert(m.cpu.eip !== eip, "the handler is entered without running");
    m.run({ instructions: 3 });
    assertEquals([m.cpu.esi, m.cpu.eax, m.cpu.eip], [6, 0xdead0000, eip]);
    inject(m, { fault: 13 });
    m.run({ instructions: 3 });
    assertEquals([m.cpu.esi, m.cpu.eip], [0, eip]);
    inject(m, { fault: 6 });
    m.run({ instructions: 3 });
    assertEquals([m.cpu.esi, m.cpu.ebp, m.cpu.eip], [0xffffffff, eip, eip]);
    assertEquals(seen, ["14 6 dead0000", "13 0 0", "6 -1 0"]);
  });

  Deno.test(`inject(): an interrupt out of a hook comes at the next boundary, engine ${engine}`, () => {
    const m = guest(engine);
    let once = 0;
    m.onCode(m.cpu.pcLinear, () => {
      if (once++ === 0) inject(m, { interrupt: 0x40 });
    });
    m.run({ instructions: 100 });
    assert(once > 1, "the loop went on");
    assertEquals(m.cpu.esi, 0xffffffff);
  });

  Deno.test(`inject(): a halted CPU wakes, and one without handlers shuts down, engine ${engine}`, () => {
    const m = guest(engine, "cli\nhlt\nmov edi, 77\njmp $");
    inject(m, { interrupt: 0x40 });
    m.run({ instructions: 10 });
    assertEquals([m.cpu.edi, m.cpu.esi], [77, 0xffffffff]);
    const bare = tiny({ engine });
    bare.load(0x7c00, asm`jmp $`);
    bare.run({ instructions: 10 });
    inject(bare, { fault: 6 });
    expect(bare.run({ instructions: 10 })).toMatchObject({ kind: "fault", vector: 6 });
    assertThrows(() => inject(bare, { fault: 6 }), ConfigError, "is shut down");
  });

  Deno.test(`inject(): a machine restored goes the same way after the same injection, engine ${engine}`, () => {
    const m = guest(engine);
    const start = m.snapshot();
    const way = (): unknown => {
      m.run({ instructions: 57 });
      inject(m, { fault: 14, errorCode: 2, linear: 0x1234 });
      m.run({ instructions: 57 });
      return m.hash();
    };
    const first = way();
    m.restore(start);
    assertEquals(way(), first);
  });
}

Deno.test("inject() refuses what is no fault or interrupt", () => {
  const m = guest("interpreter");
  const wrong = [{ fault: 32 }, { fault: 2 }, { fault: -1 }, { fault: 6, errorCode: 1 }, {
    fault: 14,
    linear: 2 ** 32,
  }];
  for (const what of [...wrong, { interrupt: 256 }, { interrupt: 1.5 }]) {
    const { code } = assertThrows(() => inject(m, what), ConfigError);
    assertEquals(code, "inject-argument", JSON.stringify(what));
  }
  const other = machine({ cpu: fakeCpu(), memory: [ram({ at: 0, size: 4096 })] });
  assertEquals(assertThrows(() => inject(other, { fault: 6 }), ConfigError).code, "inject-cpu");
});

Deno.test("expect() of a machine says where it stands, in a few lines", () => {
  const m = guest("interpreter");
  const { message } = assertThrows(() => expect(m).toBe(1), ExpectationError);
  assertStringIncludes(message, "found: a machine at 0x00007c");
  assert(message.length < 2000, message);
  const long = assertThrows(() => expect(Array(32).fill("x".repeat(300))).toBe(1), ExpectationError);
  assert(long.message.length < 4000);
});
