/** KVM's personality against guests written here, on every engine. */
import { asm, ConfigError, inject, kvm, MiB, pc, type PersonalityPcMachine } from "../../../../mod.ts";
import type { KvmCallName } from "../../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";
import { clockScale } from "../../../../lib/vmi/personality/kvm_time.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
type Kvm = PersonalityPcMachine<KvmCallName>;

function guest(program: ReturnType<typeof asm>, more: Parameters<typeof pc>[0] = {}): Kvm {
  return pc({ memory: 4 * MiB, personality: kvm(), ...more }).load(0x7c00, program) as Kvm;
}

const view = (m: Kvm, at: number, size: number): DataView => {
  const bytes = m.physical.peek(at, size);
  return new DataView(bytes.buffer, bytes.byteOffset, size);
};

/** Registers as given, one VMCALL, halt. */
function call(eax: number, ebx = 0, ecx = 0, edx = 0, esi = 0): ReturnType<typeof asm> {
  return asm`
  mov eax, ${eax}
  mov ebx, ${ebx}
  mov ecx, ${ecx}
  mov edx, ${edx}
  mov esi, ${esi}
  vmcall
  hlt
`;
}

/** One WRMSR, halt. */
function wrmsr(msr: number, low: number, high = 0): ReturnType<typeof asm> {
  return asm`
  mov ecx, ${msr}
  mov eax, ${low}
  mov edx, ${high}
  wrmsr
  hlt
`;
}

Deno.test("CPUID names KVM and its features, and a machine without a personality names nobody", () => {
  const program = asm`
  mov eax, 1
  cpuid
  mov [0x600], ecx
  mov eax, 0x40000000
  cpuid
  mov [0x604], eax
  mov [0x608], ebx
  mov [0x60c], ecx
  mov [0x610], edx
  mov eax, 0x40000001
  cpuid
  mov [0x614], eax
  mov eax, 0x40000100
  cpuid
  mov [0x618], ebx
  hlt
`;
  for (const engine of ENGINES) {
    const m = guest(program, { engine });
    assertEquals(m.run().kind, "halt");
    const words = Array.from({ length: 7 }, (_, i) => m.physical.peek32(0x600 + 4 * i));
    assertEquals(words[0] >>> 31, 1);
    assertEquals(words[1], 0x40000001);
    assertEquals(new TextDecoder().decode(m.physical.peek(0x608, 12)), "KVMKVMKVM\0\0\0");
    assertEquals(words[5], 1 | 2 | 8 | 32 | 128 | 1 << 11 | 1 << 13 | 1 << 24);
    assertEquals(words[6], 0);
  }
  const bare = pc({ memory: 4 * MiB }).load(0x7c00, program);
  assertEquals(bare.run().kind, "halt");
  assertEquals(bare.physical.peek32(0x600) >>> 31, 0);
  assert(bare.physical.peek32(0x608) !== 0x4b4d564b);
});

Deno.test("clockScale: the multiplier has its top bit and is right to a part in 2^31", () => {
  for (const hz of [1000, 1_193_182, 100_000_000, 999_999_999, 1_000_000_000, 1_000_000_001, 3_000_000_000, 1e12]) {
    const { multiplier, shift } = clockScale(hz);
    assert(multiplier >= 2 ** 31 && multiplier < 2 ** 32, `${hz}`);
    const ratio = multiplier * 2 ** (shift - 32);
    assert(Math.abs(ratio * hz / 1e9 - 1) <= 2 ** -31, `${hz}: ${ratio}`);
  }
});

Deno.test("system time: a guest that reads the structure counts nanoseconds of virtual time", () => {
  for (const engine of ENGINES) {
    for (const hz of [100_000_000, 2_400_000_000]) {
      const m = guest(wrmsr(0x4b564d01, 0x2001), { engine, hz });
      m.run();
      const v = view(m, 0x2000, 32);
      assertEquals(v.getUint32(0, true), 2); // version: odd while it was written
      assertEquals([v.getUint32(4, true), v.getBigUint64(16, true), v.getUint8(29)], [0, 0n, 1]);
      const delta = 12_345_678n - v.getBigUint64(8, true);
      const shift = v.getInt8(28);
      const shifted = shift < 0 ? delta >> BigInt(-shift) : delta << BigInt(shift);
      const ns = shifted * BigInt(v.getUint32(24, true)) >> 32n;
      const exact = 12_345_678n * 1_000_000_000n / BigInt(hz);
      assert(exact - ns >= 0n && exact - ns <= 1n, `${ns} for ${exact}`);
    }
  }
});

Deno.test("system time: a guest that writes its time-stamp counter loses no time; the version goes up by two", () => {
  for (const engine of ENGINES) {
    const m = guest(
      asm`
  mov dword [0x2000], 7
  mov ecx, 0x4b564d01
  mov eax, 0x2001
  xor edx, edx
  wrmsr
  mov ecx, 0x10
  mov eax, 5
  mov edx, 0xffffffff
  wrmsr
  rdtsc
  mov [0x600], eax
  mov [0x604], edx
  hlt
`,
      { engine },
    );
    m.run();
    const v = view(m, 0x2000, 32);
    assertEquals(v.getUint32(0, true), 12); // 7 was an odd leftover: 9, 10; then 11, 12
    const tsc = view(m, 0x600, 8).getBigUint64(0, true);
    const passed = BigInt.asUintN(64, tsc - v.getBigUint64(8, true));
    assert(passed > 0n && passed < 20n, `${passed}`);
  }
});

Deno.test("system time: addresses that are no RAM, unaligned, or disabled write nothing and harm nothing", () => {
  const wild = [[0x2000, 0], [0x2003, 0], [0xfffffff1, 0], [0xfee00001, 0], [0x3fffff1, 0], [0x2001, 1], [
    0xb0000001,
    -1,
  ]];
  for (const [low, high] of wild) {
    const m = guest(wrmsr(0x4b564d01, low, high));
    const before = m.physical.peek(0x2000, 64);
    assertEquals(m.run().kind, "halt");
    assertEquals(m.physical.peek(0x2000, 64), before);
    const noted = m.trace.tail().some((e) => e.kind === "kvm" && e.text.includes("nothing is written"));
    assertEquals(noted, (low & 1) === 1, `0x${low.toString(16)}`);
  }
});

Deno.test("a structure that crosses the end of RAM is not written, not even in part", () => {
  const end = 4 * MiB - 16;
  const m = guest(wrmsr(0x4b564d01, end | 1));
  m.run();
  assertEquals(m.physical.peek(end, 16), new Uint8Array(16));
});

Deno.test("wall clock: the date at power-on, under a version", () => {
  const m = guest(wrmsr(0x4b564d00, 0x2004), { date: "2001-02-03T04:05:06" });
  m.run();
  const v = view(m, 0x2004, 12);
  assertEquals([0, 4, 8].map((at) => v.getUint32(at, true)), [2, Date.UTC(2001, 1, 3, 4, 5, 6) / 1000, 0]);
  for (const [low, high] of [[0x2005, 0], [0xfffffffc, 0], [0x2004, 7]]) {
    const bad = guest(wrmsr(0x4b564d00, low, high));
    assertEquals(bad.run().kind, "halt");
    assert(bad.trace.tail().some((e) => e.text.startsWith("wall clock")));
    assertEquals(bad.physical.peek(0x2000, 32), new Uint8Array(32));
  }
});

Deno.test("registers read as written; the old numbers are the same registers; others are not there", () => {
  const m = guest(asm`
  mov ecx, 0x12
  mov eax, 0x2001
  xor edx, edx
  wrmsr
  mov ecx, 0x4b564d01
  rdmsr
  mov [0x600], eax
  hlt
`);
  m.run();
  assertEquals(m.physical.peek32(0x600), 0x2001);
  assertEquals(m.physical.peek32(0x2000), 2);
  for (const msr of [0x4b564d02, 0x4b564d04, 0x4b564d05, 0x4b564cff]) {
    const stop = guest(wrmsr(msr, 0), { stopOnFault: true }).run();
    assert(stop.kind === "fault" && stop.vector === 13, `0x${msr.toString(16)}: ${stop.kind}`);
  }
});

Deno.test("steal: virtual time goes on and the guest's account shows it; reserved bits are refused", () => {
  const m = guest(asm`
  mov ecx, 0x4b564d03
  mov eax, 0x2041
  xor edx, edx
  wrmsr
again:
  jmp again
`);
  m.run({ instructions: 100 });
  assertEquals(view(m, 0x2040, 64).getBigUint64(0, true), 0n);
  const { now } = m;
  m.hypercalls.steal(12_345);
  assertEquals(m.now, now + 12_345);
  m.hypercalls.steal(5);
  const v = view(m, 0x2040, 64);
  assertEquals([v.getBigUint64(0, true), v.getUint32(8, true), v.getUint32(12, true)], [123_500n, 6, 0]);
  for (const [ticks, cpu] of [[-1, 0], [0.5, 0], [1, 1], [1, -1], [Infinity, 0]]) {
    assertThrows(() => m.hypercalls.steal(ticks, cpu), ConfigError, "Cannot steal");
  }
  const stop = guest(wrmsr(0x4b564d03, 0x2021), { stopOnFault: true }).run();
  assert(stop.kind === "fault" && stop.vector === 13);
});

Deno.test("hypercalls return what the documentation says, and unknown ones -1000", () => {
  const cases: [number[], number][] = [
    [[1], 0],
    [[2], -1000],
    [[3], -1000],
    [[5, 0, 7], 0], // no such CPU
    [[12, 0, 0, 0], -1000],
    [[4], -1000],
    [[0], -1000],
    [[0xffffffff], -1000],
    [[0x80000001], -1000],
    [[9, 0x2000, 1], -95],
    [[9, 0xfffffff0, 0], -14],
    [[9, 0x8000_0000, 0], -14],
    [[11, 9], 0],
    [[10, 1, 0, 0, 0x30], 1],
    [[10, 0xfffffffe, 0xffffffff, 0, 0x30], 0],
    [[10, 1, 0, 0xffffffff, 0x30], 0],
    [[10, 1, 0, 0, 0x30 | 0x800], -22],
    [[10, 1, 0, 0, 0x30 | 0x40000], -22],
    [[10, 1, 0, 0, 0x30 | 0x500], -22], // INIT
    [[10, 1, 0, 0, 0x30 | 0x600], -22], // start-up
  ];
  for (const engine of ENGINES) {
    for (const [[no, ...args], result] of cases) {
      const m = guest(call(no, ...args), { engine });
      const seen = m.hypercalls.record();
      m.run({ instructions: 100 });
      assertEquals(m.cpu.eax | 0, result, `${engine} ${no} ${args}`);
      assertEquals(seen.entries.map((e) => e.result), [result]);
      assertEquals([m.cpu.ebx, m.cpu.ecx, m.cpu.edx, m.cpu.esi], [0, 1, 2, 3].map((i) => args[i] ?? 0));
    }
  }
});

Deno.test("CLOCK_PAIRING writes wall-clock time and the counter that belongs to it", () => {
  const m = guest(call(9, 0x2000, 0), { date: "1970-01-02T00:00:00" });
  m.run();
  const v = view(m, 0x2000, 64);
  assertEquals([v.getBigInt64(0, true), v.getUint32(24, true)], [86_400n, 0]);
  assertEquals(v.getBigInt64(8, true), v.getBigUint64(16, true) * 10n); // 100 MHz
});

Deno.test("a hypercall from ring 3 is refused with -1 and does nothing", () => {
  for (const engine of ENGINES) {
    const m = guest(
      asm`
  lgdt [table]
  push dword 0x1b
  push dword 0x9000
  push dword 2
  push dword 0x13
  push dword user
  iretd
user:
  mov eax, 10
  mov ebx, 1
  xor ecx, ecx
  xor edx, edx
  mov esi, 0x31
  vmcall
again:
  jmp again
table:
  dw 31
  dd 0x8000
`,
      { engine },
    );
    m.poke(0x8000, new Uint8Array(Uint32Array.of(0, 0, 0xffff, 0xcf9b00, 0xffff, 0xcffb00, 0xffff, 0xcff300).buffer));
    const seen = m.hypercalls.record();
    m.run({ instructions: 100 });
    assertEquals(m.cpu.eax | 0, -1, engine);
    assertEquals(seen.names(), ["SEND_IPI"]);
    assertEquals(m.hypercalls.stats().calls, { SEND_IPI: 1 });
  }
});

Deno.test("VMMCALL is the same; unknown calls are recorded with their number", () => {
  const m = guest(asm`
  mov eax, 99
  mov ebx, 5
  vmmcall
  hlt
`);
  const seen = m.hypercalls.record();
  m.run();
  const [{ name, args, result }] = seen.entries;
  assertEquals([name, args["number"], args["a0"], result], ["UNKNOWN", 99, 5, -1000]);
});

Deno.test("before, hooks, override and after see a call in this order, and change its result", () => {
  const order: string[] = [];
  const m = guest(call(11, 3));
  m.hypercalls.before("SCHED_YIELD", (c) => order.push(`before ${c.args["apicId"]} ${c.way}`));
  m.hooks.onHypercall("SCHED_YIELD", (e) => void order.push(`hook ${e.phase}`));
  m.hypercalls.override("SCHED_YIELD", () => {
    order.push("override");
    return { eax: -7, edx: 0xdeadbeef };
  });
  m.hypercalls.after("SCHED_YIELD", (_, result) => void order.push(`after ${result}`));
  m.run();
  assertEquals(order, ["before 3 instruction", "hook before", "override", "hook after", "after -7"]);
  assertEquals([m.cpu.eax | 0, m.cpu.edx], [-7, 0xdeadbeef]);
});

Deno.test("a hook's early result keeps the personality out; stop and kill end the run", () => {
  const early = guest(call(9, 0x2000, 0));
  early.hooks.onHypercall("CLOCK_PAIRING", (e) => {
    if (e.phase === "before") e.result = 5;
  });
  early.run();
  assertEquals([early.cpu.eax, early.physical.peek32(0x2000)], [5, 0]);
  const stopped = guest(call(1));
  stopped.hypercalls.before("VAPIC_POLL_IRQ", (c) => c.stop("seen"));
  assertEquals(stopped.run().kind, "hook");
  assertEquals(stopped.cpu.eax, 0);
  const killed = guest(call(9, 0x2000, 0));
  killed.hypercalls.before("CLOCK_PAIRING", (c) => c.kill());
  const stop = killed.run();
  assert(stop.kind === "killed" && stop.call === "CLOCK_PAIRING" && stop.code === "refused");
  assertEquals([killed.cpu.eax, killed.physical.peek32(0x2000)], [9, 0]);
});

Deno.test("a script's error and nonsense answers name the call; a snapshot from before restores", () => {
  for (const bad of [NaN, 1.5, 2 ** 32, "x", undefined, { eax: "no" }, null]) {
    const m = guest(call(1));
    const here = m.snapshot();
    const hash = m.hash();
    const remove = m.hypercalls.override("VAPIC_POLL_IRQ", () => bad as unknown as number);
    assertThrows(() => m.run(), ConfigError, "VAPIC_POLL_IRQ");
    remove();
    m.restore(here);
    assertEquals(m.hash(), hash);
    assertEquals(m.run().kind, "halt");
  }
  const thrown = guest(call(1));
  thrown.hypercalls.before("VAPIC_POLL_IRQ", () => {
    throw new RangeError("mine");
  });
  assertThrows(() => thrown.run(), ConfigError, "A function for VAPIC_POLL_IRQ failed: mine");
  assertThrows(() => thrown.hypercalls.before("kick_cpu" as "KICK_CPU", () => {}), ConfigError, "write KICK_CPU");
  assertThrows(() => thrown.hypercalls.override("GETHZ" as "KICK_CPU", () => 0), ConfigError, "kvm has no call");
});

Deno.test("inject makes a call where the guest stands, and its registers stay", () => {
  const m = guest(asm`
again:
  inc eax
  jmp again
`);
  m.run({ instructions: 101 });
  const before = [m.cpu.eax, m.cpu.ebx, m.cpu.eip];
  const seen = m.hypercalls.record();
  assertEquals(m.hypercalls.inject("CLOCK_PAIRING", { address: 0x2000 }), 0);
  assertEquals(m.hypercalls.inject("SEND_IPI", { low: 1, icr: 0x41 }), 1);
  assertEquals(m.hypercalls.inject("UNKNOWN", { number: 77 }), -1000);
  assertEquals([m.cpu.eax, m.cpu.ebx, m.cpu.eip], before);
  assert(m.physical.peek32(0x2010) > 0);
  assertEquals(seen.names(), ["CLOCK_PAIRING", "SEND_IPI", "UNKNOWN"]);
  assertEquals(m.hypercalls.stats().calls, {}); // the guest has made none
  assertThrows(() => m.hypercalls.inject("SEND_IPI", { lo: 1 }), ConfigError, "no argument");
  m.hypercalls.before("KICK_CPU", (c) => c.kill());
  assertThrows(() => m.hypercalls.inject("KICK_CPU"), ConfigError, "refused");
  assertEquals(m.run({ instructions: 10 }).kind, "budget");
});

Deno.test("KICK_CPU: a CPU kicked before it halts does not halt, one that has halted goes on", () => {
  for (const engine of ENGINES) {
    const m = guest(
      asm`
  hlt
  inc dword [0x600]
  hlt
  inc dword [0x600]
  hlt
`,
      { engine },
    );
    m.hypercalls.inject("KICK_CPU", { apicId: 0 });
    assertEquals(m.run({ instructions: 1000 }).kind, "halt");
    assertEquals(m.physical.peek32(0x600), 1, engine);
    m.hypercalls.inject("KICK_CPU", { apicId: 0 });
    assertEquals(m.run({ instructions: 1000 }).kind, "halt");
    assertEquals(m.physical.peek32(0x600), 2, engine);
  }
});

Deno.test("KICK_CPU wakes no CPU that was never started", () => {
  const m = guest(call(5, 0, 1), { cpus: 2 });
  m.run({ instructions: 1000 });
  assertEquals([m.cpu.eax, m.cpus[1].instructions], [0, 0]);
});

Deno.test("snapshots hold registers, stolen time, kicks and counts; the run goes on the same", () => {
  const program = asm`
  mov ecx, 0x4b564d03
  mov eax, 0x2041
  xor edx, edx
  wrmsr
again:
  mov eax, 9
  mov ebx, 0x3000
  xor ecx, ecx
  vmcall
  jmp again
`;
  const m = guest(program);
  m.run({ instructions: 500 });
  m.hypercalls.steal(1000);
  m.hypercalls.inject("KICK_CPU", { apicId: 0 });
  const here = m.snapshot();
  m.hypercalls.steal(7);
  m.run({ instructions: 1001 });
  const [hash, calls] = [m.hash(), m.hypercalls.stats().calls];
  m.restore(here);
  m.hypercalls.steal(7);
  for (const instructions of [1, 400, 600]) m.run({ instructions });
  assertEquals([m.hash(), m.hypercalls.stats().calls], [hash, calls]);
  m.reset();
  assertEquals(m.hypercalls.stats().calls, {});
});

Deno.test("pc() refuses what is no personality, and one personality serves one kind of snapshot", () => {
  assertThrows(() => pc({ personality: "kvm" as unknown as ReturnType<typeof kvm> }), ConfigError, "kvm()");
  assertThrows(() => guest(call(1)).restore(pc({ memory: 4 * MiB }).snapshot()), ConfigError, "kvm");
});

Deno.test("inject() of the script layer reaches hypercalls by name", () => {
  const m = guest(call(1));
  m.run();
  assertEquals(inject(m, "CLOCK_PAIRING", { address: 0x2000, clock: 3 }), -95);
  assertThrows(() => inject(m, "GETHZ" as "KICK_CPU"), ConfigError, "kvm has no call");
});
