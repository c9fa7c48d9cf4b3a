/** Adding and removing what looks at calls: several overrides, one function twice, stops without a name. */
import { asm } from "../../../../lib/cpu/i386/asm/template.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { kvm } from "../../../../lib/vmi/personality/kvm.ts";
import { pc, vmiPc } from "../../../../lib/machine/presets.ts";
import { minikernel } from "../../../../lib/guests/minikernel/minikernel.ts";
import { native } from "../../../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../../../lib/vmi/paravirt/backends/scripted.ts";
import { shadow } from "../../../../lib/vmi/paravirt/shadow/shadow.ts";
import { assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";
import { Bench } from "./fake_guest.ts";

Deno.test("Paravirt.override: the last one answers; when it is removed, the one before it does, in whatever order they go", () => {
  for (const backend of [native, scripted]) {
    const b = new Bench(backend());
    b.call("Init", {});
    const ask = (): bigint => b.call("GetCR2", {}, () => b.guest.setReg(0, 9)) & 0xffff_ffffn;
    const [first, second, third] = [1, 2, 3].map((n) => b.paravirt.override("GetCR2", () => n));
    const seen = [ask()];
    for (const remove of [third, first, third, second]) {
      remove();
      seen.push(ask());
    }
    assertEquals(seen, [3n, 2n, 2n, 2n, 9n]);
  }
});

Deno.test("Paravirt.before and after: a function added twice is called twice, and removed once for each time", () => {
  const b = new Bench(native());
  b.call("Init", {});
  const seen: string[] = [];
  const before = (): unknown => seen.push("before"), after = (): unknown => seen.push("after");
  const calls = (): string => {
    seen.length = 0;
    b.call("GetCR2", {});
    return seen.join(" ");
  };
  const removers = [
    b.paravirt.before("GetCR2", before),
    b.paravirt.before("GetCR2", before),
    b.paravirt.after("GetCR2", after),
    b.paravirt.after("GetCR2", after),
  ];
  assertEquals(calls(), "before before after after");
  removers[0]();
  removers[0](); // once is enough
  removers[3]();
  assertEquals(calls(), "before after");
  for (const remove of removers) remove();
  assertEquals([calls(), b.watched], ["", false]);
});

for (const backend of [native, scripted, shadow]) {
  Deno.test(`${backend.name}: call.stop() ends the run by the call's own name, and refuses an empty one`, () => {
    const m = vmiPc({ backend: backend() });
    m.boot(minikernel());
    const remove = m.paravirt.before("SetCR3", (call) => call.stop());
    const stop = m.run({ instructions: 1_000_000 });
    assertEquals([stop.kind, "name" in stop ? stop.name : ""], ["hook", "SetCR3"]);
    remove();
    m.paravirt.before("SetPxE", (call) => call.stop(""));
    const error = assertThrows(() => m.run({ instructions: 1_000_000 }), ConfigError);
    assertEquals((error.cause as ConfigError).code, "hook-name");
  });
}

Deno.test("pc() with a personality: call.stop() ends the run by the call's own name", () => {
  const m = pc({ personality: kvm() });
  m.load(
    0x7c00,
    asm`
    mov eax, 5
    vmcall
    hlt`,
  );
  const { name } = m.hypercalls.personality.calls.find((row) => row.no === 5) ?? { name: "UNKNOWN" as const };
  m.hypercalls.before(name, (call) => call.stop());
  const stop = m.run({ instructions: 100 });
  assertEquals([stop.kind, "name" in stop ? stop.name : ""], ["hook", name]);
});
