/** The machine with its real CPU: entry of programs, hooks, snapshots across engines. */
import { MiB } from "../../../lib/base/bits.ts";
import { assemble } from "../../../lib/cpu/i386/asm/assemble.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { Snapshot } from "../../../lib/machine/snapshot.ts";
import { reached } from "../../../lib/machine/until.ts";
import { ram } from "../../../lib/memory/region.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";

type Engine = "reference" | "interpreter" | "jit";

function program(engine: Engine, bits: 16 | 32, bytes: readonly number[], at = 0x7c00): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 0x100000 })] });
  return m.load(at, { bits, bytes: Uint8Array.from(bytes) });
}

/** mov ecx, 1000; again: add [0x9000], ecx; push ecx; pop edx; loop again; hlt */
const LOOP = [0xb9, 0xe8, 3, 0, 0, 0x01, 0x0d, 0, 0x90, 0, 0, 0x51, 0x5a, 0xe2, 0xf6, 0xf4];

for (const engine of ["reference", "interpreter", "jit"] as const) {
  Deno.test(`${engine}: a 32-bit program is entered in flat protected mode below a stack`, () => {
    const m = program(engine, 32, [0xb8, 40, 0, 0, 0, 0x83, 0xc0, 2, 0xf4]); // mov eax, 40; add eax, 2; hlt
    assertEquals([m.cpu.eip, m.cpu.esp, m.cpu.cr0 & 1], [0x7c00, 0x7c00, 1]);
    assertEquals(m.run({ instructions: 1000 }), { kind: "halt", eip: 0x7c09 });
    assertEquals([m.cpu.eax, m.cpu.instructions, m.now], [42, 3, 3]);
  });

  Deno.test(`${engine}: a 16-bit program is entered in real mode`, () => {
    const m = program(engine, 16, [0xb8, 0x34, 0x12, 0x50, 0xf4]); // mov ax, 0x1234; push ax; hlt
    assertEquals(m.run().kind, "halt");
    assertEquals([m.cpu.cr0 & 1, m.cpu.esp, m.physical.peek16(0x7bfe)], [0, 0x7bfe, 0x1234]);
  });

  Deno.test(`${engine}: a fault without handler is a triple fault with the first fault's data`, () => {
    const m = program(engine, 32, [0x0f, 0x0b]); // ud2
    const stop = m.run({ instructions: 100 });
    assertEquals([stop.kind, stop.eip], ["fault", 0x7c00]);
  });

  Deno.test(`${engine}: hooks of every kind change nothing`, () => {
    const plain = program(engine, 32, LOOP);
    const watched = program(engine, 32, LOOP);
    let [code, memory, blocks] = [0, 0, 0];
    watched.onCode(0x7c05, () => code++);
    watched.onMemory({ at: 0x9000, size: 4, access: "write" }, () => memory++);
    watched.onBlock(() => blocks++);
    watched.onInstruction("loop", () => {});
    watched.onPort(0x10, () => {});
    watched.onFault(undefined, () => {});
    watched.onInterrupt(undefined, () => {});
    for (const m of [plain, watched]) assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    assertEquals(watched.hash(), plain.hash());
    assertEquals([code, memory], [1000, 1000]);
    assertEquals(plain.physical.peek32(0x9000), 500_500);
  });

  Deno.test(`${engine}: onCode() stops before the instruction and the run goes on`, () => {
    const m = program(engine, 32, LOOP);
    let fired = 0;
    const remove = m.onCode(0x7c05, (e) => {
      fired++;
      e.stop("loop head");
    });
    assertEquals(m.run(), { kind: "hook", name: "loop head", eip: 0x7c05 });
    assertEquals(m.cpu.instructions, 1);
    assertEquals(m.run().kind, "hook");
    assertEquals([fired, m.cpu.ecx, m.cpu.instructions], [2, 999, 5]);
    remove();
    assertEquals(m.run({ until: reached(0x7c0f) }).kind, "until");
    assertEquals(m.run().kind, "halt");
  });

  Deno.test(`${engine}: restore() repeats a run exactly`, () => {
    const m = program(engine, 32, LOOP);
    const start = m.snapshot();
    m.run();
    const end = m.hash();
    m.restore(start);
    assertEquals(m.cpu.eip, 0x7c00);
    assertEquals(m.run({ instructions: 777 }).kind, "budget");
    const middle = m.snapshot();
    m.run();
    assertEquals(m.hash(), end);
    m.restore(middle);
    m.run();
    assertEquals(m.hash(), end);
  });
}

Deno.test("a snapshot taken under one engine goes on under the other", () => {
  const a = program("reference", 32, LOOP);
  a.run({ instructions: 1234 });
  const b = program("interpreter", 32, []);
  b.restore(Snapshot.fromBytes(a.snapshot().toBytes()));
  for (const m of [a, b]) m.run();
  assertEquals(b.hash(), a.hash());
  assert(b.cpu.engine !== a.cpu.engine);
});

Deno.test("INVLPG drops all of a large page, wherever in it the address lies, on every engine", () => {
  const source = `
  mov dword [0x30000], 0x000083
  mov dword [0x30004], 0x400083
  mov eax, 0x30000
  mov cr3, eax
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov eax, [0x401000]
  mov ebx, [0x7ff000]
  mov dword [0x30004], 0x800083
  invlpg [0x456789]
  mov ecx, [0x401000]
  mov edx, [0x7ff000]
  hlt`;
  for (const engine of ["reference", "interpreter", "jit"] as const) {
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 16 * MiB })] });
    [0x401000, 0x7ff000, 0x801000, 0xbff000].forEach((at, i) => m.write(at, i + 1));
    m.poke(0x10000, assemble(source, { origin: 0x10000, bits: 32 }).bytes);
    m.start({ mode: "flat32", entry: 0x10000, stack: 0x9000 });
    assertEquals(m.run({ instructions: 100 }).kind, "halt");
    assertEquals([m.cpu.eax, m.cpu.ebx, m.cpu.ecx, m.cpu.edx], [1, 2, 3, 4], engine);
  }
});

Deno.test("the 386 has none of the bits of CR0 that came with the 486: kernels tell them apart by it", () => {
  for (const [model, bits] of [["386", 0], ["486", 0x60050020]] as const) {
    const m = machine({ cpu: i386({ model }), memory: [ram({ at: 0, size: 0x10000 })] });
    assertEquals(m.cpu.cr0, model === "386" ? 0x10 : 0x60000010);
    // mov eax, cr0; or eax, 0x60050020; mov cr0, eax; hlt
    const bytes = Uint8Array.of(0x0f, 0x20, 0xc0, 0x0d, 0x20, 0, 5, 0x60, 0x0f, 0x22, 0xc0, 0xf4);
    assertEquals(m.load(0x1000, { bits: 32, bytes }).run({ instructions: 10 }).kind, "halt");
    assertEquals(m.cpu.cr0, 0x11 | bits);
  }
});
