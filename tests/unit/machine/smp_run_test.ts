import { asm, Snapshot } from "../../../mod.ts";
import { assert, assertEquals, assertNotEquals } from "../../../scripts/deps/std.ts";
import { adders, ENGINES, flat, smp, startFlat, word } from "./smp.ts";

const SPIN = asm`
  wait:
    nop
    cmp dword [0x600], 1
    jne wait
    hlt
`;
const SPIN_WITH_PAUSE = asm`
  wait:
    pause
    cmp dword [0x600], 1
    jne wait
    hlt
`;

Deno.test("runs of several CPUs repeat to the bit, on all engines and however they are cut", () => {
  const seen = new Set<string>();
  for (const quantum of [1, 7, 1000]) {
    const whole = adders({ quantum });
    whole.run({ instructions: 15_001 });
    const hash = whole.hash();
    const again = adders({ quantum });
    for (let done = 0; done < 15_001; done += 13) again.run({ instructions: Math.min(13, 15_001 - done) });
    assertEquals(again.hash(), hash, `quantum ${quantum}`);
    for (const engine of ENGINES) {
      const other = adders({ quantum, engine });
      other.run({ instructions: 15_001 });
      assertEquals(other.hash(), hash, `${engine}, quantum ${quantum}`);
    }
    seen.add(hash);
  }
  assertEquals(seen.size, 3);
});

Deno.test("restore() in the middle of a turn goes on to the same end, in the same machine and another", () => {
  for (const at of [1, 500, 1003, 2500]) {
    const m = adders({ quantum: 1000 });
    m.run({ instructions: at });
    const middle = m.snapshot();
    m.run({ instructions: 6001 });
    const end = m.hash();
    m.restore(middle);
    m.run({ instructions: 6001 });
    assertEquals(m.hash(), end, `after ${at}`);
    const other = adders({ quantum: 1000, engine: "reference" });
    other.restore(Snapshot.fromBytes(middle.toBytes()));
    other.run({ instructions: 6001 });
    assertEquals(other.hash(), end, `after ${at}`);
  }
});

Deno.test("budgets of instructions and time are exact with several CPUs, and time never goes back", () => {
  const m = adders({ quantum: 1000 });
  let now = 0, executed = 0;
  for (const instructions of [1, 999, 1, 500, 1500, 37]) {
    assertEquals(m.run({ instructions }).kind, "budget");
    executed += instructions;
    assert(m.now >= now);
    now = m.now;
    assertEquals(m.cpus.reduce((sum, c) => sum + c.instructions, 0), executed);
  }
  const ticks = adders({ quantum: 1000 });
  for (const n of [100, 900, 1, 2499]) {
    const before = ticks.now;
    ticks.run({ ticks: n });
    assertEquals(ticks.now - before, n);
  }
});

Deno.test("time stamps agree with the order of execution, and each CPU has its own offset", () => {
  const m = smp({ quantum: 100, cpus: 3 });
  const program = asm`
      mov ecx, 300
    again:
      mov al, 1
      xchg [0x700], al
      test al, al
      jnz again
      rdtsc
      cmp eax, [0x704]
      jae fine
      inc dword [0x708]
    fine:
      mov [0x704], eax
      mov byte [0x700], 0
      loop again
      hlt
  `;
  flat(m, 0x8000, program, 0, 1, 2);
  assertEquals(m.run({ instructions: 1_000_000 }).kind, "halt");
  assertEquals(word(m, 0x708), 0);
  assert(word(m, 0x704) > 1000);
  const own = smp();
  const stamp = asm`
      cmp dword [0x600], 0
      jne read
      mov ecx, 0x10
      mov eax, 0x5000000
      xor edx, edx
      wrmsr
      mov dword [0x600], 1
      hlt
    read:
      rdtsc
      mov [0x604], eax
      hlt
  `;
  flat(own, 0x8000, stamp, 0);
  own.run({ instructions: 100 });
  startFlat(own, 1, 0x8000);
  own.run({ instructions: 100 });
  assert(word(own, 0x604) < 100);
});

Deno.test("PAUSE gives up the rest of a turn while others are busy, and nothing while alone", () => {
  const counts = [SPIN, SPIN_WITH_PAUSE].map((program) => {
    const m = smp({ quantum: 1000 });
    flat(m, 0x9000, program, 1);
    flat(
      m,
      0x8000,
      asm`
        mov ecx, 10000
      again: loop again
        mov dword [0x600], 1
        hlt`,
      0,
    );
    assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
    return m.cpus[1].instructions;
  });
  assert(counts[0] > 9000 && counts[1] < 50, String(counts));
  const alone = smp();
  flat(
    alone,
    0x8000,
    asm`
      mov ecx, 100
    again:
      pause
      loop again
      hlt`,
    0,
  );
  alone.run({ instructions: 1000 });
  assertEquals(alone.now, 202);
});

Deno.test("hooks tell which CPU executes, and going on skips the stopped instruction of that CPU alone", () => {
  const m = smp({ quantum: 3 });
  const program = asm`
      mov ecx, 4
    again: loop again
      hlt
  `;
  flat(m, 0x8000, program, 0, 1);
  const seen: number[] = [];
  m.onCode(0x8005, (event) => {
    seen.push(event.cpu);
    assertEquals(m.current.name, `cpu${event.cpu}`);
    event.stop("here");
  });
  const stops: string[] = [];
  for (let i = 0; i < 20; i++) {
    const stop = m.run({ instructions: 1000 });
    if (stop.kind !== "hook") break;
    stops.push(m.current.name);
    assertEquals(m.current.pcLinear, 0x8005);
  }
  assertEquals(seen, [0, 0, 1, 1, 0, 0, 1, 1]);
  assertEquals(stops.length, 8);
});

Deno.test("the skipped instruction is that of the stopped CPU, though another comes there first", () => {
  const m = smp();
  flat(m, 0x9000, asm`hlt`, 0);
  flat(
    m,
    0x8000,
    asm`
      mov eax, 1
      mov ebx, 2
      hlt
  `,
    1,
  );
  const seen: number[] = [];
  m.onCode(0x8005, (event) => {
    seen.push(event.cpu);
    event.stop("here");
  });
  assertEquals(m.run({ instructions: 100 }).kind, "hook");
  startFlat(m, 0, 0x8005);
  assertEquals(m.run({ instructions: 100 }).kind, "hook");
  assertEquals(seen, [1, 0]);
  assertEquals(m.run({ instructions: 100 }).kind, "halt");
  assertEquals(seen, [1, 0]);
  assertEquals(m.cpus.map((c) => [c.ebx, c.instructions]), [[2, 3], [2, 3]]);
});

Deno.test("step() runs one instruction of the CPU whose turn it is", () => {
  const m = adders({ quantum: 2 });
  const order: string[] = [];
  for (let i = 0; i < 8; i++) {
    m.step();
    order.push(m.current.name);
  }
  assertEquals(order, ["cpu0", "cpu0", "cpu1", "cpu1", "cpu0", "cpu0", "cpu1", "cpu1"]);
});

Deno.test("a CPU alone runs without rounds until it wakes another", () => {
  const [short, long] = [1, 1000].map((quantum) => {
    const m = smp({ quantum });
    flat(
      m,
      0x8000,
      asm`
      mov ecx, 5000
    again: loop again
      hlt`,
      0,
    );
    m.run({ instructions: 100_000 });
    return m.hash();
  });
  assertEquals(short, long);
  const [a, b] = [1, 1000].map((quantum) => {
    const m = adders({ quantum });
    m.run({ instructions: 100_000 });
    return m.hash();
  });
  assertNotEquals(a, b);
});
