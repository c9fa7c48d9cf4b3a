/** Shadow RAM under ROM: the four ways a page may be wired, translated code, and snapshots. */
import { pc } from "../../../lib/machine/presets.ts";
import type { PcMachine } from "../../../lib/machine/presets.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";

const MiB = 2 ** 20;
const ROM = 0xf0000; // where the tables of a board without BIOS lie

/** Sets a nibble pair of a PAM register: 0x59 bits 4-5 are 0xF0000, 0x5a holds 0xC0000 and 0xC4000. */
function pam(m: PcMachine, register: number, value: number): void {
  m.ports.write(0xcf8, 0x80000000 | (register & 0xfc), 32);
  m.ports.write(0xcfc + (register & 3), value, 8);
}

const made = (engine: "reference" | "interpreter" | "jit" = "interpreter") => pc({ memory: 2 * MiB, engine });

Deno.test("shadow RAM: reads and writes go where the PAM register says", () => {
  const m = made();
  const rom = m.read(ROM);
  const steps: [number, number, number][] = [];
  // To ROM: dropped. To RAM, read from ROM. Both RAM. Read RAM, write protected. Back to ROM.
  for (const [wiring, value] of [[0, 1], [0x20, 2], [0x30, 3], [0x10, 4], [0x00, 5], [0x10, 6]] as const) {
    pam(m, 0x59, wiring);
    const before = m.read(ROM);
    m.write(ROM, value);
    steps.push([wiring, before === rom ? -1 : before, m.read(ROM) === rom ? -1 : m.read(ROM)]);
  }
  assertEquals(steps, [[0, -1, -1], [0x20, -1, -1], [0x30, 2, 3], [0x10, 3, 3], [0, -1, -1], [0x10, 3, 3]]);
  assertEquals(m.read(0xc4000), 0xffffffff, "nothing lies under the other pages");
  pam(m, 0x5a, 0x30);
  m.write(0xc4000, 0x1234);
  m.write(0xc0000, 0x1234);
  assertEquals([m.read(0xc4000), m.read(0xc0000)], [0x1234, 0xffffffff]);
});

Deno.test("shadow RAM: code that was translated from one side is not run from the other", () => {
  for (const engine of ["reference", "interpreter", "jit"] as const) {
    const m = made(engine);
    const run = (): number => {
      // mov cx, 5000; call 0xc000:0; loop to the call; hlt: often enough to be compiled
      const bytes = Uint8Array.of(0xb9, 0x88, 0x13, 0x9a, 0, 0, 0, 0xc0, 0xe2, 0xf9, 0xf4);
      m.load(0x7c00, { bits: 16, bytes });
      assertEquals(m.run({ instructions: 30_000 }).kind, "halt");
      return m.cpu.eax & 0xff;
    };
    pam(m, 0x5a, 0x03);
    m.poke(0xc0000, Uint8Array.of(0xb0, 1, 0xcb)); // mov al, 1; retf
    assertEquals(run(), 1, engine);
    pam(m, 0x5a, 0x02); // writes alone: the page reads as nothing, and code is not run from it
    m.write(0xc0001, 2, 8);
    pam(m, 0x5a, 0x03);
    assertEquals(run(), 2, engine);
  }
});

Deno.test("shadow RAM: a snapshot keeps it, switched in or not, and another machine takes it", () => {
  const m = made();
  const empty = m.snapshot();
  pam(m, 0x59, 0x30);
  m.write(ROM, 7);
  const inside = m.snapshot();
  m.write(ROM, 8);
  pam(m, 0x59, 0x20);
  m.write(ROM + 4, 9); // while it is switched in for writes alone
  const split = m.snapshot();
  pam(m, 0x59, 0x00);
  const outside = m.snapshot();
  const look = (on: PcMachine): number[] => {
    const now = on.read(ROM);
    pam(on, 0x59, 0x30);
    return [now === 0x20445352 ? -1 : now, on.read(ROM), on.read(ROM + 4)];
  };
  const other = made();
  for (const on of [m, other]) {
    on.restore(outside);
    assertEquals(look(on), [-1, 8, 9]);
    on.restore(inside);
    assertEquals(look(on), [7, 7, 0]);
    on.restore(split);
    assertEquals(look(on), [-1, 8, 9]);
    on.restore(empty);
    assertEquals(look(on), [-1, 0, 0]);
    on.restore(inside);
    assertEquals(on.hash(), inside.hash());
  }
  m.reset();
  assertEquals(m.read(ROM), 0x20445352, "a reset shows the ROM");
});
