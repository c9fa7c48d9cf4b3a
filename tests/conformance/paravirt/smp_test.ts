/** Further CPUs under a de-privileging hypervisor: they start without privileges or not at all. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { assemble } from "../../../mod.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { CALLS, conformance, NO_CALLS, RING_0 } from "./suite.ts";

const STATE = 0x8200;
const DONE = 20;

/** INIT and two start-up messages to APIC 1. */
const START = `
  mov dword [${FREE_TABLE}], 0xfee00013
  mov dword [0x40000310], 0x01000000
  mov dword [0x40000300], 0x00004500
  mov dword [0x40000310], 0x01000000
  mov dword [0x40000300], 0x00004610
`;

/** Page of code in real mode that a start-up message names. */
const TRAMPOLINE = 0x5000;
const START_REAL = START.replace("0x00004610", "0x00004605");
/** Enters `second`, which the guest has put at a known place before. */
const REAL = assemble(
  `
  cli
  xor ax, ax
  mov ds, ax
  o32 lgdt [0x5080]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword far [0x5090]
`,
  { origin: TRAMPOLINE, bits: 16 },
).bytes;

function wait(n: number): string {
  return `waiting_${n}:\ncmp dword [0x8000+4*${DONE}], ${n}\njne waiting_${n}`;
}

/** The state as Linux fills it. */
function state(entry: string, cr0 = 0x80050023, others: readonly (readonly [number, string | number])[] = []): string {
  const words: (readonly [number, string | number])[] = [
    [0, cr0],
    [8, DIRECTORY],
    [24, entry],
    [48, 0xb000],
    [64, 0x00680060],
    [68, 0x007b007b],
    [76, 0x00ff0000],
    [80, "gdt"],
    [84, "idt"],
    [88, 2047],
    ...others,
  ];
  return words.map(([at, value]) => `mov dword [${STATE + at}], ${value}`).join("\n");
}

conformance("smp", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string): Rogue => rogue(candidate, body, { cpus: 2, budget: 400_000, engine });

  on.unless(RING_0, NO_CALLS).test("a CPU starts in the state that was given, in ring 1", () => {
    const r = run((k) => `
      ${state("second")}
      mov eax, ${STATE}
      mov edx, 1
      ${k.call("SetInitialAPState")}
      ${START}
      mov dword [${STATE + 24}], 0
      wait_here:
      cmp dword [0x8000+4*${DONE}], 1
      jne wait_here
      jmp stop
      second:
      mov eax, cs
      ${k.store(0)}
      mov eax, cr3
      ${k.store(1)}
      mov eax, [0x40000020]
      ${k.store(2)}
      ${k.call("GetInterruptMask")}
      ${k.store(3)}
      ${k.attempt("mov eax, 0x80\n ltr ax")}
      ${k.attempt("mov ecx, 0x999\n rdmsr")}
      mov dword [0x8000+4*${DONE}], 1
    `);
    assertEquals([0, 1, 2, 3].map((n) => r.result(n)), [0x61, DIRECTORY, 0x01000000, 0]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode, f.cs]), [[13, 0x80, 0x61], [13, 0, 0x61]]);
    for (const cpu of r.m.cpus) assert((cpu.get("cpl") as number) === 1);
    const [first, second] = r.m.cpus.map((cpu) => cpu.get("cr3"));
    assert(first !== second, "each CPU has shadow tables of its own");
    assertEquals(r.stop.kind, "halt");
  });

  on.unless(CALLS).test("a CPU that starts by itself takes interrupts and NMI, is sent INIT, and starts anew", () => {
    const r = rogue(candidate, (k) => `
      mov dword [0x8000+4*${DONE}], 0
      mov word [0x5080], 255
      mov dword [0x5082], gdt
      mov dword [0x5090], second
      mov word [0x5094], 0x60
      ${START_REAL}
      ${wait(1)}
      mov dword [0x400000f0], 0x1ff
      mov dword [0x40000310], 0x01000000
      mov dword [0x40000300], 0x00004031 ; an interrupt
      ${wait(2)}
      mov dword [0x40000310], 0x01000000
      mov dword [0x40000300], 0x00004400 ; NMI
      ${wait(3)}
      ${START_REAL}
      ${wait(4)}
      jmp stop
      align 16
      second:                           ; protected mode, paging off
      mov eax, 0x7b
      mov ds, ax
      mov es, ax
      mov eax, 0x68
      mov ss, ax
      mov esp, 0xb000
      lidt [idt_pointer]
      mov eax, ${DIRECTORY}
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80010000
      mov cr0, eax
      mov eax, cs
      ${k.store(0)}
      mov eax, [0x40000020]
      ${k.store(1)}
      cmp dword [0x8000+4*${DONE}], 3
      je again
      mov dword [0x400000f0], 0x1ff
      sti
      mov dword [0x8000+4*${DONE}], 1
      hlt
      cli
      mov eax, [${TICKS}]
      ${k.store(2)}
      ${k.attempt(`mov dword [0x8000+4*${DONE}], 2\nnothing: hlt\njmp nothing`)}
      mov dword [0x8000+4*${DONE}], 3
      here: jmp here
      again:
      mov dword [0x8000+4*${DONE}], 4
      there:
      hlt
      jmp there
    `, { cpus: 2, budget: 2_000_000, engine, prepare: (m) => m.poke(TRAMPOLINE, REAL) });
    assertEquals([r.stop.kind, r.result(DONE)], ["halt", 4]);
    assertEquals([r.result(0), r.result(1), r.result(2)], [0x60, 0x01000000, 1]);
    assertEquals(r.faults.map((f) => f.vector), [2]);
    assertEquals(r.m.cpus[1]?.get("cpl"), candidate.deprivileges ? 1 : 0);
  });

  on.unless(RING_0, NO_CALLS).test("start-up messages without a state, or with a bad one, start nothing", () => {
    const bodies: readonly ((k: Kit) => string)[] = [
      () => START,
      (k) => `${state("stop", 0x11)}\nmov eax, ${STATE}\nmov edx, 1\n${k.call("SetInitialAPState")}\n${START}`,
    ];
    for (const body of bodies) {
      const r = run(body);
      assertEquals(r.stop.kind, "halt");
      assert(r.m.cpus[1]?.cpu.idle);
      assertEquals(r.m.cpus[1]?.cpu.instructions, 0);
    }
  });

  on.unless(RING_0, NO_CALLS).test("INIT to a CPU does not free it", () => {
    const r = run((k) => `
      ${state("second")}
      mov eax, ${STATE}
      mov edx, 1
      ${k.call("SetInitialAPState")}
      ${START}
      wait_here:
      cmp dword [0x8000+4*${DONE}], 1
      jne wait_here
      mov byte [0x10], 0xf4             ; real-mode code, if it came to that
      mov dword [0x40000310], 0x01000000
      mov dword [0x40000300], 0x00004500
      mov dword [0x40000310], 0x01000000
      mov dword [0x40000300], 0x00004600
      wait_again:
      cmp dword [0x8000+4*${DONE}], 2
      jne wait_again
      jmp stop
      second:
      inc dword [0x8000+4*${DONE}]
      again:
      jmp again
    `);
    assertEquals(r.result(DONE), 2);
    assertEquals(r.m.cpus[1]?.get("cpl"), 1);
  });

  on.unless(RING_0, NO_CALLS).test("an unknown CPU is a bad argument", () => {
    const r = run((k) => `${state("stop")}\nmov eax, ${STATE}\nmov edx, 7\n${k.call("SetInitialAPState")}`);
    assert(r.stop.kind === "killed" && r.stop.code === "bad-argument", JSON.stringify(r.stop));
  });

  on.unless(RING_0, NO_CALLS).test("a machine of two CPUs goes on the same after a snapshot", () => {
    const body = (k: Kit): string =>
      `${state("second")}\nmov eax, ${STATE}\nmov edx, 1\n${k.call("SetInitialAPState")}\n${START}\nhere: jmp here\n` +
      `second:\ninc dword [0x8000]\nmov eax, cr3\nmov cr3, eax\njmp second`;
    const { m } = run(body);
    const here = m.snapshot();
    m.run({ instructions: 100_000 });
    const end = m.hash();
    m.restore(here);
    m.run({ instructions: 100_000 });
    assertEquals(m.hash(), end);
  });

  on.unless(RING_0, NO_CALLS).test(
    "a state with features the processor has not, or broken tables, starts nothing",
    () => {
      const wrong: readonly (readonly (readonly [number, number])[])[] = [
        [[12, 0x80000000]],
        [[12, 0x100]],
        [[16, 0xffffffff]],
        [[20, 1]],
        [[12, 0x20], [8, 0xc8000]],
      ];
      for (const others of wrong) {
        const r = run((k) =>
          `${state("stop", undefined, others)}\nmov eax, ${STATE}\nmov edx, 1\n${k.call("SetInitialAPState")}\n${START}`
        );
        assertEquals(r.stop.kind, "halt", JSON.stringify(others));
        assertEquals(r.m.cpus[1]?.cpu.instructions, 0, JSON.stringify(others));
      }
    },
  );

  on.unless(RING_0, NO_CALLS).test(
    "every register of the state is the CPU's, a local table too, and a frame of its own",
    () => {
      const words = [32, 36, 40, 44, 52, 56, 60].map((at, i): [number, number] => [at, 0x11111111 * (i + 1)]);
      const r = run((k) => `
      mov dword [gdt+17*8], 0x7000001f        ; a local table at 0x7000
      mov dword [gdt+17*8+4], 0x00008200
      mov dword [0x7008], 0x3000ffff
      mov dword [0x700c], 0x00cff200
      mov dword [0x6000], 0xabcd
      ${state("second", undefined, [...words, [4, 0x12345], [12, 0x10], [28, 0x8d5], [72, 0x000f], [76, 0x00ff0088]])}
      mov eax, ${STATE}
      mov edx, 1
      ${k.call("SetInitialAPState")}
      ${START}
      wait_here:
      cmp dword [0x8000+4*${DONE}], 1
      jne wait_here
      jmp stop
      second:
      ${["eax", "ebx", "ecx", "edx", "ebp", "esi", "edi", "esp"].map((name, n) => k.store(n, name)).join("\n")}
      pushfd
      pop eax
      ${k.store(8)}
      mov eax, [fs:0x3000]
      ${k.store(9)}
      ${k.call("GetLDT")}
      ${k.store(10)}
      ${k.call("GetCR2")}
      ${k.store(11)}
      ${k.call("GetCR4")}
      ${k.store(12)}
      ${k.call("GetTR")}
      ${k.store(13)}
      mov eax, gs
      ${k.store(14)}
      mov dword [0x8000+4*${DONE}], 1
    `);
      assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
      assertEquals([0, 1, 2, 3, 4, 5, 6].map((n) => r.result(n)), words.map(([, value]) => value));
      assertEquals([7, 8, 9, 10, 11, 12, 13, 14].map((n) => r.result(n)), [
        0xb000,
        0x8d7,
        0xabcd,
        0x88,
        0x12345,
        0x10,
        0,
        0,
      ]);
    },
  );

  on.unless(RING_0, NO_CALLS).test("an entry of a table that another CPU has loaded takes effect there", () => {
    const r = run((k) => `
      mov dword [gdt+20*8], 0x1000ffff
      mov dword [gdt+20*8+4], 0x00cff200
      mov dword [0x6000], 0x1111
      mov dword [0x7000], 0x2222
      ${state("second")}
      mov eax, ${STATE}
      mov edx, 1
      ${k.call("SetInitialAPState")}
      ${START}
      wait_first:
      cmp dword [0x8000+4*${DONE}], 1
      jne wait_first
      push dword 0x00cff200
      mov eax, gdt
      mov edx, 20
      mov ecx, 0x2000ffff
      ${k.call("WriteGDTEntry")}
      add esp, 4
      mov dword [0x8000+4*${DONE}], 2
      wait_second:
      cmp dword [0x8000+4*${DONE}], 3
      jne wait_second
      jmp stop
      second:
      mov eax, 0xa3
      mov fs, ax
      mov eax, [fs:0x5000]
      ${k.store(0)}
      mov dword [0x8000+4*${DONE}], 1
      wait_other:
      cmp dword [0x8000+4*${DONE}], 2
      jne wait_other
      mov eax, 0xa3
      mov fs, ax
      mov eax, [fs:0x5000]
      ${k.store(1)}
      mov dword [0x8000+4*${DONE}], 3
    `);
    assertEquals([r.stop.kind, r.result(0), r.result(1)], ["halt", 0x1111, 0x2222]);
  });
});
