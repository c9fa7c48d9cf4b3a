import { ConfigError } from "../../../lib/core/errors.ts";
import { HookTable } from "../../../lib/core/hooks.ts";
import { assert, assertEquals, assertFalse, assertThrows } from "../../../scripts/deps/std.ts";

function table(): { hooks: HookTable; stops: string[]; changes: () => number } {
  const hooks = new HookTable();
  const stops: string[] = [];
  let changes = 0;
  hooks.stopRequested = (name): void => void stops.push(name);
  hooks.changed = (): void => void changes++;
  return { hooks, stops, changes: () => changes };
}

Deno.test("onCode() knows exact addresses, ranges and pages, and forgets what was removed", () => {
  const { hooks, changes } = table();
  const one = hooks.onCode(0xc0100004, () => {});
  const many = hooks.onCode({ at: 0x1ff0, size: 0x20 }, () => {});
  assert(hooks.hasCode(0xc0100004) && hooks.hasCode(0xc0100004 | 0));
  assertFalse(hooks.hasCode(0xc0100005));
  assertEquals([0, 1, 2, 3, 0xc0100].map((p) => hooks.codePage(p)), [false, true, true, false, true]);
  assert(hooks.hasCode(0x200f) && !hooks.hasCode(0x2010));
  assertFalse(hooks.allCode);
  const all = hooks.onCode({ at: 0, size: 2 ** 32 }, () => {});
  assert(hooks.allCode);
  for (const remove of [one, many, all, all]) remove();
  assertEquals([hooks.hasAnyCode, hooks.size, changes()], [false, 0, 6]);
});

Deno.test("fireCode() calls in order of adding and reports a stop", () => {
  const { hooks, stops } = table();
  const seen: string[] = [];
  hooks.onCode({ at: 0, size: 100 }, (e) => seen.push(`range ${e.linear}`));
  hooks.onCode(5, (e) => {
    seen.push("exact");
    e.stop();
    e.stop("second");
  });
  assertFalse(hooks.fireCode(6));
  assert(hooks.fireCode(5));
  assertEquals(seen, ["range 6", "range 5", "exact"]);
  assertEquals([stops, hooks.stoppedBefore], [["code", "second"], 5]);
  hooks.skipOnce(5);
  assertFalse(hooks.fireCode(5));
  hooks.endSkip();
  assert(hooks.fireCode(5));
});

Deno.test("onMemory() fires for accesses that touch the range, by kind", () => {
  const { hooks } = table();
  const seen: string[] = [];
  hooks.onMemory({ at: 0x1003, size: 2, access: "write" }, (e) => seen.push(`${e.access} ${e.linear} ${e.value}`));
  hooks.onMemory({ at: 0x2000, access: "execute" }, (e) => seen.push(`${e.access} ${e.linear}`));
  assert(hooks.watchesPage(1) && !hooks.watchesPage(2) && hooks.hasCode(0x2000));
  hooks.fireMemory("write", 0x1000, 4, -1);
  hooks.fireMemory("read", 0x1003, 1, 1);
  hooks.fireMemory("write", 0x1005, 4, 2);
  hooks.fireCode(0x2000);
  assertEquals(seen, ["write 4096 4294967295", "execute 8192"]);
});

Deno.test("onPort() may replace values, cut to the width", () => {
  const { hooks } = table();
  hooks.onPort({ at: 0x3f8, size: 8 }, (e) => {
    if (e.access === "write") e.value = 0x1ff;
  });
  assertEquals(hooks.firePort("write", 0x3f8, 8, 1), 0xff);
  assertEquals(hooks.firePort("read", 0x3f8, 8, 1), 1);
  assertEquals(hooks.firePort("write", 0x400, 8, 1), 1);
});

Deno.test("onInstruction(), onInterrupt(), onFault() and onHypercall() match what they were asked for", () => {
  const { hooks, stops } = table();
  const seen: unknown[] = [];
  hooks.onInstruction("CPUID", (e) => seen.push(e.mnemonic));
  hooks.onInstruction((m) => m.startsWith("rd"), (e) => seen.push(e.linear));
  assert(hooks.instructionHooked("cpuid") && hooks.instructionHooked("rdtsc") && !hooks.instructionHooked("nop"));
  hooks.fireInstruction("cpuid", 1);
  hooks.fireInstruction("rdmsr", 2);
  hooks.onInterrupt(8, (e) => seen.push(e.source));
  hooks.fireInterrupt(9, "software");
  hooks.fireInterrupt(8, "nmi");
  hooks.onFault(undefined, (e) => e.stop("any fault"));
  assert(hooks.fireFault(14, 2, -1));
  hooks.onHypercall("Halt", (e) => {
    e.result = 7;
  });
  assertEquals(hooks.fireHypercall("before", "Halt", {}, undefined), 7);
  assertEquals(hooks.fireHypercall("after", "Init", {}, 1n), 1n);
  assertEquals(seen, ["cpuid", 2, "nmi"]);
  assertEquals(stops, ["any fault"]);
});

Deno.test("HookTable refuses ranges that are none", () => {
  const { hooks } = table();
  for (const at of [-1, 0.5, 2 ** 32]) assertThrows(() => hooks.onCode(at, () => {}), ConfigError, "Linear address");
  assertThrows(() => hooks.onMemory({ at: 0xffffffff, size: 2 }, () => {}), ConfigError);
  assertThrows(() => hooks.onPort(0x10000, () => {}), ConfigError, "Port range");
});
