/** The cost model: time advances by the prices of events, alike on every engine, wherever a run is cut, with hooks and without. */
import {
  asm,
  assemble,
  ConfigError,
  type CostTable,
  direct,
  type EngineName,
  guests,
  hardware,
  i386,
  type Machine,
  machine,
  MiB,
  native,
  pc,
  type PcMachine,
  ram,
  shadow,
  trap,
  vmiPc,
} from "../../../mod.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { ENGINES, flat, gate, LIDT, smp } from "./smp.ts";

const MEMORY = 8 * MiB;
const COSTS: CostTable = {
  exit: 417,
  hypercall: 311,
  emulate: 293,
  patched: 31,
  deliver: 151,
  gate: 257,
  fastCall: 149,
  tlbFill: 3,
  walkStep: 11,
  shadowEntry: 199,
  wholeTable: 1499,
};
type Maker = (engine: EngineName, costs?: CostTable, cpus?: number) => PcMachine;
const MACHINES: Readonly<Record<string, Maker>> = {
  "no hypervisor": (engine, costs, cpus = 1) => pc({ memory: MEMORY, engine, cpus, ...priced(costs) }),
  native: on(() => native()),
  shadow: on(() => shadow()),
  direct: on(() => direct()),
  trap: on(() => trap()),
  hardware: on(() => hardware()),
  "hardware with shadow paging": on(() => hardware({ paging: "shadow" })),
};

function on(make: () => NonNullable<Parameters<typeof vmiPc>[0]>["backend"] & object): Maker {
  return (engine, costs, cpus = 1) => vmiPc({ backend: make(), memory: MEMORY, engine, cpus, ...priced(costs) });
}

function priced(costs: CostTable | undefined): { readonly costs?: CostTable } {
  return costs === undefined ? {} : { costs };
}

function boot<M extends PcMachine>(m: M): M {
  m.boot(guests.minikernel({ workload: "mixed", count: 3 }));
  return m;
}

for (const [name, make] of Object.entries(MACHINES)) {
  Deno.test(`costs: time, counts and state are the same on every engine: ${name}`, () => {
    const ends = ENGINES.map((engine) => {
      const m = boot(make(engine, COSTS, 2));
      assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 20_000_000 }).kind, "until");
      assert((m.costs?.counts.tlbFill ?? 0) > 100, name);
      return [m.now, m.costs?.ticks, m.costs?.counts, m.cpus.map((c) => c.cpu.translations), m.hash()];
    });
    assertEquals(ends[1], ends[0]);
    assertEquals(ends[2], ends[0]);
  });
}

Deno.test("costs: with two CPUs the cuts of a run, hooks, observers and snapshots change nothing", () => {
  for (const name of ["shadow", "hardware"] as const) {
    const make = (): PcMachine => boot((MACHINES[name] as Maker)("jit", COSTS, 2));
    const whole = make();
    whole.run({ instructions: 300_000 });
    const end = [whole.now, whole.hash()];
    const cut = make(), r = new Prng(5);
    let other: ReturnType<Machine["snapshot"]> | undefined;
    for (let left = 300_000; left > 0;) {
      const n = Math.min(left, 1 + r.below(40_000));
      cut.run({ instructions: n });
      left -= n;
      other = cut.snapshot();
    }
    assertEquals([cut.now, cut.hash()], end, name);
    const watched = make();
    watched.onMemory({ at: 0xc0100000, size: 0x8000 }, () => {});
    watched.onInterrupt(undefined, () => {});
    watched.run({ instructions: 150_000 });
    watched.onBlock(() => {});
    watched.run({ instructions: 150_000 });
    assertEquals([watched.now, watched.hash()], end, name);
    const restored = make();
    if (other !== undefined) restored.restore(other);
    restored.run({ instructions: 100_000 });
    whole.run({ instructions: 100_000 });
    assertEquals([restored.now, restored.hash()], [whole.now, whole.hash()], name);
  }
});

Deno.test("costs: without a table, or with one of zeros, time is that of the instructions", () => {
  for (const table of [undefined, {}, { exit: 0, tlbFill: 0 }]) {
    const m = boot((MACHINES["shadow"] as Maker)("jit", table));
    m.run({ instructions: 300_000 });
    const free = boot((MACHINES["shadow"] as Maker)("interpreter"));
    free.run({ instructions: 300_000 });
    assertEquals([m.now, m.costs?.ticks ?? 0], [free.now, 0]);
  }
});

/** A guest with paging that reads the counter around what it does. @returns The difference, low dword. */
function ticks(body: string, costs: CostTable, engine: EngineName): number {
  const source = `
  mov edi, 0x20000
  mov ecx, 1024
  mov eax, 3
fill:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  loop fill
  mov dword [0x30000], 0x20003
  mov dword [0x30004], 0x400083
  mov eax, 0x30000
  mov cr3, eax
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  jmp paged
paged:
  mov eax, [0x3000]
  rdtsc
  mov ebp, eax
  ${body}
  rdtsc
  sub eax, ebp
  hlt`;
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: MEMORY })], costs });
  m.poke(0x10000, assemble(source, { origin: 0x10000, bits: 32 }).bytes);
  m.start({ mode: "flat32", entry: 0x10000, stack: 0x9000 });
  assertEquals(m.run({ instructions: 20_000 }).kind, "halt");
  return Number(m.cpu.get("eax"));
}

Deno.test("costs: the time-stamp counter sees each missing translation once, and each step of its walk", () => {
  const cases: readonly (readonly [body: string, fills: number, steps: number])[] = [
    ["nop", 0, 0],
    ["mov eax, [0x3004]", 0, 0], // held
    ["mov eax, [0x5000]\nmov eax, [0x5ffc]", 1, 2],
    ["mov [0x5000], eax\nmov [0x5004], eax\nmov eax, [0x5008]", 1, 2],
    ["mov eax, [0x5000]\nmov [0x5000], eax", 2, 4], // the dirty bit is set by a second walk
    ["mov eax, [0x5ffe]", 2, 4], // two pages
    ["mov eax, [0x400000]\nmov eax, [0x7ff000]", 1, 1], // one large page
    ["invlpg [0x3000]\nmov eax, [0x3000]", 1, 2],
    ["invlpg [0x5000]\nmov eax, [0x3000]", 0, 0],
    ["mov eax, [0x400000]\ninvlpg [0x7fffff]\nmov eax, [0x401000]", 2, 2], // all of the large page goes
    ["mov eax, cr3\nmov cr3, eax\nmov eax, [0x3000]", 2, 4], // its code too
    ["mov esi, 0x8000\nmov edi, 0xc000\nmov ecx, 3072\nrep movsd", 6, 12], // each page a string comes to
  ];
  for (const engine of ENGINES) {
    for (const [body, fills, steps] of cases) {
      const free = ticks(body, {}, engine);
      assertEquals(ticks(body, { tlbFill: 1000 }, engine) - free, 1000 * fills, `${engine}: ${body}`);
      assertEquals(ticks(body, { walkStep: 1000 }, engine) - free, 1000 * steps, `${engine}: ${body}`);
    }
  }
});

/** Loads the table of gates, then calls one again and again and stamps what time it sees, one after the other. */
const STAMPS = asm`
  lidt [${LIDT}]
  mov ecx, 500
again:
  int 0x20
  rdtsc
  mov ebx, 4
  lock xadd [0x600], ebx
  mov [ebx+0x100000], eax
  loop again
  hlt
`;

Deno.test("costs: what an instruction costs beyond the end of a round is a debt; time stamps agree with the order of things", () => {
  const ends = ENGINES.map((engine) => {
    const m = smp({ engine, quantum: 50, cpus: 3, costs: { gate: 777 } });
    m.poke(0xa000, asm`iret`.bytes);
    gate(m, 0x20, 0xa000);
    flat(m, 0x8000, STAMPS, 0, 1, 2);
    // A snapshot amid a round carries the debts on.
    m.run({ instructions: 1234 });
    const middle = m.snapshot();
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    const end = [m.now, m.hash()];
    const other = smp({ engine, quantum: 50, cpus: 3, costs: { gate: 777 } });
    other.restore(middle);
    while (other.run({ instructions: 17 }).kind === "budget");
    assertEquals([other.now, other.hash()], end, engine);
    const stamps = new Uint32Array(m.peek(0x100000, 4 * 1500).slice().buffer);
    for (let i = 1; i < 1500; i++) assert((stamps[i] ?? 0) >= (stamps[i - 1] ?? 0), `${engine}: stamp ${i}`);
    // Each of the three pays for its own, side by side.
    assert(m.now > 500 * 777 && m.now < 500 * 777 + 10_000, `${m.now}`);
    return end;
  });
  assertEquals(ends[1], ends[0]);
  assertEquals(ends[2], ends[0]);
});

Deno.test("costs: a table with something else in it is refused", () => {
  const make = (costs: unknown) => (): unknown => machine({ cpu: i386(), costs: costs as CostTable });
  assertThrows(make({ exits: 1 }), ConfigError, '"exits"');
  assertThrows(make({ exit: -1 }), ConfigError, "costs.exit");
  assertThrows(make({ exit: 1.5 }), ConfigError, "costs.exit");
  assertThrows(make(7), ConfigError, "costs must be a table");
  const one = machine({ cpu: i386(), memory: [ram({ at: 0, size: 4096 })], costs: { exit: 1 } });
  const other = machine({ cpu: i386(), memory: [ram({ at: 0, size: 4096 })], costs: { exit: 2 } });
  assertThrows(() => other.restore(one.snapshot()), ConfigError, "exit costs 1, not 2");
  assertNotEquals(one.costs, undefined);
});
