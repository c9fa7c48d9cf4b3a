import { asm, asm16, type EngineName, MiB, pc, type PcMachine, Prng } from "../../../../mod.ts";
import { History } from "../../../../lib/host/gdb/history.ts";
import { Points } from "../../../../lib/host/gdb/points.ts";
import { Session } from "../../../../lib/host/gdb/session.ts";
import { REGISTER_COUNT } from "../../../../lib/host/gdb/registers.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../../scripts/deps/std.ts";

/** Doubles EAX into [0x9000] ten times. Addresses: loop 0x7c0a, store 0x7c0c, halt 0x7c15. */
const PROGRAM = asm`
  mov eax, 1
  mov ebx, 0x9000
again:
  add eax, eax
  mov [ebx], eax
  inc ecx
  cmp ecx, 10
  jb again
  cli
  hlt`;

interface Client {
  readonly m: PcMachine;
  readonly session: Session;
  /** Sends a packet; the last reply, after console output. */
  readonly ask: (text: string) => Promise<string | undefined>;
  readonly console: () => string;
}

function client(engine: EngineName = "interpreter", program = PROGRAM): Client {
  const m = pc({ memory: 4 * MiB, engine });
  m.load(0x7c00, program);
  let replies: string[] = [];
  let said = "";
  const session = new Session(m, (text) => {
    if (/^O[0-9a-f]+$/.test(text)) said += decode(text.slice(1));
    else replies.push(text);
  });
  const ask = async (text: string): Promise<string | undefined> => {
    replies = [];
    await session.handle(text);
    assert(replies.length <= 1, replies.join());
    return replies[0];
  };
  return { m, session, ask, console: () => said };
}

function decode(hex: string): string {
  return hex.replaceAll(/../g, (two) => String.fromCharCode(parseInt(two, 16)));
}

for (const engine of ["interpreter", "jit", "reference"] as const) {
  Deno.test(`Session steps, stops at breakpoints and watchpoints, goes back (${engine})`, async () => {
    const { m, ask } = client(engine);
    assertEquals(await ask("?"), "S05");
    assertEquals(await ask("s"), "T05thread:1;");
    assertEquals([m.cpu.eip, m.cpu.eax], [0x7c05, 1]);
    assertEquals(await ask("Z0,7c0a,1"), "OK");
    assertEquals(await ask("c"), "T05thread:1;swbreak:;");
    assertEquals([m.cpu.eip, m.cpu.ecx], [0x7c0a, 0]);
    assertEquals(await ask("vCont;c:1"), "T05thread:1;swbreak:;");
    assertEquals([m.cpu.eip, m.cpu.ecx], [0x7c0a, 1]);
    assertEquals(await ask("z0,7c0a,1"), "OK");
    assertEquals(await ask("Z2,9000,4"), "OK");
    assertEquals(await ask("c"), "T05thread:1;watch:9000;");
    assertEquals([m.cpu.eip, m.cpu.ecx, m.peek(0x9000, 1)[0]], [0x7c0e, 1, 4]);
    assertEquals(await ask("bs"), "T05thread:1;");
    assertEquals([m.cpu.eip, m.peek(0x9000, 1)[0]], [0x7c0c, 2]);
    assertEquals(await ask("bc"), "T05thread:1;watch:9000;");
    assertEquals([m.cpu.eip, m.cpu.ecx, m.peek(0x9000, 1)[0]], [0x7c0c, 0, 0]);
    assertEquals(await ask("bc"), "T05thread:1;replaylog:begin:;");
    assertEquals([m.cpu.eip, m.cpu.instructions], [0x7c00, 0]);
    assertEquals(await ask("bs"), "T05thread:1;replaylog:begin:;");
  });
}

/** Counts to 300 000 at 0x9000, four instructions each time, then faults. */
const COUNTER = asm`
  again: inc dword [0x9000]
         mov eax, [0x9000]
         cmp eax, 300000
         jb again
         ud2`;

for (const engine of ["interpreter", "jit"] as const) {
  Deno.test(`Session goes back over a million instructions to the last write, and to the beginning (${engine})`, async () => {
    const { m, ask } = client(engine, COUNTER);
    assertEquals(await ask("c"), "T0bthread:1;");
    assert(m.cpu.instructions >= 1_200_000);
    await ask("Z2,9000,4");
    assertEquals(await ask("bc"), "T05thread:1;watch:9000;");
    assertEquals([m.cpu.eip, m.cpu.instructions, m.physical.peek32(0x9000)], [0x7c00, 1_199_996, 299_999]);
    assertEquals(await ask("bc"), "T05thread:1;watch:9000;");
    assertEquals([m.cpu.instructions, m.physical.peek32(0x9000)], [1_199_992, 299_998]);
    await ask("z2,9000,4");
    await ask("Z0,7c00,1");
    assertEquals(await ask("bc"), "T05thread:1;swbreak:;");
    assertEquals(m.cpu.instructions, 1_199_988);
    await ask("z0,7c00,1");
    assertEquals(await ask("bc"), "T05thread:1;replaylog:begin:;");
    assertEquals(m.cpu.instructions, 0);
  });

  Deno.test(`History goes to any position, back and forth, and the state is the very one that was there (${engine})`, () => {
    const states = new Map<number, string>();
    const plain = client(engine, COUNTER).m;
    for (const at of [0, 1, 1000, 499_999, 500_000, 500_001, 1_100_003]) {
      plain.run({ instructions: at - plain.cpu.instructions });
      states.set(at, plain.hash());
    }
    const { m } = client(engine, COUNTER);
    const history = new History(m);
    while (history.position < 1_199_000) {
      m.run({ instructions: Math.min(history.room, 1_199_000 - history.position) });
      history.advance();
    }
    for (const at of [1_100_003, 0, 500_001, 1, 500_000, 499_999, 1000, 1_100_003]) {
      assert(history.goTo(at));
      assertEquals([at, history.position, m.hash()], [at, at, states.get(at)]);
    }
    assert(!history.goTo(-1));
  });
}

Deno.test("History makes inputs again in a search for the last place where a point was met", async () => {
  const m = pc();
  m.load(
    0x7c00,
    asm16`
           mov dx, 0x3fd
    again: in al, dx
           test al, 1
           jz again
           mov dl, 0xf8
           in al, dx
           mov cl, al
           mov dl, 0xfd
           jmp again`,
  );
  const history = new History(m);
  for (const key of ["a", "b", "c"]) {
    m.run({ instructions: 400_000 });
    history.advance();
    history.input(() => m.serial.send(key));
  }
  m.run({ instructions: 400_000 });
  const points = new Points();
  points.add(0, 0x7c0b, 1); // after IN AL, DX: the key is there
  const keys: string[] = [];
  for (let n = 0; n < 4; n++) {
    const { hit } = await history.searchBack(points, () => Promise.resolve(true));
    keys.push(hit === undefined ? "none" : String.fromCharCode(m.cpu.eax & 0xff));
  }
  assertEquals([keys, history.position], [["c", "b", "a", "none"], 0]);
  m.run({ instructions: 2_000_000 });
  assertEquals(m.cpu.ecx & 0xff, 0); // keys after the place one went back to are forgotten
});

Deno.test("History keeps a bounded number of marks over a long run", () => {
  const { m } = client(
    "interpreter",
    asm`
    again: inc eax
           jmp again`,
  );
  const history = new History(m);
  for (let n = 0; n < 100; n++) {
    m.run({ instructions: history.room });
    history.advance();
  }
  assert(history.position > 25_000_000, `${history.position}`); // the distance has doubled
  assert(history.marks <= 48 && history.marks > 10, `${history.marks}`);
  assert(history.goTo(12_345_678));
  assertEquals(history.position, 12_345_678);
});

Deno.test("Session reads and writes registers and memory, and refuses what is not there", async () => {
  const { m, ask } = client();
  const all = await ask("g") ?? "";
  assertEquals(all.slice(8 * 8, 9 * 8), "007c0000");
  assertEquals(await ask("p8"), "007c0000");
  assertEquals(await ask("P0=78563412"), "OK");
  assertEquals(m.cpu.eax, 0x12345678);
  assertEquals(await ask("P10=0000000000000000ff3f"), "OK"); // st0 = 1.0 needs its top bit; any ten bytes go
  assertEquals(await ask("p10"), "0000000000000000ff3f");
  assertEquals(await ask(`G${await ask("g")}`), "OK");
  assertEquals(await ask("M9000,3:010203"), "OK");
  assertEquals(await ask("m9000,4"), "01020300");
  assertEquals(await ask("X9001,2:\x07\x08"), "OK");
  assertEquals([...m.peek(0x9000, 3)], [1, 7, 8]);
  for (
    const bad of ["p99", "pzz", "P0=12", "P=1", "G00", "m", "mzz,1", "M9000,3:01", "M9000,1:zz", "M,:", "Hq", "H", "T9"]
  ) {
    assertEquals([bad, await ask(bad)], [bad, "E01"]);
  }
  assertEquals(await ask(`p${REGISTER_COUNT.toString(16)}`), "E01");
  assertEquals(await ask("Mffffff00,1:00"), "E14");
  assertEquals(await ask("Z2,9000,0"), "E28");
  assertEquals(await ask("Z9,9000,1"), "");
  assertEquals([await ask("vMustReplyEmpty"), await ask("QUnknown"), await ask("")], ["", "", ""]);
  assertEquals(await ask("qXfer:features:read:no.xml:0,10"), "E00");
  assertStringIncludes(await ask("qXfer:features:read:target.xml:0,1000") ?? "", "org.gnu.gdb.i386.core");
});

Deno.test("Session reads up to the end of what is mapped", async () => {
  const { m, ask } = client();
  // Paging on with one 4 MiB page.
  m.poke(0x20_0000, Uint8Array.of(0x83, 0, 0, 0));
  m.cpu.cr3 = 0x20_0000;
  m.cpu.cr4 = 0x10;
  m.cpu.cr0 = (m.cpu.cr0 | 0x8000_0000) >>> 0;
  assertEquals((await ask("m3ffff0,20"))?.length, 32);
  assertEquals(await ask("m400000,4"), "E14");
  assertEquals(await ask("M3ffff8,10:00000000000000000000000000000000"), "E14");
});

Deno.test("Session says how the guest ended and lets GDB go back from there", async () => {
  const { m, ask, console } = client(
    "interpreter",
    asm`
    nop
    ud2`,
  );
  assertEquals(await ask("c"), "T0bthread:1;");
  assertStringIncludes(console(), "no handler for fault 6");
  assertEquals(await ask("bs"), "T05thread:1;");
  assertEquals(m.cpu.eip, 0x7c01);
  assertEquals(await ask("c"), "T0bthread:1;");
  const { ask: halted, console: said } = client();
  assertEquals(await halted("c"), "T05thread:1;");
  assertStringIncludes(said(), "halted for good");
});

Deno.test("Session ends a running guest when asked", async () => {
  const { ask, session } = client("interpreter", asm`jmp $`);
  setTimeout(() => session.interrupt(), 20);
  assertEquals(await ask("c"), "T02thread:1;");
});

Deno.test("Session shows every CPU as a thread and steps the one it is told to", async () => {
  const m = pc({ memory: 4 * MiB, cpus: 2 });
  m.load(0x7c00, PROGRAM);
  const replies: string[] = [];
  const session = new Session(m, (text) => replies.push(text));
  const ask = async (text: string): Promise<string | undefined> => {
    await session.handle(text);
    return replies.at(-1);
  };
  assertEquals(await ask("qfThreadInfo"), "m1,2");
  assertEquals([await ask("T2"), await ask("T3"), await ask("Hg3")], ["OK", "E01", "E01"]);
  assertEquals(await ask("vCont;s:1;c"), "T05thread:1;");
  assertEquals(m.cpus.map((cpu) => cpu.instructions), [1, 0]); // the second one waits to be started
  assertEquals(await ask("Hg2"), "OK");
  assertEquals((await ask("p8"))?.length, 8);
});

Deno.test("Session begins a new history when GDB changes something", async () => {
  const { m, ask } = client();
  for (let i = 0; i < 3; i++) await ask("s");
  assertEquals(await ask("P1=05000000"), "OK");
  assertEquals(await ask("bs"), "T05thread:1;replaylog:begin:;");
  assertEquals(m.cpu.ecx, 5);
  await ask("s");
  await ask("bs");
  assertEquals([m.cpu.ecx, m.cpu.eip], [5, 0x7c0c]);
});

Deno.test("Session answers monitor commands", async () => {
  const { ask } = client();
  const monitor = async (text: string): Promise<string> =>
    decode(await ask(`qRcmd,${[...text].map((c) => c.charCodeAt(0).toString(16)).join("")}`) ?? "");
  assertStringIncludes(await monitor("where"), "cpu0 00007c00: mov eax,1");
  assertStringIncludes(await monitor("time"), "0 instructions");
  assertStringIncludes(await monitor("nonsense"), "Unknown command");
  assertStringIncludes(await monitor("reset"), "power-on");
  assertEquals(await ask("qRcmd,0"), "E01");
});

Deno.test("Session answers thousands of hostile packets, and the guest is still there", async () => {
  const { m, ask } = client();
  const random = new Prng(9);
  const heads = [
    "m",
    "M",
    "X",
    "p",
    "P",
    "g",
    "G",
    "Z0,",
    "Z2,",
    "z1,",
    "H",
    "T",
    "vCont;",
    "qXfer:features:read:",
    "q",
  ];
  const more = ["qRcmd,", "s", "S", "bs", "?", "QStart", "vKil", "Z4,", "qSupported", "Hg", "Hc-", "P0=", "C"];
  const pieces = [
    "ffffffff",
    "0",
    ",",
    ":",
    ";",
    "=",
    "-1",
    "7c00",
    "9000",
    "zz",
    "\x00",
    "\xff",
    "e",
    "1000",
    "{}",
    "99999999999",
  ];
  const all = [...heads, ...more];
  for (let round = 0; round < 4000; round++) {
    let text = all[random.below(all.length)];
    for (let n = random.below(6); n > 0; n--) text += pieces[random.below(pieces.length)];
    if (/^(vCont;c|k|D|vKill)/.test(text)) continue;
    const reply = await ask(text);
    assert(reply !== undefined && reply.length < 0x8000, `round ${round}: ${JSON.stringify(text)}`);
  }
  m.reset();
  assertEquals(await ask("qC"), "QC1");
});
