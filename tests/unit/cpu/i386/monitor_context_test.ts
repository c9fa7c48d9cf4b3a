/** A CPU in the hands of a backend or monitor: events that never reach the guest, registers, segments, physical tables. */
import { asm, ConfigError, type ContextCpu, i386, type Machine, machine, MiB, ram } from "../../../../mod.ts";
import type { InterceptAnswer, InterceptEvent, MonitorContext } from "../../../../lib/core/monitor.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
const AT = 0x7c00;

function setUp(engine: typeof ENGINES[number], program: ReturnType<typeof asm>): [Machine, MonitorContext] {
  const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 * MiB })] });
  m.load(AT, program);
  return [m, (m.cpu.cpu as ContextCpu).context as MonitorContext];
}

/** Puts an interceptor on the CPU that notes what it is asked. */
function listen(guest: MonitorContext, answer: (event: InterceptEvent) => InterceptAnswer): InterceptEvent[] {
  const seen: InterceptEvent[] = [];
  guest.interceptor = {
    intercept: (event): InterceptAnswer => {
      seen.push({ ...event });
      return answer(event);
    },
  };
  return seen;
}

for (const engine of ENGINES) {
  Deno.test(`${engine}: intercept sees software interrupts and exceptions, and EIP is where it leaves it`, () => {
    const [m, guest] = setUp(
      engine,
      asm`
      int 0x30
      ud2
      mov ebx, 1
      int3
      hlt
    `,
    );
    const seen = listen(guest, (event) => {
      guest.eip = event.kind === "software" ? event.next : guest.eip + 2;
      return "handled";
    });
    assertEquals(m.run({ instructions: 100 }).kind, "halt");
    assertEquals(m.cpu.ebx, 1);
    assertEquals(seen.map((e) => [e.kind, e.vector, e.errorCode, e.next]), [
      ["software", 0x30, -1, AT + 2],
      ["exception", 6, -1, AT + 2],
      ["software", 3, -1, AT + 10],
    ]);
  });

  Deno.test(`${engine}: a delivered or replaced event goes through the guest's table, a reset ends interception`, () => {
    const [m, guest] = setUp(
      engine,
      asm`
      lidt [pointer]
      int 0x30
      int 0x31
      hlt
      pointer:
      dw 0x18f
      dd 0x9000
      soft:
      iretd
      fault:
      pop edx
      hlt
    `,
    );
    const gate = (vector: number, handler: number): void =>
      m.poke(0x9000 + 8 * vector, Uint8Array.of(handler & 0xff, handler >> 8, 8, 0, 0, 0x8e, 0, 0));
    gate(0x30, AT + 18);
    gate(13, AT + 19);
    m.poke(0x8000, Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0));
    guest.setSystemTables({ gdtBase: 0x8000, gdtLimit: 15, idtBase: 0, idtLimit: 0, physical: false });
    const seen = listen(
      guest,
      (event) => event.vector === 0x31 ? { vector: 13, errorCode: 0x44, linear: 0 } : "deliver",
    );
    assertEquals(m.run({ instructions: 100 }).kind, "halt");
    assertEquals(m.cpu.edx, 0x44);
    assertEquals(seen.map((e) => [e.kind, e.vector, e.errorCode]), [
      ["software", 0x30, -1],
      ["software", 0x31, -1],
      ["exception", 13, 0x44],
    ]);
    m.reset();
    assertEquals(guest.interceptor, undefined);
  });

  Deno.test(`${engine}: descriptor tables by physical address are read where no page table leads`, () => {
    const [m, guest] = setUp(
      engine,
      asm`
      mov eax, 0x18
      mov ds, ax
      mov ebx, [0]
      hlt
    `,
    );
    m.poke(0x9018, Uint8Array.of(0xff, 0xff, 0x00, 0x50, 0x00, 0x92, 0xcf, 0x00)); // base 0x5000
    m.poke(0x5000, Uint8Array.of(0x78, 0x56, 0x34, 0x12));
    m.poke(0x10000, Uint8Array.of(0x03, 0x10, 0x01, 0x00)); // directory: table at 0x11000
    for (let page = 0; page < 9; page++) m.poke(0x11000 + 4 * page, Uint8Array.of(3, page << 4, 0, 0)); // not page 9
    m.cpu.set("cr3", 0x10000);
    guest.setControl("cr0", (m.cpu.cr0 | 0x80000000) >>> 0);
    guest.setSystemTables({ gdtBase: 0x9000, gdtLimit: 0x1f, idtBase: 0, idtLimit: 0, physical: true });
    const snapshot = m.snapshot();
    assertEquals(m.run({ instructions: 100 }).kind, "halt");
    assertEquals(m.cpu.ebx, 0x12345678);
    assertEquals(guest.segment(3), { selector: 0x18, base: 0x5000, limit: 0xffffffff, access: 0xc09300 });
    assertEquals(m.peek(0x901d, 1), Uint8Array.of(0x93)); // accessed
    m.restore(snapshot);
    assertEquals(guest.systemTables().physical, true);
  });
}

Deno.test("the guest context reads and writes registers, memory and control registers", () => {
  const [m, guest] = setUp("interpreter", asm`hlt`);
  guest.setReg(3, 0xdeadbeef);
  assertEquals([guest.reg(3), m.cpu.ebx], [0xdeadbeef, 0xdeadbeef]);
  guest.eip = 0x1234;
  assertEquals(m.cpu.eip, 0x1234);
  guest.eflags = 0x246;
  assertEquals([guest.eflags, m.cpu.eflags], [0x246, 0x246]);
  guest.write(0x2000, 0x11223344, 32);
  guest.write(0x2004, 0x5566, 16);
  guest.write(0x2006, 0x77, 8);
  assertEquals([guest.read(0x2000, 32), guest.read(0x2004, 16), guest.read(0x2006, 8)], [0x11223344, 0x5566, 0x77]);
  assert(guest.poke(0x2ffe, Uint8Array.of(1, 2, 3, 4)));
  const four = new Uint8Array(4);
  assert(guest.peek(0x2ffe, four));
  assertEquals(four, Uint8Array.of(1, 2, 3, 4));
  guest.setControl("cr2", 0xabc);
  assertEquals([guest.control("cr2"), guest.cpl], [0xabc, 0]);
  guest.halt();
  assert(guest.halted);
  assertEquals(guest.cpuid(0, 0)[0] > 0, true);
  assertThrows(() => guest.setControl("cr9", 0), ConfigError, "cr9");
});

Deno.test("the guest context copies nothing if a page of the range is not mapped", () => {
  const [m, guest] = setUp("interpreter", asm`hlt`);
  m.poke(0x10000, Uint8Array.of(0x03, 0x10, 0x01, 0x00));
  for (let page = 0; page < 9; page++) m.poke(0x11000 + 4 * page, Uint8Array.of(3, page << 4, 0, 0));
  m.cpu.set("cr3", 0x10000);
  guest.setControl("cr0", (m.cpu.cr0 | 0x80000000) >>> 0);
  assertEquals(guest.poke(0x8fff, Uint8Array.of(9, 9)), false);
  assertEquals(m.peek(0x8fff, 1), Uint8Array.of(0));
  assertEquals(guest.peek(0x8fff, new Uint8Array(2)), false);
  assertEquals(guest.peek(0x8fff, new Uint8Array(1)), true);
});

Deno.test("the monitor context decodes an instruction with its operand", () => {
  const [, guest] = setUp("interpreter", asm`hlt`);
  guest.setReg(0, 0x100);
  const move = guest.instruction(Uint8Array.of(0x0f, 0x22, 0xd8));
  assertEquals([move?.name, move?.length, move?.reg, move?.rm], ["movToCr", 3, 3, 0]);
  const load = guest.instruction(Uint8Array.of(0x0f, 0x01, 0x50, 0x10, 0, 0, 0, 0));
  assertEquals([load?.name, load?.isMemory, load?.linear], ["lgdt", true, 0x110]);
  assertEquals(guest.instruction(Uint8Array.of(0x0f)), undefined);
});

Deno.test("the monitor context reads ports and model-specific registers of the machine", () => {
  const [, guest] = setUp("interpreter", asm`hlt`);
  assertEquals(guest.readPort(0x1234, 8), 0xff);
  assert(guest.writeMsr(0x174, 0x60, 0));
  assertEquals(guest.readMsr(0x174), [0x60, 0]);
  assertEquals([guest.readMsr(0x999), guest.writeMsr(0x999, 0, 0)], [undefined, false]);
});
