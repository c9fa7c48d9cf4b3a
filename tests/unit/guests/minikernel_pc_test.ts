/** The minikernel on the PC presets, with the chips a PC has. */
import { guests, native, pc, scripted, vmiPc } from "../../../mod.ts";
import { assert, assertEquals, assertLess } from "../../../scripts/deps/std.ts";

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
