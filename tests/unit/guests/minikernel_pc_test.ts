/** The minikernel on the PC presets, with the chips a PC has. */
import { ConfigError, guests, type MinikernelOptions, native, pc, scripted, shadow, vmiPc } from "../../../mod.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../../../scripts/deps/std.ts";

Deno.test("guests.minikernel runs natively on pc(), ticks by the 8254, prints, reboots", () => {
  const m = pc();
  m.boot(guests.minikernel());
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  assertEquals(m.serial.text.split("\n").slice(1, 2), ["paravirt: no ROM, running natively"]);
  assert(m.serial.text.includes("clock: 8254\nclock: 3 ticks\n"));
  m.serial.send("pr");
  assertEquals(m.run({ instructions: 5_000_000 }).kind, "reset");
  assert(/ready\nticks \d+\nrebooting\n$/.test(m.serial.text), m.serial.text);
});

Deno.test("guests.minikernel ticks by the paravirtual alarm on vmiPc(), once a hundredth of a second", () => {
  for (const backend of [native(), scripted()]) {
    const m = vmiPc({ backend });
    const times: number[] = [];
    m.onInterrupt(0x20, () => times.push(m.now));
    m.boot(guests.minikernel());
    assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
    const gaps = times.slice(1).map((t, i) => t - (times[i] ?? 0));
    for (const gap of gaps) assertLess(Math.abs(gap - 1_000_000), 2000, `${times}`);
    m.serial.send("r");
    assertEquals(m.run({ instructions: 5_000_000 }).kind, "reset");
  }
});

Deno.test("guests.minikernel refuses work that it does not know", () => {
  const wrong: readonly [unknown, string][] = [
    [{ workload: "sleep" }, 'No workload "sleep"; there are syscall, fault, fork, switch, tick, mixed'],
    [{ workload: "fork", count: -1 }, "count must be an integer from 0 to 1000000000, not -1"],
    [{ workload: "fork", count: 1.5 }, "not 1.5"],
  ];
  for (const [options, says] of wrong) {
    assertThrows(() => guests.minikernel(options as MinikernelOptions), ConfigError, says);
  }
});

Deno.test("guests.minikernel goes on with one CPU if the other does not answer", () => {
  const m = vmiPc({ backend: shadow(), cpus: 2 });
  m.paravirt.override("SetInitialAPState", () => undefined); // nobody hears of the state
  m.boot(guests.minikernel());
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  assert(m.serial.text.includes("cpu 1: does not answer\ninit: "), m.serial.text);
});

Deno.test("guests.minikernel has its system calls by SYSENTER where the hypervisor offers it", () => {
  const m = vmiPc({ backend: shadow({ sysenter: true }) });
  m.boot(guests.minikernel({ workload: "syscall", count: 10 }));
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  assert(m.serial.text.includes("system calls: INT 0x80, SYSENTER\n"));
  const { calls, backend } = m.paravirt.stats();
  // Three pieces of the first line, one call that does not count, ten that do, the last line; and the end, which comes not back.
  assertEquals([calls["SYSEXIT"], backend["exits sysenter"]], [15, 16]);
});

Deno.test("scripts/demo.ts runs without any permission", async () => {
  const script = new URL("../../../scripts/demo.ts", import.meta.url).pathname;
  const run = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", script],
    stdout: "piped",
    stderr: "piped",
  });
  const { success, stdout, stderr } = await run.output();
  assert(success, new TextDecoder().decode(stderr));
  assert(new TextDecoder().decode(stdout).includes("The guest halted after"));
});
