/**
 * Code where it is least convenient: at page ends and at the end of RAM, in a device's registers, in the middle of other
 * instructions, changed by the instruction in front of it, by a string instruction over itself, by another CPU, in
 * thousands of places. Every engine does the same, tick for tick.
 */
import { assemble, type EngineName, i386, type Machine, machine, mmio, ram } from "../../mod.ts";
import { assert, assertEquals } from "../../scripts/deps/std.ts";
import { flat, smp } from "../unit/machine/smp.ts";

/** The engines; the JIT translates almost at once, and as late as it likes. */
const ENGINES: readonly (readonly [EngineName, number])[] = [["reference", 0], ["interpreter", 0], ["jit", 2], [
  "jit",
  40,
]];

/** Runs a flat program on each engine in pieces of random lengths; all must agree after each. @returns The reference. */
function agree(source: string, instructions: number, prepare: (m: Machine) => void = () => {}, at = 0x4000): Machine {
  const program = assemble(source, { bits: 32, origin: at });
  const machines = ENGINES.map(([engine, threshold]) => {
    const jit = threshold > 0 ? { threshold } : {};
    const m = machine({ cpu: i386({ engine, jit }), memory: [ram({ at: 0, size: 0x40000 }), device()] });
    m.load(at, program); // enters it
    m.cpu.set("esp", 0x3f00);
    prepare(m);
    return m;
  });
  for (let done = 0, n = 7; done < instructions; done += n, n = n * 5 % 1009) {
    const [expected, ...others] = machines.map((m) => JSON.stringify([m.run({ instructions: n }), m.hash()]));
    others.forEach((other, i) => assertEquals(other, expected, `${ENGINES[i + 1]} after ${done} instructions`));
  }
  return machines[0];
}

/** Registers in which one can execute: MOV AL, n; RET. The number is what was written last. */
function device(): ReturnType<typeof mmio> {
  let number = 0;
  const code = (offset: number): number => [0xb0, number, 0xc3][offset & 3] ?? 0x90;
  return mmio({
    at: 0x10_0000,
    size: 0x1000,
    handler: {
      read: (offset, width) => {
        let value = 0;
        for (let n = 0; n < width >>> 3; n++) value |= code(offset + n) << (8 * n);
        return value >>> 0;
      },
      write: (_offset, value) => {
        number = value & 0xff;
      },
    },
  });
}

Deno.test("code in a device's registers is read anew each time it is executed", () => {
  const m = agree(
    `
    again: inc ecx
           mov [0x100010], ecx
           mov edx, 0x100000
           call edx
           add ebx, eax
           mov [0x8000+ecx*4], ebx
           and ecx, 0xff
           jmp again`,
    20_000,
  );
  assertEquals(m.cpu.ebx !== 0, true);
});

Deno.test("an instruction over a page end sees writes to either page, and to its neighbours", () => {
  for (const start of [0xffc, 0xffd, 0xffe, 0xfff]) {
    const m = agree(
      `
      again: add ecx, 0x01234567
             mov [0x5000+${start}+1], ecx ; the immediate
             call 0x5000+${start}
             mov [0x6000], cl ; behind the page end
             call 0x5000+${start}
             mov [0x5000], ecx ; beside it, in both pages
             mov [0x6008], ecx
             call 0x5000+${start}
             jmp again
             times 0x1000+${start}-($-again) nop
             mov eax, 0x11223344
             add ebx, eax
             ret`,
      8000,
    );
    assert(m.cpu.instructions >= 8000);
  }
});

Deno.test("code that runs over the end of RAM, or is cut off there, faults alike", () => {
  for (const tail of [[0xb8, 1, 2], [0x90, 0x40], [0x66, 0x66, 0xe9], [0x0f]]) {
    agree(`jmp 0x40000-${tail.length}`, 300, (m) => m.poke(0x40000 - tail.length, Uint8Array.from(tail)));
  }
});

Deno.test("code in the middle of other instructions, both of them executed, both of them changed", () => {
  const m = agree(
    `
    again: inc edx
           call outer
           call outer+1
           mov [outer+2], dl ; a displacement for one, an immediate for the other
           call outer+1
           call outer
           mov byte [outer+4], 0x90
           call outer
           mov byte [outer+4], 0x43
           jmp again
    outer: mov eax, 0x4300b004 ; from the second byte: add al, 0xb0; add [ebx+0x43], al; RET
           inc ebx
           ret`,
    9000,
    (m) => m.cpu.set("ebx", 0x9000),
  );
  assert(m.cpu.instructions > 8000);
});

Deno.test("an instruction that rewrites the very next byte, the next instruction, or itself", () => {
  const m = agree(
    `
    again: mov [next], al
    next:  nop ; becomes INC or DEC of EAX, EDX or EBX, by turns
           mov eax, [table+esi]
           inc esi
           and esi, 15
           mov [wide+1], edi
    wide:  mov ecx, 0
           add edi, ecx
           inc edi
    self:  add dword [self+6], 0x01010101
           xor byte [flip+1], 0x38
    flip:  add ecx, edx ; 0xd1 or 0xe9: SUB has another operation in its ModRM alone
           mov byte [last], 0x90
    last:  hlt
           mov byte [last], 0xf4
           jmp again
    table: db 0x40, 0x42, 0x43, 0x48, 0x4a, 0x4b, 0x90, 0x40, 0x90, 0x43, 0x42, 0x48, 0x90, 0x4a, 0x4b, 0x40, 0, 0, 0`,
    12_000,
    (m) => m.cpu.set("al", 0x40),
  );
  assert(m.cpu.instructions > 11_000);
});

Deno.test("a string instruction that writes over itself and what follows ends where it did that", () => {
  const m = agree(
    `
    again: mov edi, victim-6
           mov ecx, 6 + 4
           mov al, 0x90
           mov ebx, 3
    over:  mov ecx, victim_end-victim
           mov edi, victim
           rep stosb ; NOPs over what follows
    victim: inc edx
           dec ebp
           add edx, 7
    victim_end:
           mov esi, saved
           mov edi, victim
           mov ecx, victim_end-victim
           rep movsb
           dec ebx
           jnz over
           mov edi, itself ; REP STOSB that replaces itself: goes on as long as it is there
           mov ecx, 9
           mov al, 0x90
    itself: rep stosb
           nop
           nop
           nop
           nop
           nop
           nop
           nop
           mov word [itself], 0xaaf3
           jmp again
    saved: inc edx
           dec ebp
           add edx, 7`,
    9000,
  );
  assert(m.cpu.instructions >= 9000);
});

Deno.test("thousands of small blocks that change themselves", () => {
  const m = agree(
    `
    again: mov eax, edx
           and eax, 2047
           shl eax, 4
           add eax, 0x10000
           imul ecx, edx, 69069
           mov [eax+1], ecx
           add edx, 7
           call eax
           add esi, ebx
           jmp again`,
    40_000,
    (m) => {
      for (let n = 0; n < 2048; n++) {
        // mov ebx, n; xor byte [this+7], 0x08 (INC EBX or DEC EBX); inc ebx; ret
        const at = 0x10000 + n * 16, flip = [at + 12, (at + 12) >> 8, (at + 12) >> 16, 0];
        m.poke(at, Uint8Array.of(0xbb, n, 0, 0, 0, 0x80, 0x35, ...flip, 0x08, 0x43, 0xc3));
      }
    },
  );
  assert(m.cpu.instructions >= 40_000);
});

Deno.test("two CPUs that rewrite each other's code, and the same code", () => {
  for (const quantum of [1, 7, 500]) {
    const outcomes = (["reference", "interpreter", "jit"] as const).map((engine) => {
      const m = smp({ engine, quantum });
      for (const index of [0, 1]) {
        const [own, other] = index === 0 ? [0x9000, 0xa000] : [0xa000, 0x9000];
        const { bytes } = assemble(
          `
          again: add ecx, 0x01030507
                 mov [${other + 0x101}], ecx ; the other's constant
                 mov [${0xb000 + 4 * index}+1], cl ; both call this
                 mov eax, ecx
                 shr eax, 9
                 and eax, 0x0a
                 or al, 0x40
                 mov [${other + 0x105}], al ; INC or DEC of EAX or EDX
                 call ${own + 0x100}
                 mov esi, 0xb000
                 call esi
                 add ebx, eax
                 dec ebp
                 jnz again
                 hlt
                 times 0x100-($-again) nop
                 mov eax, 0
                 nop
                 ret`,
          { bits: 32, origin: own },
        );
        flat(m, own, { at: () => ({ bytes }) } as unknown as Parameters<typeof flat>[2], index);
        m.cpus[index].set("ebp", 700);
      }
      m.poke(
        0xb000,
        assemble("add al, 1\nnop\nnop\nadd al, 2\nret", { bits: 32, origin: 0 }).bytes,
      );
      const seen: unknown[] = [];
      for (let n = 0; n < 30; n++) seen.push([m.run({ instructions: 997 }).kind, m.hash()]);
      assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
      return [...seen, m.hash(), ...m.cpus.map((c) => [c.get("ebx"), c.instructions])];
    });
    assertEquals(outcomes[1], outcomes[0], `interpreter, quantum ${quantum}`);
    assertEquals(outcomes[2], outcomes[0], `jit, quantum ${quantum}`);
  }
});
