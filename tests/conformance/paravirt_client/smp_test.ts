/** A client kernel of each release starts a second CPU, on each backend: by the ROM's state, or by real-mode code. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { CLIENT_CANDIDATES, type ClientCandidate, unexpected } from "./candidates.ts";
import { type Client, makeClient, no, readJournal, runClient } from "./client.ts";
import { program } from "./program.ts";
import { ParavirtReloc } from "../../../lib/spec/paravirt_rom.ts";
import { type Config, RELEASES } from "./releases.ts";

function healthy(candidate: ClientCandidate, c: Omit<Client, "stop" | "recorded">, what: string): void {
  const failures = unexpected(candidate, c.failures);
  assertEquals([c.variable("bug"), failures, c.variable("stage")], [0, [], 100], what);
  assertEquals([c.variable("ap_starts"), c.variable("ap_phase")], [2, 9], what);
}

for (const [name, candidate] of Object.entries(CLIENT_CANDIDATES)) {
  const rom = candidate.bare === true ? { licence: "none" } : {};
  const configs = RELEASES.flatMap((release): Config[] =>
    [false, true].map((pae) => ({ release, pae, localApic: true, largePages: true, smp: true }))
  ).filter(({ release }) => name !== "IRET and SYSEXIT alone" || !release.saveAndDisable); // its kernel stops before

  Deno.test(`client on ${name}: a second CPU starts, has tables, ticks and messages, goes off line and on again`, () => {
    for (const config of configs) {
      const what = `${config.release.name}${config.pae ? " PAE" : ""}`;
      const c = runClient(candidate.make(), config, { rom, cpus: 2, engine: "jit" });
      assertEquals(c.stop.kind, "halt", what);
      healthy(candidate, c, what);
      const byState = candidate.bare !== true &&
        c.m.paravirt.rom.slots[no("SetInitialAPState")]?.reloc === ParavirtReloc.callRel;
      assertEquals(c.variable("ap_by_state") !== 0, byState, what);
      if (byState) { for (const cpu of c.m.cpus) assertEquals(cpu.get("cpl"), candidate.ring, what); }
    }
  });

  Deno.test(`client on ${name}: with a second CPU both engines end in the same state, and runs cut by snapshots too`, () => {
    for (const config of configs.filter((_, i) => i % 5 === 2)) {
      const whole = runClient(candidate.make(), config, { rom, cpus: 2, engine: "interpreter" }).m.hash();
      assertEquals(runClient(candidate.make(), config, { rom, cpus: 2, engine: "jit" }).m.hash(), whole);
      const options = { rom, cpus: 2, engine: "jit" } as const;
      const here = makeClient(candidate.make(), config, options), there = makeClient(candidate.make(), config, options);
      let cuts = 0;
      while (here.run({ instructions: 90_017 }).kind === "budget") {
        const state = here.snapshot();
        here.run({ instructions: 5_003 });
        here.restore(state);
        there.restore(state);
        assertEquals(there.hash(), here.hash(), `after ${++cuts} cuts`);
      }
      there.run({ instructions: 200_000 });
      assert(cuts >= 2, `${cuts} cuts`);
      assertEquals([here.hash(), there.hash()], [whole, whole]);
      healthy(candidate, readJournal(there, program(config)), config.release.name);
    }
  });
}
