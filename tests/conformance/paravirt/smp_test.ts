/** Further CPUs under a de-privileging hypervisor: they start without privileges or not at all. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue } from "./rogue.ts";
import { conformance, NO_CALLS, RING_0 } from "./suite.ts";

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

/** The state as Linux fills it. */
function state(entry: string, cr0 = 0x80050023): string {
  const words: readonly [number, string | number][] = [
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
});
