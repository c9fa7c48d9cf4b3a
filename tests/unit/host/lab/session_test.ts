import { asm, asm16, guests, pc, type PcMachine, shadow, vmiPc } from "../../../../mod.ts";
import { LabSession } from "../../../../lib/host/lab/session.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../../scripts/deps/std.ts";

const ENGINES = ["interpreter", "jit"] as const;

/** Echoes each byte of the serial line, and counts in CX meanwhile. */
const ECHO = asm16`
  mov dx, 0x3fd
again:
  inc cx
  in al, dx
  test al, 1
  jz again
  mov dl, 0xf8
  in al, dx
  out dx, al
  mov dl, 0xfd
  jmp again`;

function echo(engine: "interpreter" | "jit"): PcMachine {
  const m = pc({ engine });
  m.load(0x7c00, ECHO);
  return m;
}

for (const engine of ENGINES) {
  Deno.test(`LabSession goes back over typed input to the very states that were there (${engine})`, async () => {
    const m = echo(engine);
    const lab = new LabSession(m);
    const states = new Map<number, string>();
    const step = async (count: number): Promise<void> => {
      await lab.handle({ do: "step", count });
      states.set(lab.state().position, m.hash());
    };
    const begin = m.hash();
    await step(1000);
    await lab.handle({ do: "type", text: "ab" });
    await step(700_000); // beyond a mark
    await lab.handle({ do: "type", text: "c" });
    await step(5);
    await step(800_000);
    assertEquals(m.serial.text, "abc");
    await lab.handle({ do: "back", count: 1 });
    await lab.handle({ do: "step", count: 1 });
    assertEquals(m.hash(), states.get(1_501_005));
    await lab.handle({ do: "back", count: 800_000 });
    assertEquals([lab.state().position, m.hash()], [701_005, states.get(701_005)]);
    await lab.handle({ do: "back", count: 100 });
    await lab.handle({ do: "step", count: 100_000 });
    assertEquals(m.serial.text, "ab"); // what was typed later is forgotten
    await lab.handle({ do: "back", count: 2 ** 30 });
    assertEquals([lab.state().said, m.hash()], ["at the beginning", begin]);
    await lab.close();
  });

  Deno.test(`LabSession runs beside the event loop, pauses, and keeps the time line in step with time (${engine})`, async () => {
    const m = vmiPc({ backend: shadow(), engine });
    m.boot(guests.minikernel());
    const lab = new LabSession(m);
    const running = lab.handle({ do: "run" });
    assert(lab.state().running);
    while (!m.serial.text.includes("ready")) await new Promise((resolve) => setTimeout(resolve, 0));
    await lab.handle({ do: "pause" });
    await running;
    const { position, callCount, calls, hypervisor, running: on } = lab.state();
    assertEquals([on, hypervisor], [false, "shadow"]);
    assert(callCount !== null && callCount > 400 && calls.length > 100, `${callCount}`);
    assertEquals(calls.map((c) => c.time), calls.map((c) => c.time).toSorted((a, b) => a - b));
    await lab.handle({ do: "back", count: 5000 });
    const back = lab.state();
    assertEquals(back.position, position - 5000);
    assert(back.callCount !== null && back.callCount < callCount && back.calls.every((c) => c.time < m.now));
    await lab.handle({ do: "step", count: 5000 });
    const again = lab.state();
    assertEquals([again.position, again.callCount, again.calls.at(-1)], [position, callCount, calls.at(-1)]);
    // Beyond the calls that are kept: how many there were is not known, those since the last mark are shown.
    while (lab.state().callCount !== null) await lab.handle({ do: "back", count: 100_000 });
    assert(lab.state().position > 0);
    assert(lab.state().calls.every((c) => c.time < m.now));
    await lab.handle({ do: "restart" });
    assertEquals([lab.state().callCount, lab.state().calls, m.serial.text], [0, [], ""]);
    await lab.close();
  });
}

Deno.test("LabSession says how a run ended, and can go back from there", async () => {
  const m = pc();
  m.load(
    0x7c00,
    asm16`
    mov ax, 7
    cli
    hlt`,
  );
  const lab = new LabSession(m);
  await lab.handle({ do: "run" });
  assertStringIncludes(lab.state().said, "halted for good");
  await lab.handle({ do: "back", count: 2 });
  assertEquals(lab.state().code.slice(0, 2), [{ at: "00007c03", text: "cli" }, { at: "00007c04", text: "hlt" }]);
  assertEquals(lab.state().registers.find(([name]) => name === "eax")?.[1], "0x00000007");
});

Deno.test("LabSession shows the CPU it is asked for, and no other than there are", async () => {
  const m = pc({ cpus: 2 });
  m.load(0x7c00, asm16`jmp $`);
  const lab = new LabSession(m);
  await lab.handle({ do: "look", at: 7 });
  assertEquals([lab.state().at, lab.state().choices], [1, ["cpu0", "cpu1"]]);
});

Deno.test("LabSession presses keys of the keyboard, also on the way back", async () => {
  const m = pc({ engine: "interpreter" });
  m.load(
    0x7c00,
    asm16`
    mov bx, 0x500
again:
    in al, 0x64
    test al, 1
    jz again
    in al, 0x60
    mov [bx], al
    inc bx
    jmp again`,
  );
  const lab = new LabSession(m);
  await lab.handle({ do: "step", count: 1000 });
  await lab.handle({ do: "key", text: "a\n" });
  await lab.handle({ do: "step", count: 6_000_000 });
  const codes = [0x1e, 0x9e, 0x1c, 0x9c];
  assertEquals([...m.peek(0x500, 5)], [...codes, 0]);
  const there = m.hash();
  await lab.handle({ do: "step", count: 10 });
  await lab.handle({ do: "back", count: 10 });
  assertEquals([...m.peek(0x500, 5), m.hash()], [...codes, 0, there]);
});

for (const engine of ENGINES) {
  Deno.test(`LabSession ends a run at a breakpoint, goes on from it, and does not meet it on the way back (${engine})`, async () => {
    const m = pc({ engine });
    m.load(
      0x7c00,
      asm16`
      mov cx, 1000
again:
      inc ax
      mov [0x500], ax
      loop again
      cli
      hlt`,
    );
    const lab = new LabSession(m);
    const inc = 0x7c03;
    await lab.handle({ do: "breakpoint", at: inc });
    assertEquals(lab.state().breakpoints, ["00007c03"]);
    for (const ax of [0, 1, 2]) {
      await lab.handle({ do: "run" });
      assertEquals([m.cpu.pcLinear, m.cpu.eax & 0xffff], [inc, ax]);
      assertEquals(lab.state().said, "breakpoint 00007c03 ended the run at EIP 00007c03");
    }
    const { position } = lab.state();
    await lab.handle({ do: "back", count: 4 });
    assertEquals([lab.state().position, m.cpu.eax & 0xffff], [position - 4, 1]);
    await lab.handle({ do: "step", count: 1_000_000 });
    assertEquals([lab.state().position, m.cpu.eax & 0xffff], [position - 3, 1]); // met once more
    await lab.handle({ do: "breakpoint", at: inc });
    assertEquals(lab.state().breakpoints, []);
    await lab.handle({ do: "run" });
    assertStringIncludes(lab.state().said, "halted for good");
    await lab.handle({ do: "memory", at: 0x500 });
    assertEquals(lab.state().memory[0].slice(0, 16), "00000500  e8 03 ");
  });
}

Deno.test("LabSession: a breakpoint set while the machine runs ends the run on the CPU that meets it, which is shown", async () => {
  const m = pc({ cpus: 2 });
  m.load(0x7c00, asm16`jmp $`);
  const lab = new LabSession(m);
  await lab.handle({ do: "look", at: 1 });
  const running = lab.handle({ do: "run" });
  await lab.handle({ do: "breakpoint", at: 0x7c00 });
  await running;
  const { at, running: on, said } = lab.state();
  assertEquals([at, on], [0, false]);
  assertStringIncludes(said, "breakpoint 00007c00");
  await lab.close();
});

Deno.test("LabSession shows memory by the page tables in use, and says where nothing is mapped", async () => {
  const m = pc({ memory: 4 << 20 });
  m.load(
    0x10_0000,
    asm`
    mov eax, 0x201003 ; directory at 2 MiB: one table, which maps the second MiB
    mov [0x200000], eax
    mov edi, 0x201400
    mov eax, 0x100003
next:
    mov [edi], eax
    add edi, 4
    add eax, 0x1000
    cmp edi, 0x201800
    jne next
    mov eax, 0x200000
    mov cr3, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    hlt`,
  );
  m.poke(0x10_1000, new Uint8Array([0x41, 0x42]));
  const lab = new LabSession(m);
  await lab.handle({ do: "run" });
  await lab.handle({ do: "memory", at: 0xf_ffe0 });
  const { memory } = lab.state();
  assertEquals(memory.slice(0, 3).map((line) => line.slice(0, 28)), [
    "000fffe0  nothing is mapped",
    "000ffff0  nothing is mapped",
    "00100000  b8 03 10 20 00 a3 ",
  ]);
  await lab.handle({ do: "memory", at: 0xffff_fff8 });
  assertEquals(lab.state().memory.slice(0, 2), ["fffffff8  nothing is mapped", "00000008  nothing is mapped"]);
  await lab.handle({ do: "memory", at: 0x10_1000 });
  assertStringIncludes(lab.state().memory[0], "|AB....");
});
