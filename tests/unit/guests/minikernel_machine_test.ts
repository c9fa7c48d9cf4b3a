/** The minikernel on our own machine, on every backend and engine. */
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { minikernel } from "../../../lib/guests/minikernel/minikernel.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { paravirt, type ParavirtHypervisor } from "../../../lib/machine/paravirt.ts";
import { inject } from "../../../lib/script/inject.ts";
import { ram } from "../../../lib/memory/region.ts";
import type { ParavirtBackend } from "../../../lib/vmi/paravirt/backend.ts";
import { native } from "../../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../../lib/vmi/paravirt/backends/scripted.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import { assert, assertEquals, assertGreater, assertThrows } from "../../../scripts/deps/std.ts";
import { OneLine, Uart } from "./parts.ts";

interface Setup {
  readonly m: Machine & { readonly paravirt: ParavirtHypervisor };
  readonly uart: Uart;
}

type Engine = "interpreter" | "jit" | "reference";

function setup(backend: ParavirtBackend, engine: Engine = "interpreter"): Setup {
  const [uart, hypervisor] = [new Uart(), paravirt({ backend })];
  const memory = [ram({ at: 0, size: 0xa0000 }), ram({ at: 0x100000, size: 0x700000 })];
  const platform = new OneLine();
  const m = machine({ cpu: i386({ engine }), memory, devices: [uart], platform, paravirt: hypervisor });
  m.boot(minikernel());
  return { m: Object.assign(m, { paravirt: hypervisor }), uart };
}

/** Runs until the kernel says it is ready. */
function ready({ m, uart }: Setup): string[] {
  const stop = m.run({ instructions: 5_000_000, until: () => uart.text.endsWith("ready\n") });
  assertEquals(stop.kind, "until", JSON.stringify(stop) + uart.text);
  return uart.text.trim().split("\n");
}

const ACCOUNT = (backend: string): string[] => [
  "minikernel",
  `paravirt: found vmikit ${backend} backend, API version 3.0, ROM version 0.1 at 0xc00c8000`,
  "paravirt: patched 70 sites",
  "cpu: GenuineIntel",
  "memory: page directory at 0x00200000",
  "page fault at 0xd0000123, mapped",
  "page fault at 0xd0000123, mapped",
  "memory: 4 pages mapped in one batch",
  "system calls: INT 0x80, SYSENTER",
  "clock: paravirtual, 100 million cycles a second",
  "clock: 946684800 seconds since 1970",
  "clock: 3 ticks",
  "init: in ring 3, process 1",
  "init: 8 pages on demand",
  "init: child 2 ended with 7, its memory was its own",
  "process 3: exception 13",
  "init: child 3 ended with 141",
  "init: two children took turns",
  "init: done",
  "memory: all that the processes had is free again",
  "ready",
];

for (const engine of ["interpreter", "jit", "reference"] as const) {
  for (const make of [native, scripted]) {
    Deno.test(`minikernel gives its account on backend ${make.name}, engine ${engine}`, () => {
      assertEquals(ready(setup(make(), engine)), ACCOUNT(make.name));
    });
  }
}

Deno.test("recording a native guest changes neither its account, nor its time, nor its registers", () => {
  const [plain, watched] = [setup(native()), setup(native())];
  const seen = watched.m.paravirt.record();
  assertEquals(ready(watched), ready(plain));
  assertEquals(watched.m.now, plain.m.now);
  assertEquals(watched.m.cpu.registers(), plain.m.cpu.registers());
  assertEquals(seen.names().slice(0, 2), ["Init", "GetRelocationInfo"]);
  const setPxE = seen.filter("SetPxE");
  assertGreater(setPxE.length, 8);
  assertEquals(setPxE.find((e) => (Number(e.args["flags"]) & 0x10) !== 0)?.args["flags"], 0xd0000011);
});

Deno.test("native and scripted backends see the same calls in the same order", () => {
  const names = [native(), scripted()].map((backend) => {
    const s = setup(backend);
    const seen = s.m.paravirt.record();
    ready(s);
    return seen.names();
  });
  assertEquals(names[0], names[1]);
});

Deno.test("an override answers the guest, on both backends", () => {
  for (const backend of [native(), scripted()]) {
    const s = setup(backend);
    s.m.paravirt.override("GetWallclockTime", () => 1_000_000_000n);
    s.m.paravirt.override("AllocatePage", () => undefined);
    assertEquals(ready(s).filter((l) => l.includes("1970")), ["clock: 1 seconds since 1970"]);
  }
});

Deno.test("call.stop ends the run at the call, and the run goes on from there", () => {
  const s = setup(native());
  let flags = 0;
  const remove = s.m.paravirt.before("SetPxE", (call) => {
    flags = call.args.flags;
    if (flags & 0x10) call.stop("current-as");
  });
  const stop = s.m.run({ instructions: 5_000_000 });
  assertEquals([stop.kind, stop.kind === "hook" && stop.name, flags], ["hook", "current-as", 0xd0000011]);
  remove();
  assertEquals(ready(s), ACCOUNT("native"));
});

Deno.test("inject makes calls of both kinds and leaves the guest as it was", () => {
  for (const backend of [native(), scripted()]) {
    const s = setup(backend);
    ready(s);
    const before = s.m.cpu.registers();
    assertEquals(inject(s.m, "GetCycleFrequency"), 100_000_000n);
    assertEquals(inject(s.m, "GetCR3"), 0x200000);
    assertEquals(inject(s.m, "GetCycleCounter", { counter: 2 }), 0n);
    const stack = (s.m.cpu.esp - 64) >>> 0;
    const bytes = s.m.linear.peek(stack, 64);
    assertEquals(inject(s.m, "SetPxE", { pte: 0x1234, ptep: 0xc0300000, flags: 1 }), undefined);
    assertEquals(s.m.read(0x300000), 0x1234);
    assertEquals(s.m.cpu.registers(), before);
    assertEquals(s.m.linear.peek(stack, 64), bytes);
    assertEquals(s.m.run({ instructions: 10_000 }).kind, "budget");
  }
});

Deno.test("inject says why it cannot", () => {
  const s = setup(native());
  assertEquals(inject(s.m, "GetCycleFrequency"), 100_000_000n); // needs no guest code
  assertThrows(() => inject(s.m, "GetCR3"), ConfigError, "has not called Init yet");
  ready(s);
  assertThrows(() => inject(s.m, "IRET"), ConfigError, "does not return");
  assertThrows(() => inject(s.m, "APICRead"), ConfigError, "native way");
  assertThrows(() => s.m.paravirt.call("GetDR", { nummer: 1 }), ConfigError, "its arguments: number");
});

Deno.test("inject of a call that would kill leaves the guest alive", () => {
  const s = setup(scripted());
  ready(s);
  const remove = s.m.paravirt.override("SetCR4", () => ({ kill: "refused" }));
  assertThrows(() => inject(s.m, "SetCR4"), ConfigError, "would have killed the guest: refused");
  remove();
  assertEquals(s.m.run({ instructions: 1000 }).kind, "budget");
});

Deno.test("the guest context reads CPUID as the guest would", () => {
  const s = setup(native());
  let leaf: readonly number[] = [];
  s.m.paravirt.before("CPUID", (call) => leaf = call.guest.cpuid(0, 0));
  ready(s);
  assertEquals(leaf[1], 0x756e6547); // "Genu"
});

Deno.test("a failing Init leaves the guest native", () => {
  const s = setup(scripted({ Init: () => -1 }));
  s.m.run({ instructions: 5_000_000, until: () => s.uart.text.endsWith("clock: 8254\n") });
  assertEquals(s.uart.text.split("\n")[2], "paravirt: ROM failed to initialize");
  assert(s.uart.text.endsWith("clock: 8254\n"), s.uart.text);
});

Deno.test("a killed guest says call, code and place", () => {
  const s = setup(scripted({ SetCR3: () => ({ kill: "bad-argument" }) }));
  const stop = s.m.run({ instructions: 5_000_000 });
  const eip = 0xc00c8000 + s.m.paravirt.rom.slots[17].at;
  assertEquals(stop, { kind: "killed", call: "SetCR3", code: "bad-argument", eip });
});

Deno.test("an error in an override names the call and leaves the guest at it", () => {
  for (const backend of [native(), scripted()]) {
    const s = setup(backend);
    let fails = true;
    s.m.paravirt.override("SetCR3", () => {
      if (fails) throw new Error("not today");
      return "native";
    });
    assertThrows(() => s.m.run({ instructions: 5_000_000 }), ConfigError, "A function for SetCR3 failed: not today");
    assertEquals(s.m.cpu.eip, 0xc00c8000 + s.m.paravirt.rom.slots[17].at);
    fails = false;
    assertEquals(ready(s), ACCOUNT(backend.name));
  }
});

Deno.test("hypercall hooks of the machine see plain and trapped calls and may answer them", () => {
  const s = setup(native());
  const phases: string[] = [];
  s.m.onHypercall("SetCR3", (e) => phases.push(`${e.phase} ${e.args["value"]}`));
  s.m.onHypercall("GetWallclockTime", (e) => {
    if (e.phase === "before") e.result = 5_000_000_000n;
  });
  assert(ready(s).includes("clock: 5 seconds since 1970"));
  assertEquals(phases.slice(0, 2), ["before 2097152", "after 2097152"]);
  assertEquals(phases.length % 2, 0); // each has both
});

Deno.test("commands: print, halt", () => {
  const s = setup(native());
  ready(s);
  s.uart.input.push("p".charCodeAt(0), "h".charCodeAt(0));
  const stop = s.m.run({ instructions: 10_000_000 });
  assertEquals(stop.kind, "halt");
  assert(/ready\nticks \d+\nhalted\n$/.test(s.uart.text), s.uart.text);
});

Deno.test("a snapshot with an armed alarm goes on the same", () => {
  const s = setup(native());
  ready(s);
  const at = s.m.snapshot();
  s.m.run({ instructions: 20_000 });
  const want = s.m.cpu.registers();
  s.m.restore(at);
  s.m.run({ instructions: 20_000 });
  assertEquals(s.m.cpu.registers(), want);
});
