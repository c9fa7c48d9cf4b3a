/**
 * Code hooks that move EIP off an instruction in a page from which nothing was ever fetched: its page table entry stays
 * unaccessed until the instruction is executed, and every engine counts alike.
 */
import { assertEquals } from "../../../scripts/deps/std.ts";
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";

const TABLE = 0x3000, FAR = 0x2_0000, ACCESSED = 0x20;

/** A loop that calls a function in another page 50 times, with paging or without. */
function guest(engine: "reference" | "interpreter" | "jit", paging: boolean): Machine {
  const m = machine({ cpu: i386({ engine, jit: { threshold: 1 } }), memory: [ram({ at: 0, size: 1 << 20 })] });
  for (let page = 0; page < 256; page++) m.physical.poke32(TABLE + 4 * page, (page << 12) | 3);
  m.physical.poke32(0x2000, TABLE | 3);
  m.load(
    0x7c00,
    asm`
    mov ebp, ${FAR}
    mov ecx, 50
    again: call ebp
    call ${FAR}
    dec ecx
    jnz again
    hlt`,
  );
  m.poke(FAR, Uint8Array.of(0x43, 0xc3)); // inc ebx; ret
  m.cpu.set("esp", 0x7000);
  if (paging) {
    m.cpu.set("cr3", 0x2000);
    m.cpu.set("cr0", 0x8000_0011);
  }
  return m;
}

/** Was the page of the function accessed? */
function isAccessed(m: Machine): boolean {
  return (m.physical.peek32(TABLE + 4 * (FAR >>> 12)) & ACCESSED) !== 0;
}

/** Takes the function's place: back at the caller at once. */
function skip(m: Machine): void {
  const esp = m.cpu.esp;
  m.cpu.set("esp", esp + 4);
  m.cpu.set("eip", m.linear.peek32(esp));
}

for (const paging of [false, true]) {
  Deno.test(`a hook that moves EIP leaves a page unfetched ${paging ? "with" : "without"} paging, on every engine`, () => {
    const results = (["reference", "interpreter", "jit"] as const).map((engine) => {
      const m = guest(engine, paging);
      let met = 0;
      m.onCode(FAR, () => {
        met++;
        skip(m);
      });
      assertEquals(m.run({ instructions: 10_000 }).kind, "halt");
      return [met, m.cpu.ebx, isAccessed(m), m.now, m.hash()];
    });
    assertEquals(results[0].slice(0, 4), [100, 0, false, 2 + 50 * 4 + 1]);
    assertEquals(results[1], results[0]);
    assertEquals(results[2], results[0]);
  });

  Deno.test(`a hook that moves EIP at times only, and goes, is met each time ${paging ? "with" : "without"} paging, on every engine`, () => {
    const results = (["reference", "interpreter", "jit"] as const).map((engine) => {
      const m = guest(engine, paging);
      const accessed: boolean[] = [];
      let met = 0;
      const remove = m.onCode(FAR, () => {
        met++;
        accessed.push(isAccessed(m));
        if (met % 3 !== 0) skip(m);
        if (met === 80) remove();
      });
      assertEquals(m.run({ instructions: 10_000 }).kind, "halt");
      return [met, m.cpu.ebx, accessed.indexOf(true), isAccessed(m), m.now, m.hash()];
    });
    assertEquals(results[0].slice(0, 4), [80, 26 + 20, paging ? 3 : -1, paging]);
    assertEquals(results[1], results[0]);
    assertEquals(results[2], results[0]);
  });
}
