/**
 * Mistakes in scripts that no compiler sees, because scripts run unchecked: hooks that could never fire, scenario steps
 * that wait for nothing, injections of nothing. Each is refused where it is written, by a message that says how to mend it.
 */
import * as v from "../../mod.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../scripts/deps/std.ts";

/** What a script without types has in hand. */
// deno-lint-ignore no-explicit-any -- the mistakes are those that types forbid
type Unchecked = any;

const { asm, guests, inject, kvm, pc, scenario, tiny, vmiPc } = v as Unchecked;

function booted(): Unchecked {
  const m = vmiPc();
  m.boot(guests.minikernel());
  return m;
}

const nothing = (): void => {};

/** What is done, the code of the error, words of its message. */
const MISTAKES: readonly (readonly [what: string, fn: (m: Unchecked) => unknown, code: string, words: string])[] = [
  ["onCode() at a name", (m) => m.onCode("main", nothing), "hook-range", 'not "main"'],
  ["onCode() at no address of a list", (m) => m.onCode([], nothing), "hook-range", "names none"],
  ["onCode() without a function", (m) => m.onCode(0x7c00), "hook-function", "onCode(where, fn) needs a function"],
  ["onBlock() without a function", (m) => m.onBlock(), "hook-function", "onBlock(fn) needs a function"],
  ["onPort() without a function", (m) => m.onPort(0x80), "hook-function", "onPort(where, fn) needs a function"],
  ["onPort() at a text", (m) => m.onPort("0x80", nothing), "hook-range", "Port must be a number"],
  ["onInstruction() of nothing", (m) => m.onInstruction(undefined, nothing), "hook-mnemonic", "not undefined"],
  ["onInterrupt() without vector", (m) => m.onInterrupt(nothing), "hook-vector", "undefined for all, not a function"],
  ["onInterrupt() of no vector", (m) => m.onInterrupt(300, nothing), "hook-vector", "0 to 255"],
  ["onFault() of no vector", (m) => m.onFault(32, nothing), "hook-vector", "0 to 31"],
  ["onFault() without a function", (m) => m.onFault(14), "hook-function", "onFault(vector, fn) needs a function"],
  ["onMemory() with no access", (m) => m.onMemory({ at: 0, access: [] }, nothing), "hook-access", "not none"],
  ["onMemory() with a slip", (m) => m.onMemory({ at: 0, access: "wirte" }, nothing), "hook-access", "not wirte"],
  [
    "onMemory() with a key too many",
    (m) => m.onMemory({ at: 0, length: 4 }, nothing),
    "config-key",
    "at, size, access",
  ],
  ["onMemory() of a number", (m) => m.onMemory(0x1000, nothing), "hook-access", "is an object, not 4096"],
  ["onHypercall() of no call", (m) => m.onHypercall("SetPXE", nothing), "hypercall-name", 'did you mean "SetPxE"'],
  ["onHypercall() without name", (m) => m.onHypercall(nothing), "hook-function", "onHypercall(name, fn)"],
  ["before() without a function", (m) => m.paravirt.before("SetPxE"), "hook-function", "before(name, fn)"],
  ["after() without a function", (m) => m.paravirt.after("GetCR2"), "hook-function", "after(name, fn)"],
  ["override() without a function", (m) => m.paravirt.override("GetCR2"), "hook-function", "override(name, fn)"],
  ["record() of a number", (m) => m.paravirt.record(5), "record-size", "{ most: 10_000 }"],
  ["record() with a slip", (m) => m.paravirt.record({ max: 5 }), "config-key", "it knows most"],
  ["a step with a slip", (m) => scenario(m, [{ serail: "x" }]), "config-key", 'did you mean "serial"'],
  ["a step that waits for nothing", (m) => scenario(m, [{ send: "x" }]), "scenario-step", "`within` alone"],
  [
    "a step that waits for two things",
    (m) => scenario(m, [{ serial: "x", hypercall: "Init" }]),
    "scenario-step",
    "serial and hypercall",
  ],
  ["a step to no end", (m) => scenario(m, [{ stop: "halted" }]), "scenario-step", 'did you mean "halt"'],
  ["a step to no call", (m) => scenario(m, [{ hypercall: "init" }]), "hypercall-name", 'did you mean "Init"'],
  ["inject() of nothing", (m) => inject(m), "inject-argument", "nothing to inject in undefined"],
  ["inject() of an empty object", (m) => inject(m, {}), "inject-argument", "none of them"],
  ["inject() with a slip", (m) => inject(m, { interupt: 3 }), "config-key", 'did you mean "interrupt"'],
  ["inject() of two things", (m) => inject(m, { irq: 1, fault: 6 }), "inject-argument", "irq and fault"],
  ["inject() of no NMI", (m) => inject(m, { nmi: false }), "inject-argument", "not true"],
  ["inject() of a line's name", (m) => inject(m, { irq: "1" }), "inject-argument", 'not "1"'],
  ["inject() of a text", (m) => inject(m, "SetPxE", { ptep: "x" }), "inject-argument", 'ptep of SetPxE is "x"'],
  ["inject() of a fraction", (m) => inject(m, "SetPxE", { ptep: 1.5 }), "inject-argument", "is 1.5; give an integer"],
  ["inject() of too much", (m) => inject(m, "SetPxE", { pte: 2 ** 32 }), "inject-argument", "32 bits do not hold"],
];

for (const [what, fn, code, words] of MISTAKES) {
  Deno.test(`${what} is refused as ${code}, and the guest is as it was`, () => {
    const m = booted(), before = m.hash();
    const error = assertThrows(() => fn(m), v.ConfigError);
    assertEquals(error.code, code);
    assertStringIncludes(error.message, words);
    assertEquals([m.hash(), m.instructions ?? m.cpu.instructions], [before, 0]);
  });
}

Deno.test("a hypercall hook or step on a machine whose guest has nobody to call is refused as no-hypervisor", () => {
  const m = tiny();
  m.load(0x7c00, asm`jmp $`);
  for (const fn of [() => m.onHypercall("SetPxE", nothing), () => scenario(m, [{ hypercall: "SetPxE" }])]) {
    const error = assertThrows(fn, v.ConfigError);
    assertEquals(error.code, "no-hypervisor");
    assertStringIncludes(error.message, "use vmiPc()");
  }
  m.onHypercall(undefined, nothing)(); // whatever is called, if anything is
});

Deno.test("hypercall hooks know the names of a personality, and of a backend that tells the guest nothing", () => {
  const m = pc({ personality: kvm() });
  m.onHypercall(m.hypercalls.personality.calls[0].name, nothing)();
  assertEquals(assertThrows(() => m.onHypercall("SetPxE", nothing), v.ConfigError).code, "hypercall-name");
  const hidden = vmiPc({ backend: v.trap() });
  assertEquals(assertThrows(() => hidden.onHypercall("SetPxE", nothing), v.ConfigError).code, "no-hypervisor");
});

Deno.test("a scenario step with within alone runs so many instructions, and steps are looked at before any runs", () => {
  const m = booted();
  const { stops } = scenario(m, [{ within: 1000 }, { hypercall: "Init" }, { serial: "patched" }]);
  assertEquals(stops.map((s: v.StopReason) => s.kind), ["budget", "until", "until"]);
  const fresh = booted();
  assertThrows(() => scenario(fresh, [{ within: 1000 }, { stop: "never" }]), v.ConfigError);
  assertEquals(fresh.cpu.instructions, 0);
});

Deno.test("a port hook that leaves no integer is refused as hook-value, and the guest stands at its instruction", () => {
  for (const value of ["3", 1.5, undefined, 3n, NaN]) {
    const m = tiny();
    m.load(
      0x7c00,
      asm`
      in al, 0x80
      hlt`,
    );
    const remove = m.onPort(0x80, (e: Unchecked) => e.value = value);
    const error = assertThrows(() => m.run({ instructions: 10 }), v.ConfigError);
    assertEquals([error.code, m.cpu.eip], ["hook-value", 0x7c00]);
    remove();
    m.onPort(0x80, (e: Unchecked) => e.value = -1);
    assertEquals([m.run({ instructions: 10 }).kind, m.cpu.eax], ["halt", 0xff]);
  }
});
