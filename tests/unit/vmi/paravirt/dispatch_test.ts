import { ConfigError } from "../../../../lib/core/errors.ts";
import { MAX_WORDS, PLANS } from "../../../../lib/vmi/paravirt/arguments.ts";
import type { ParavirtCall } from "../../../../lib/vmi/paravirt/backend.ts";
import { type RecordedCall, Recording } from "../../../../lib/vmi/paravirt/record.ts";
import { Reg } from "../../../../lib/spec/i386_regs.ts";
import { native } from "../../../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../../../lib/vmi/paravirt/backends/scripted.ts";
import { assert, assertEquals, assertFalse, assertThrows } from "../../../../scripts/deps/std.ts";
import { Bench, ROM_LINEAR } from "./fake_guest.ts";

Deno.test("Paravirt.hypercall leaves a trap outside the ROM alone", () => {
  const b = new Bench(native());
  b.guest.eip = 0x100;
  assertFalse(b.paravirt.hypercall(b.guest));
  assertEquals(b.paravirt.base, -1);
});

Deno.test("Paravirt.hypercall kills at a trap that belongs to no call", () => {
  const b = new Bench(native());
  b.guest.eip = ROM_LINEAR + b.paravirt.slot("SetPxE").at;
  assert(b.paravirt.hypercall(b.guest));
  assertEquals(b.log, ["kill offset 0xb80 of the ROM unknown-call 0xc00c8b80"]);
});

Deno.test("Paravirt finds the ROM in linear space at the first trap", () => {
  const b = new Bench(native());
  b.call("Init", {});
  assertEquals(b.paravirt.base, ROM_LINEAR);
});

Deno.test("Paravirt.record has name, arguments, result, place and time of trapped and plain calls", () => {
  const b = new Bench(native());
  const seen = b.paravirt.record();
  b.call("Init", { eax: 5 }, () => b.guest.setReg(Reg.eax, 0));
  b.clock.advance(7);
  b.call("GetCycleFrequency", {});
  b.call("SetPxE", { eax: 0x1003, edx: 0x2000, ecx: 0x11 });
  b.call("GetCR3", {}, () => b.guest.setReg(Reg.eax, 0x4000));
  assertEquals(seen.names(), ["Init", "GetCycleFrequency", "SetPxE", "GetCR3"]);
  assertEquals(seen.entries.map((e) => e.result), [0, 1_000_000n, undefined, 0x4000]);
  const [setPxE] = seen.filter("SetPxE");
  assertEquals(setPxE, {
    no: 38,
    name: "SetPxE",
    args: { pte: 0x1003, ptep: 0x2000, flags: 0x11 },
    result: undefined,
    eip: ROM_LINEAR + 0xb80,
    from: 0x500,
    time: 7,
  });
  assertEquals(JSON.parse(JSON.stringify(seen))[1].result, "1000000");
  assertEquals([...seen.counts()][0], ["Init", 1]);
});

Deno.test("Recording keeps two records apart, takes results late, and forgets what goes on when it is cleared", () => {
  const call = (no: number): RecordedCall => ({
    no,
    name: `n${no}`,
    args: { a: no },
    eip: 1,
    from: 0xffff_ffff,
    time: 9,
  });
  const a = new Recording(), b = new Recording();
  const first = a.begin(call(1)), other = b.begin(call(2));
  assertEquals(a.entries.map((e) => e.result), [undefined]);
  a.end(first, -1);
  b.end(other, 1n << 70n);
  assertEquals(a.entries[0], { ...call(1), result: -1 });
  assertEquals(b.entries[0].result, 1n << 70n);
  const late = a.begin(call(3));
  a.clear();
  a.end(late, 5);
  assertEquals([a.length, a.names(), a.entries], [0, [], []]);
  for (let i = 0; i < 3000; i++) a.end(a.begin(call(i)), i);
  assertEquals(a.entries[2999], { ...call(2999), result: 2999 });
  assertEquals(a.counts().size, 3000);
  assertEquals(a.last(2000), a.entries.slice(-2000));
  assertEquals([a.last(0), a.last(9999).length, new Recording().last(5)], [[], 3000, []]);
});

Deno.test("LiveCall keeps the arguments of its beginning; every call of the table fits into a row", () => {
  assert(PLANS.every((p, no) => p.no === no && p.words.length <= MAX_WORDS));
  const b = new Bench(scripted());
  const calls: ParavirtCall<"SetAlarm">[] = [];
  b.paravirt.before("SetAlarm", (call) => calls.push(call));
  b.guest.write(0x1000, 0xffff_fff0, 32);
  b.call("SetAlarm", { eax: 0x8000_0000, edx: 1, ecx: 0xffff_ffff });
  b.guest.setReg(Reg.eax, 7);
  b.guest.write(0x1000, 1, 32);
  const [{ args, name, from, eip }] = calls;
  assertEquals(args, { flags: 0x8000_0000, expiry: 0xffff_ffff_0000_0001n, period: 0xffff_fff0n });
  assertEquals([name, from, eip], ["SetAlarm", 0x500, ROM_LINEAR + b.paravirt.slot("SetAlarm").at]);
});

Deno.test("Paravirt.countCalls counts plain and trapped calls by name until it is stopped", () => {
  const b = new Bench(native());
  b.call("Init", {});
  const made = b.paravirt.countCalls();
  for (const name of ["GetCR3", "SetPxE", "GetCR3", "GetCycleFrequency"]) b.call(name, {});
  made.stop();
  assertFalse(b.watched);
  b.call("GetCR3", {});
  assertEquals(made.byName, { GetCR3: 2, SetPxE: 1, GetCycleFrequency: 1 });
});

Deno.test("Paravirt watches the ROM only while something observes", () => {
  const b = new Bench(native());
  b.call("Init", {});
  assertFalse(b.watched);
  const seen = b.paravirt.record();
  assert(b.watched);
  seen.stop();
  assertFalse(b.watched);
});

Deno.test("Paravirt.before and after see arguments and result; stop asks the machine", () => {
  const b = new Bench(native());
  b.call("Init", {});
  const seen: unknown[] = [];
  b.paravirt.before("SetPxE", (call) => {
    seen.push(call.args.flags);
    if (call.args.flags & 0x10) call.stop("current-as");
  });
  const remove = b.paravirt.after("GetCR2", (_call, result) => seen.push(result));
  b.call("SetPxE", { ecx: 0x11 });
  b.call("GetCR2", {}, () => b.guest.setReg(Reg.eax, 9));
  remove();
  b.call("GetCR2", {}, () => b.guest.setReg(Reg.eax, 10));
  assertEquals(seen, [0x11, 9]);
  assertEquals(b.log, ["stop current-as"]);
});

Deno.test("Paravirt.override answers a trapped call, and a plain one without its code running", () => {
  const b = new Bench(native());
  b.call("Init", {});
  b.paravirt.override("GetWallclockTime", () => 0x1_0000_0002n);
  assertEquals(b.call("GetWallclockTime", {}), 0x1_0000_0002n);
  let ran = false;
  const remove = b.paravirt.override("GetCR3", () => 0x5000);
  b.call("GetCR3", {}, () => ran = true);
  assertEquals([b.guest.reg(Reg.eax), b.guest.eip, b.guest.reg(Reg.esp), ran], [0x5000, 0x500, 0x1000, false]);
  remove();
  b.call("GetCR3", {}, () => ran = true);
  assert(ran);
});

Deno.test("Paravirt passes 64-bit and stack arguments", () => {
  const b = new Bench(scripted());
  b.guest.write(0x1000, 0x33, 32);
  b.guest.write(0x1004, 0x44, 32);
  let args: unknown;
  b.paravirt.override("SetAlarm", (call) => {
    args = call.args;
    const wide: bigint = call.args.expiry;
    assertEquals(wide, 0x2222_0000_1111n);
    return undefined;
  });
  b.call("SetAlarm", { eax: 0x100, edx: 0x1111, ecx: 0x2222 });
  assertEquals(args, { flags: 0x100, expiry: 0x2222_0000_1111n, period: 0x44_0000_0033n });
});

Deno.test("a script's error names the call and leaves the guest at it", () => {
  const b = new Bench(scripted());
  b.paravirt.override("SetCR3", () => {
    throw new Error("no");
  });
  const error = assertThrows(() => b.call("SetCR3", { eax: 0x7000 }), ConfigError);
  assertEquals(error.message, "A function for SetCR3 failed: no");
  assertEquals(b.guest.eip, ROM_LINEAR + b.paravirt.slot("SetCR3").at);
  assertEquals(b.guest.reg(Reg.eax), 0x7000);
});

Deno.test("a guest fault raised while a call is answered passes through untouched", () => {
  const b = new Bench(scripted({ SetGDT: (call) => call.guest.read(0x9000_0000, 32) }));
  let thrown: unknown;
  try {
    b.call("SetGDT", {});
  } catch (error) {
    thrown = error;
  }
  assertEquals(thrown === b.guest.fault, true);
});

Deno.test("Paravirt kills for refused, unanswered and unreadable calls", () => {
  const b = new Bench(scripted({ SetCR4: () => ({ kill: "bad-argument" }) }, { unanswered: "kill" }));
  b.paravirt.before("SetCR0", (call) => call.kill());
  for (const name of ["SetCR4", "SetCR0", "SetCR3"]) b.call(name, {});
  assertEquals(b.log.map((l) => l.split(" 0x")[0]), [
    "kill SetCR4 bad-argument",
    "kill SetCR0 refused",
    "kill SetCR3 unanswered",
  ]);
});

Deno.test("Paravirt refuses names and overrides that cannot work", () => {
  const p = new Bench(native()).paravirt;
  // deno-lint-ignore no-explicit-any
  assertThrows(() => p.before("setpxe" as any, () => {}), ConfigError, "write SetPxE");
  assertThrows(() => p.override("IRET", () => 0), ConfigError, "does not return");
  assertThrows(() => p.override("APICRead", () => 0), ConfigError, "natively");
});

Deno.test("scripted answers of a wrong kind are the script's error", () => {
  const b = new Bench(scripted({ GetCR2: () => 1.5 }));
  assertThrows(() => b.call("GetCR2", {}), ConfigError, "The answer to GetCR2 is 1.5");
});

Deno.test("alarms fire at their expiry, periodic ones go on, missed ones are dropped", () => {
  const b = new Bench(native());
  b.guest.write(0x1000, 100, 32); // period
  b.guest.write(0x1004, 0, 32);
  b.call("SetAlarm", { eax: 0x100, edx: 50, ecx: 0 });
  b.pass(260);
  assertEquals(b.log, ["timer 50", "timer 150", "timer 250"]);
  assertEquals(b.call("CancelAlarm", { eax: 0x100 }) & 0xffffffffn, 1n);
  assertEquals(b.call("CancelAlarm", { eax: 0x100 }) & 0xffffffffn, 0n);
  b.pass(500);
  b.guest.write(0x1000, 0, 32);
  b.call("SetAlarm", { eax: 0, edx: 1, ecx: 0 }); // in the past: at once, and once
  b.pass(1000);
  assertEquals(b.log.slice(3), ["timer 760"]);
});

Deno.test("saved and loaded paravirtual state goes on the same", () => {
  const a = new Bench(native());
  a.guest.write(0x1000, 10, 32);
  a.guest.write(0x1004, 0, 32);
  a.call("SetAlarm", { eax: 0x100, edx: 25, ecx: 0 });
  const [clock, section] = [a.clock.save(), a.paravirt.save()];
  const b = new Bench(native());
  b.paravirt.load(section);
  b.clock.load(clock);
  a.pass(50);
  b.pass(50);
  assertEquals(b.log, a.log);
  assertEquals(a.log, ["timer 25", "timer 35", "timer 45"]);
  assertThrows(() => new Bench(scripted()).paravirt.load(section), ConfigError, "has paravirtual backend native");
});
