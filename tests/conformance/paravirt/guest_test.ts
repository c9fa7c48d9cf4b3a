/** The guest that ships on every backend: the same account of itself, the same run twice, the same after a snapshot. */
import { guests, pc, type PcMachine, Prng, type StopReason, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import type { Candidate } from "./backends.ts";
import { rogue } from "./rogue.ts";
import { conformance, type Engine, NO_CALLS } from "./suite.ts";

function boot(candidate: Candidate, engine: Engine): VmiPcMachine {
  const m = vmiPc({ backend: candidate.make(), engine });
  m.boot(guests.minikernel());
  return m;
}

function untilReady(m: VmiPcMachine): void {
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
}

/** Console without the lines that say what the interface is and what it offers. */
function account(m: PcMachine): string {
  return m.serial.text.replaceAll(/^(paravirt|system calls|clock): .*\r?\n/gm, "");
}

/** What the guest says without the interface. */
const BARE = pc();
BARE.boot(guests.minikernel());
assertEquals(BARE.run({ until: BARE.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");

conformance("guest", (on) => {
  const { backend: name, candidate, engine } = on;
  on.test("the shipped kernel says what it says on bare hardware", () => {
    const m = boot(candidate, engine);
    untilReady(m);
    assertEquals(account(m), account(BARE));
    const interfaces = /^(paravirt|clock): .*\r?\n/gm;
    if (candidate.transparent) assertEquals(m.serial.text.match(interfaces), BARE.serial.text.match(interfaces));
    else assert(m.serial.text.includes(`paravirt: found vmikit ${name} backend`));
    m.serial.send("r");
    assertEquals(m.run({ instructions: 5_000_000 }).kind, "reset");
  });

  on.test("a run cut by snapshots ends as the whole one", () => {
    const whole = boot(candidate, engine);
    whole.run({ instructions: 2_400_000 });
    const cut = boot(candidate, engine), other = boot(candidate, engine);
    const random = new Prng(5);
    let done = 0;
    while (done < 2_400_000) {
      const n = Math.min(2_400_000 - done, 200_000 + random.below(600_000));
      cut.run({ instructions: n });
      done += n;
      const here = cut.snapshot();
      cut.run({ instructions: 10_000 });
      cut.restore(here);
      other.restore(here);
    }
    assertEquals([cut.hash(), other.hash()], [whole.hash(), whole.hash()]);
  });

  on.unless(NO_CALLS).test("every call with wild arguments ends with a stop reason", () => {
    const { m } = rogue(candidate, () => "here: jmp here", { budget: 100_000, engine });
    const fresh = m.snapshot();
    const random = new Prng(7);
    const odd = [
      0,
      1,
      0x41000,
      0x43004,
      0x7fffffff,
      0x80000000,
      0xffffffff,
      0xfffffff0,
      0x3ff000,
      0xc8000,
      0x7c000000,
    ];
    const kinds = new Map<StopReason["kind"], number>();
    for (const { at } of m.paravirt.rom.slots) {
      for (let round = 0; round < 10; round++) {
        m.restore(fresh);
        for (const r of ["eax", "ebx", "ecx", "edx", "esi", "edi"]) m.cpu.set(r, odd[random.below(odd.length)] ?? 0);
        for (let i = 0; i < 4; i++) m.write(0x8f00 + 4 * i, i === 0 ? 0x8f80 : odd[random.below(odd.length)] ?? 0);
        m.write(0x8f80, 0x90909090);
        m.write(0x8f84, 0xfeeb);
        m.cpu.set("esp", 0x8f00);
        m.cpu.set("eip", m.paravirt.at + at);
        const stop = m.run({ instructions: 3000 });
        kinds.set(stop.kind, (kinds.get(stop.kind) ?? 0) + 1);
        if (candidate.deprivileges) assert((m.cpu.get("cpl") as number) !== 0, `slot at ${at}`);
      }
    }
    assert((kinds.get("budget") ?? 0) > 100, JSON.stringify([...kinds]));
  });
});
