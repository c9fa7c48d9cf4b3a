import { asm, asm16, i386, machine, pc } from "../../../mod.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { I386Cpu } from "../../../lib/cpu/i386/cpu.ts";
import { assert, assertEquals, assertInstanceOf, assertThrows } from "../../../scripts/deps/std.ts";
import { APIC, ENGINES, flat, gate, LIDT, smp, startFlat, word } from "./smp.ts";

for (const engine of ENGINES) {
  Deno.test(`${engine}: INIT and start-up messages start a waiting CPU at its page in real mode`, () => {
    const m = smp({ engine });
    m.poke(
      0x8000,
      asm16`
      mov ax, cs
      mov [0x600], ax
      mov word [0x602], 0x1234
      inc word [0x604]
      hlt
    `.bytes,
    );
    flat(
      m,
      0x7c00,
      asm`
      mov ebx, ${APIC}
      mov dword [ebx+0x310], 0x01000000
      mov dword [ebx+0x300], 0x4500
      mov dword [ebx+0x300], 0x8500
      mov ecx, 50
    again: loop again
      mov dword [ebx+0x300], 0x4608
      mov ecx, 2000
    more: loop more
      mov dword [ebx+0x300], 0x4608
      mov ecx, 2000
    last: loop last
      hlt
    `,
      0,
    );
    assert(m.cpus[1].waiting && !m.cpus[0].waiting);
    m.run({ instructions: 50 });
    assertEquals([m.cpus[1].instructions, m.now, m.current.name], [0, 50, "cpu0"]);
    assertEquals(m.run({ instructions: 20_000 }).kind, "halt");
    assert(!m.cpus[1].waiting);
    // The second start-up message finds a CPU that runs and changes nothing.
    assertEquals([word(m, 0x600), word(m, 0x604)], [0x12340800, 1]);
    assertEquals([m.cpus[1].cs, m.cpus[1].instructions], [0x800, 5]);
  });

  Deno.test(`${engine}: a CPU that sends itself INIT stops after that instruction and waits`, () => {
    const m = smp({ engine });
    flat(
      m,
      0x9000,
      asm`
      mov ebx, ${APIC}
      mov dword [ebx+0x310], 0x01000000
      mov dword [ebx+0x300], 0x4500
      mov dword [0x600], 1
      hlt
    `,
      1,
    );
    flat(m, 0x7c00, asm`hlt`, 0);
    assertEquals(m.run({ instructions: 100 }).kind, "halt");
    assertEquals([word(m, 0x600), m.cpus[1].instructions, m.cpus[1].waiting], [0, 3, true]);
    assertEquals([m.cpus[1].eip, m.cpus[1].cs, m.cpus[1].cr0], [0xfff0, 0xf000, 0x60000010]);
  });

  Deno.test(`${engine}: an NMI message wakes a halted CPU whatever its interrupt flag`, () => {
    const m = smp({ engine });
    gate(m, 2, 0xa000);
    flat(
      m,
      0xa000,
      asm`
      inc dword [0x600]
      iret
    `,
    );
    flat(
      m,
      0x9000,
      asm`
      lidt [${LIDT}]
    halted:
      hlt
      inc dword [0x604]
      jmp halted
    `,
      1,
    );
    flat(
      m,
      0x7c00,
      asm`
      mov ebx, ${APIC}
      mov dword [ebx+0x310], 0x01000000
      mov ecx, 3000
    settle:
      loop settle
      mov ecx, 3
    again:
      mov dword [ebx+0x300], 0x4400
      mov edx, 3000
    wait:
      dec edx
      jnz wait
      loop again
      hlt
    `,
      0,
    );
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    assertEquals([word(m, 0x600), word(m, 0x604)], [3, 3]);
  });

  Deno.test(`${engine}: fixed messages wake a halted CPU, lowest-priority ones choose the least busy`, () => {
    const m = smp({ engine, cpus: 3 });
    gate(m, 0x40, 0xa000);
    flat(
      m,
      0xa000,
      asm`
      push eax
      push ebx
      push ecx
      push edx
      mov eax, 1
      cpuid
      shr ebx, 24
      inc dword [0x600+ebx*4]
      mov dword [${APIC + 0xb0}], 0
      pop edx
      pop ecx
      pop ebx
      pop eax
      iret
    `,
    );
    const idle = (priority: number) =>
      asm`
      lidt [${LIDT}]
      mov dword [${APIC + 0xf0}], 0x1ff
      mov dword [${APIC + 0x80}], ${priority}
      sti
    halted:
      hlt
      jmp halted
    `;
    flat(m, 0x9000, idle(0x20), 1);
    flat(m, 0x9800, idle(0x10), 2);
    flat(
      m,
      0x7c00,
      asm`
      mov ebx, ${APIC}
      mov dword [ebx+0xf0], 0x1ff
      mov ecx, 5000
    settle: loop settle
      mov dword [ebx+0x310], 0x01000000
      mov dword [ebx+0x300], 0x4040
      mov ecx, 5000
    one: loop one
      mov dword [ebx+0x80], 0x30
      mov dword [ebx+0x310], 0xff000000
      mov dword [ebx+0x300], 0x4140
      mov ecx, 5000
    two: loop two
      hlt
    `,
      0,
    );
    assertEquals(m.run({ instructions: 200_000 }).kind, "halt");
    assertEquals([word(m, 0x600), word(m, 0x604), word(m, 0x608)], [0, 1, 1]);
  });

  Deno.test(`${engine}: eight CPUs start by one broadcast and know their numbers`, () => {
    const m = smp({ engine, cpus: 8, quantum: 100 });
    m.poke(
      0x8000,
      asm16`
      mov eax, 1
      cpuid
      shr ebx, 24
      mov cl, bl
      mov eax, 1
      shl eax, cl
      lock or [0x600], eax
      lock inc dword [0x604]
      hlt
    `.bytes,
    );
    flat(
      m,
      0x7c00,
      asm`
      mov ebx, ${APIC}
      mov dword [ebx+0x300], 0xc4500
      mov dword [ebx+0x300], 0xc4608
    wait:
      pause
      cmp dword [0x604], 7
      jne wait
      hlt
    `,
      0,
    );
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    assertEquals([word(m, 0x600), word(m, 0x604)], [0xfe, 7]);
    assertEquals(m.cpus.slice(1).map((c) => c.instructions), new Array(7).fill(9));
  });
}

Deno.test("INIT resets registers but leaves x87, SSE, model-specific registers and the cache bits", () => {
  const m = smp();
  flat(
    m,
    0x9000,
    asm`
    fldpi
    mov ecx, 0x175
    mov eax, 0x12345
    xor edx, edx
    wrmsr
    mov eax, cr0
    or eax, 0x60000000
    mov cr0, eax
    mov dr0, eax
    hlt
  `,
    1,
  );
  flat(m, 0x7c00, asm`hlt`, 0);
  m.cpus[1].set("xmm3", new Uint8Array(16).fill(7));
  m.run({ instructions: 100 });
  const st0 = m.cpus[1].get("st0"), edx = 0xf29;
  m.cpus[1].cpu.init?.();
  const c = m.cpus[1];
  assert(c.waiting && c.cpu.idle);
  assertEquals([c.eax, c.edx, c.esp, c.eflags, c.cr0, c.get("dr0")], [0, edx, 0, 2, 0x60000010, 0]);
  assertEquals([c.get("st0"), c.get("xmm3")], [st0, new Uint8Array(16).fill(7)]);
  c.cpu.startUp?.(0xa0);
  assertEquals([c.waiting, c.cs, c.eip, c.pcLinear], [false, 0xa000, 0, 0xa0000]);
  // The model-specific register is still there.
  flat(
    m,
    0x9000,
    asm`
    mov ecx, 0x175
    rdmsr
    mov [0x600], eax
    hlt
  `,
  );
  m.cpus[1].cpu.start?.({ mode: "flat32", entry: 0x9000 });
  m.run({ instructions: 100 });
  assertEquals(word(m, 0x600), 0x12345);
});

Deno.test("INIT sends the boot CPU to its reset vector; a start-up message leaves it alone", () => {
  const m = smp();
  startFlat(m, 0, 0x7c00);
  m.cpus[0].cpu.startUp?.(8);
  assertEquals(m.cpu.eip, 0x7c00);
  m.cpus[0].cpu.init?.();
  assertEquals([m.cpu.waiting, m.cpu.cs, m.cpu.pcLinear], [false, 0xf000, 0xfffffff0]);
});

Deno.test("snapshots carry the wait for a start-up, and a reset brings it back", () => {
  const m = smp();
  flat(m, 0x7c00, asm`hlt`, 0);
  const waiting = m.snapshot();
  m.cpus[1].cpu.startUp?.(8);
  const started = m.snapshot();
  m.restore(waiting);
  assert(m.cpus[1].waiting);
  m.restore(started);
  assertEquals([m.cpus[1].waiting, m.cpus[1].cs], [false, 0x800]);
  m.reset();
  assert(m.cpus[1].waiting);
});

Deno.test("boot() enters the first CPU and lets the others wait again", () => {
  const m = smp();
  flat(m, 0x7c00, asm`hlt`, 0, 1);
  m.run({ instructions: 10 });
  assert(!m.cpus[1].waiting);
  m.boot({ name: "test", load: () => ({ mode: "flat32", entry: 0x7c00 }) });
  assertEquals([m.cpu.eip, m.cpu.waiting, m.cpus[1].waiting], [0x7c00, false, true]);
});

Deno.test("a running CPU refuses to be reset by a hook", () => {
  const m = smp();
  flat(
    m,
    0x7c00,
    asm`nop
    hlt`,
    0,
  );
  m.onCode(0x7c01, () => startFlat(m, 0, 0x7c00));
  assertEquals(assertThrows(() => m.run({ instructions: 10 }), ConfigError).code, "run-nested");
});

Deno.test("a CPU that never ran has untouched translation tables", () => {
  const m = smp({ cpus: 8 });
  flat(m, 0x7c00, asm`hlt`, 0);
  m.run({ instructions: 10 });
  m.reset();
  m.restore(m.snapshot());
  for (const view of m.cpus.slice(1)) {
    assertInstanceOf(view.cpu, I386Cpu);
    assert(view.cpu.tlb.entries.subarray(0, 1 << 19).every((e) => e === 0), view.name);
  }
});

Deno.test("machine() and pc() refuse more CPUs than there is room for", () => {
  for (const make of [() => machine({ cpu: i386(), cpus: 16 }), () => pc({ cpus: 16 }), () => pc({ cpus: 0 })]) {
    assertEquals(assertThrows(make, ConfigError).code, "config-value");
  }
  assertEquals(assertThrows(() => machine({ cpu: new Array(16).fill(i386()) }), ConfigError).code, "config-cpu");
});
