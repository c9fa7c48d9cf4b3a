/** Client kernels built or started otherwise, and runs that are cut, injected into and overridden. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { CLIENT_CANDIDATES, type ClientCandidate, unexpected } from "./candidates.ts";
import { type Client, makeClient, readJournal, runClient } from "./client.ts";
import { program } from "./program.ts";
import { type Config, RELEASES } from "./releases.ts";

function healthy(candidate: ClientCandidate, c: Omit<Client, "stop" | "recorded">, what = ""): void {
  const failures = unexpected(candidate, c.failures);
  assertEquals([c.variable("bug"), failures, c.variable("stage")], [0, [], 100], what);
}

for (const [name, candidate] of Object.entries(CLIENT_CANDIDATES)) {
  // The least ROM has no calls that a variant could change, and stops the kernel that saves and disables.
  if (name === "IRET and SYSEXIT alone") continue;
  const rom = candidate.bare === true ? { licence: "none" } : {};

  Deno.test(`client on ${name}: without the local APIC, without large pages`, () => {
    for (const release of RELEASES) {
      for (const pae of [false, true]) {
        const config: Config = { release, pae, localApic: false, largePages: false };
        healthy(
          candidate,
          runClient(candidate.make(), config, { rom, engine: "jit" }),
          `${release.name} ${pae ? "PAE" : ""}`,
        );
      }
    }
  });

  Deno.test(`client on ${name}: runs cut by snapshots, continued here and elsewhere, end as whole ones`, () => {
    for (const release of RELEASES.filter((_, i) => i % 3 === 0)) {
      const config: Config = { release, pae: release.switchesToPae, localApic: true, largePages: true };
      const whole = runClient(candidate.make(), config, { rom });
      const here = makeClient(candidate.make(), config, { rom }), there = makeClient(candidate.make(), config, { rom });
      for (let cuts = 0;; cuts++) {
        const stop = here.run({ instructions: 40_009 });
        if (stop.kind !== "budget") {
          assert(cuts >= 3, `${cuts} cuts`);
          break;
        }
        const state = here.snapshot();
        here.run({ instructions: 9_973 });
        here.restore(state);
        there.restore(state);
        assertEquals(there.hash(), here.hash(), `after ${cuts} cuts`);
      }
      there.run({ instructions: 200_000 });
      assertEquals([here.hash(), there.hash()], [whole.m.hash(), whole.m.hash()]);
      healthy(candidate, readJournal(there, program(config)));
    }
  });
}
