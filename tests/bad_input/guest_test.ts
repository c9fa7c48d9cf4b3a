/**
 * Guests that misbehave: triple faults, writes where nothing may be written, loops with interrupts off, storms of port
 * accesses. The run ends with its StopReason, in bounded time and memory, on each engine alike.
 */
import { asm, asm16, assemble, type EngineName, i386, machine, MiB, pc, ram, rom } from "../../mod.ts";
import { assert, assertEquals } from "../../scripts/deps/std.ts";

const ENGINES: readonly EngineName[] = ["interpreter", "jit", "reference"];

Deno.test("a kernel that loads an empty IDT and faults ends the run as a triple fault at the faulting instruction", () => {
  const kernel = asm`
    lidt [none]
    mov eax, 1
    xor ecx, ecx
    div ecx
    hlt
  none:
    dw 0
    dd 0
  `;
  for (const engine of ENGINES) {
    const m = pc({ memory: 4 * MiB, engine });
    m.load(0x10_0000, kernel);
    const stop = m.run({ instructions: 100 });
    assertEquals(stop, { kind: "fault", vector: 0, errorCode: 0, linear: 0, eip: 0x10_000e });
    assertEquals(m.cpu.eax, 1);
  }
});

Deno.test("a kernel whose page tables vanish under it ends the run as a triple fault, or reboots if asked to", () => {
  const kernel = asm`
    mov eax, 0x200000 ; an empty page directory
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    hlt
  `;
  for (const engine of ENGINES) {
    const m = pc({ memory: 4 * MiB, engine });
    m.load(0x10_0000, kernel);
    const stop = m.run({ instructions: 100 });
    assert(stop.kind === "fault" && stop.vector === 14 && stop.linear === stop.eip, JSON.stringify(stop));
    const again = pc({ memory: 4 * MiB, engine, onReset: "reboot" });
    again.load(0x10_0000, kernel);
    assertEquals(again.run({ instructions: 1000 }).kind, "budget");
  }
});

Deno.test("guest writes to ROM and to nothing change nothing and leave a bounded trace", () => {
  // Every page from 1 MiB to 5 MiB, over and over: first a ROM, then nothing.
  const storm = asm`
  again: mov edi, 0x100000
  next:  mov dword [edi], 0x12345678
         add edi, 4096
         cmp edi, 0x500000
         jb next
         jmp again
  `;
  for (const engine of ENGINES) {
    const bytes = new Uint8Array(1 * MiB).fill(0x5a);
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 * MiB }), rom({ at: 1 * MiB, bytes })] });
    m.load(0x7c00, storm);
    assertEquals(m.run({ instructions: 30_000 }).kind, "budget");
    assertEquals(m.peek(1 * MiB, 1 * MiB), bytes);
    assertEquals(m.read(0x40_0000), 0xffff_ffff);
    const entries = m.trace.tail();
    assert(entries.length > 0 && entries.length <= m.trace.capacity);
    assert(entries.every((e) => e.kind === "memory"));
    assert(m.trace.total <= 1024, `${m.trace.total} entries for 1024 pages`);
  }
});

Deno.test("a loop with interrupts off is ended by its budget, exactly, while timers are due", () => {
  const loop = asm16`
    cli
    mov al, 0x34
    out 0x43, al
    mov al, 0x10
    out 0x40, al
    mov al, 0
    out 0x40, al
    jmp $
  `;
  for (const engine of ENGINES) {
    const m = pc({ memory: 4 * MiB, engine });
    m.load(0x7c00, loop);
    const budget = engine === "reference" ? 20_000 : 5_000_000;
    assertEquals(m.run({ instructions: budget }), { kind: "budget", instructions: budget, eip: 0x7c0d });
    assertEquals(m.cpu.instructions, budget);
  }
});

Deno.test("a halt with interrupts off ends the run at once", () => {
  const m = pc({ memory: 4 * MiB });
  m.load(
    0x7c00,
    asm16`cli
    hlt`,
  );
  assertEquals(m.run(), { kind: "halt", eip: 0x7c02 });
});

for (const access of ["out dx, al", "out dx, ax", "out dx, eax", "in al, dx", "in ax, dx", "in eax, dx"]) {
  Deno.test(`a storm of ${access} over every port, with changing values, ends with its budget`, () => {
    const program = assemble(`
      mov edx, [0x608]        ; goes on after a reset, which some port will cause
      mov esi, [0x60c]
      next:  inc edx
             and edx, 0xffff
             jnz same
             inc dword [0x600] ; whole passes
      same:  add esi, 0x01030507
             mov [0x608], edx
             mov [0x60c], esi
             mov eax, esi
             ${access}
             jmp next
    `);
    const m = pc({ memory: 4 * MiB, onReset: "reboot" });
    m.load(0x7c00, program); // below 1 MiB: some port switches address line 20 off
    for (let left = 3_000_000; left > 0;) {
      const before = m.cpu.instructions;
      const { kind } = m.run({ instructions: left });
      // Some port switches the power off, or asks for a sleep state that is not there.
      assert(kind === "budget" || kind === "power-off" || kind === "unimplemented", kind);
      left = kind === "budget" ? 0 : left - (m.cpu.instructions - before) - 1;
      m.reset();
    }
    assert(m.read(0x600) >= 4, `${m.read(0x600)} passes`);
    assert(m.trace.tail().length <= m.trace.capacity);
    assert(m.serial.text.length <= 1 << 22);
  });
}

Deno.test("a million writes to one port that nobody owns leave few trace entries", () => {
  const m = pc({ memory: 4 * MiB });
  m.load(
    0x10_0000,
    asm`
    mov edx, 0x5678
    again: out dx, eax
    jmp again`,
  );
  assertEquals(m.run({ instructions: 1_000_000 }).kind, "budget");
  assert(m.trace.total <= 64, `${m.trace.total} entries`);
});

Deno.test("serial output without end is kept within a bound", () => {
  const m = pc({ memory: 4 * MiB });
  m.load(
    0x10_0000,
    asm`
    mov edx, 0x3f8
    mov al, 'x'
    again: out dx, al
    jmp again`,
  );
  assertEquals(m.run({ instructions: 10_000_000 }).kind, "budget");
  assert(m.serial.text.length > 1000);
  assert(m.serial.text.length <= 2 ** 22, `${m.serial.text.length} characters`);
});
