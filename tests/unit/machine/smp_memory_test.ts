/** Memory between several CPUs: locked additions, locks, code that another CPU writes, marks of pages. */
import { asm } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { adders, ENGINES, flat, LOCKED, smp, TOTAL, word } from "./smp.ts";

for (const engine of ENGINES) {
  Deno.test(`${engine}: locked additions of two CPUs all count, others get lost`, () => {
    for (const quantum of [1, 7, 997]) {
      const m = adders({ engine, quantum });
      assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
      assertEquals([word(m, LOCKED), word(m, 0x680)], [4000, 2], `quantum ${quantum}`);
      assert(word(m, TOTAL) >= 2000 && word(m, TOTAL) < 4000, `quantum ${quantum}: ${word(m, TOTAL)}`);
    }
  });

  Deno.test(`${engine}: a spin lock protects, with PAUSE and without`, () => {
    for (const program of [LOCK_WITH_PAUSE, LOCK_WITHOUT]) {
      const m = smp({ engine, quantum: 13, cpus: 3 });
      flat(m, 0x8000, program, 0, 1, 2);
      assertEquals(m.run({ instructions: 2_000_000 }).kind, "halt");
      assertEquals(word(m, TOTAL), 900);
    }
  });

  Deno.test(`${engine}: code that another CPU writes is seen at once`, () => {
    for (const quantum of [1, 7, 1000]) {
      const m = smp({ engine, quantum });
      // The second CPU writes to the page before there is code of the first in its tables, and again afterwards.
      flat(
        m,
        0x9000,
        asm`
        mov dword [0xafc0], 0
        mov byte [0xa001], 5
        mov dword [0xafc0], 1
      wait:
        cmp dword [0xafc4], 1
        jne wait
        mov byte [0xa001], 6
        mov dword [0xafc0], 2
        hlt
      `,
        1,
      );
      m.poke(
        0xa000,
        asm`mov al, 1
        ret`.bytes,
      );
      flat(
        m,
        0x8000,
        asm`
        mov ebx, 1
      wait:
        cmp [0xafc0], ebx
        jne wait
        mov ecx, 100
        xor edx, edx
      again:
        mov eax, 0xa000
        call eax
        movzx eax, al
        add edx, eax
        loop again
        mov [0x600+ebx*4], edx
        mov dword [0xafc4], 1
        inc ebx
        cmp ebx, 3
        jne wait
        hlt
      `,
        0,
      );
      assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
      assertEquals([word(m, 0x604), word(m, 0x608)], [500, 600], `quantum ${quantum}`);
    }
  });

  Deno.test(`${engine}: a page keeps its mark while any CPU has code in it`, () => {
    const m = smp({ engine, quantum: 50 });
    // Both CPUs run code in the page at 0xa000; the second rewrites its own, then that of the first.
    m.poke(
      0xa000,
      asm`mov al, 1
      ret`.bytes,
    );
    m.poke(
      0xa800,
      asm`mov al, 1
      ret`.bytes,
    );
    flat(
      m,
      0x9000,
      asm`
      mov eax, 0xa800
      call eax
      mov ecx, 200
    wait:
      loop wait
      mov byte [0xa801], 3
      mov byte [0xa001], 9
      call dword [0x610]
      mov [0x604], al
      mov dword [0x620], 1
      hlt
    `,
      1,
    );
    m.write(0x610, 0xa800);
    flat(
      m,
      0x8000,
      asm`
      mov edx, 0xa000
    again:
      call edx
      cmp dword [0x620], 1
      jne again
      call edx
      mov [0x600], al
      hlt
    `,
      0,
    );
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    assertEquals([word(m, 0x600), word(m, 0x604)], [9, 3]);
  });

  Deno.test(`${engine}: address line 20 and dirty tracking reach all CPUs`, () => {
    const m = smp({ engine, quantum: 100 });
    m.write(0x100600, 2);
    m.write(0x600, 1);
    flat(
      m,
      0x9000,
      asm`
      mov eax, [0x100600]
      mov [0x700], eax
      mov dword [0xc000], 7
    wait:
      cmp dword [0x710], 1
      jne wait
      mov eax, [0x100600]
      mov [0x704], eax
      mov dword [0xc000], 8
      hlt
    `,
      1,
    );
    flat(
      m,
      0x8000,
      asm`
      mov ecx, 1000
    wait: loop wait
      mov al, 0
      out 0x92, al
      mov dword [0x710], 1
      hlt
    `,
      0,
    );
    m.run({ instructions: 900 });
    const before = m.snapshot();
    assertEquals([word(m, 0x700), word(m, 0xc000)], [2, 7]);
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    assertEquals([word(m, 0x704), word(m, 0xc000)], [1, 8]);
    assert(m.snapshot().own.has(0xc));
    m.restore(before);
    assertEquals(word(m, 0xc000), 7);
  });
}

const LOCK_WITH_PAUSE = asm`
    mov ecx, 300
  again:
    mov al, 1
    xchg [0x700], al
    test al, al
    jz taken
    pause
    jmp again
  taken:
    mov eax, [${TOTAL}]
    inc eax
    mov [${TOTAL}], eax
    mov byte [0x700], 0
    loop again
    hlt
`;
const LOCK_WITHOUT = asm`
    mov ecx, 300
  again:
    mov al, 1
    xchg [0x700], al
    test al, al
    jnz again
    mov eax, [${TOTAL}]
    inc eax
    mov [${TOTAL}], eax
    mov byte [0x700], 0
    loop again
    hlt
`;
