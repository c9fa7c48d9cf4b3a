/** What debug exceptions leave in EFLAGS and DR6, and when breakpoints are not met, on every engine. */
import { asm, type AsmSource, i386, type Machine, machine, ram } from "../../../mod.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
const CODE = 0x7c00, DEBUG = 0x9000, OTHER = 0x9100, IDT = 0x12000, GDT = 0x13000;
const RF = 0x10000;

/** Flat 32-bit code; #DB counts in EDX, notes its image of EFLAGS in EBX and goes on; #UD and #GP count in EDI and halt. */
function bare(engine: typeof ENGINES[number], code: AsmSource): Machine {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 0x20000 })] });
  m.load(CODE, code);
  m.load(
    DEBUG,
    asm`inc edx
    mov ebx, [esp+8]
    or dword [esp+8], 0x10000
    iret`,
  );
  m.load(
    OTHER,
    asm`inc edi
    mov ecx, [esp+8]
    mov esi, dr6
    hlt`,
  );
  for (const [vector, to] of [[1, DEBUG], [6, OTHER], [13, OTHER]]) {
    m.write(IDT + 8 * vector, (8 << 16) | to);
    m.write(IDT + 8 * vector + 4, 0x8e00);
  }
  m.load(0x7f00, Uint8Array.of(0xff, 7, 0, 0x20, 1, 0));
  m.write(GDT + 8, 0x0000ffff);
  m.write(GDT + 12, 0x00cf9b00);
  m.write(GDT + 16, 0x0000ffff);
  m.write(GDT + 20, 0x00cf9300);
  m.start({ mode: "flat32", entry: CODE, stack: 0x7000, gdt: { base: GDT, limit: 0x1f } });
  m.cpu.edx = m.cpu.edi = 0;
  return m;
}

function runs(code: AsmSource, check: (m: Machine, engine: string) => void, prepare?: (m: Machine) => void): void {
  for (const engine of ENGINES) {
    const m = bare(engine, code);
    prepare?.(m);
    assertEquals(m.run({ instructions: 1000 }).kind, "halt", engine);
    check(m, engine);
  }
}

Deno.test("#DB of an instruction breakpoint pushes RF as it was, other faults push it set", () => {
  runs(
    asm`
    lidt [0x7f00]
    mov eax, target
    mov dr0, eax
    mov eax, 1
    mov dr7, eax
    target: nop
    ud2`,
    (m, engine) => assertEquals([m.cpu.edx, m.cpu.ebx & RF, m.cpu.ecx & RF], [1, 0, RF], engine),
  );
});

for (const [opcode, name, hits] of [[0xd1, "SS", 0], [0xc1, "ES", 1]] as const) {
  Deno.test(`an instruction breakpoint right behind a load of ${name} is met ${hits} times`, () => {
    runs(
      asm`
      lidt [0x7f00]
      mov ecx, 16
      mov eax, target
      mov dr3, eax
      mov eax, 0x40
      mov dr7, eax
      db 0x8e, ${opcode}
      target: nop
      hlt`,
      (m, engine) => assertEquals(m.cpu.edx, hits, engine),
    );
  });
}

Deno.test("a data breakpoint is forgotten with the instruction that met it and faulted", () => {
  runs(
    asm`
    lidt [0x7f00]
    mov eax, 0x8000
    mov dr1, eax
    mov eax, 0x00f00004
    mov dr7, eax
    jmp far [0x8000]
    hlt`,
    (m, engine) => assertEquals([m.cpu.edx, m.cpu.edi, m.cpu.ecx, m.cpu.esi & 0xf], [0, 1, 8, 0], engine),
    (m) => m.load(0x8000, Uint8Array.of(0, 0, 0, 0, 0x58, 0)), // a selector beyond the table
  );
});
