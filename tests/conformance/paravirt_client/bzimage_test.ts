/** The client kernel in a bzImage, booted as a loader boots Linux: it finds the interface with no further switch. */
import { linux } from "../../../mod.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { bzImage } from "../../unit/machine/images.ts";
import { CANDIDATES } from "../paravirt/backends.ts";
import { CLIENT_CANDIDATES, unexpected } from "./candidates.ts";
import { makeClient, readJournal } from "./client.ts";
import { program } from "./program.ts";
import { type Config, RELEASES } from "./releases.ts";

for (const [name, candidate] of Object.entries(CANDIDATES)) {
  Deno.test(`client in a bzImage on ${name}: every release is taken, patches itself and runs to its end`, () => {
    for (const release of RELEASES) {
      const config: Config = { release, pae: false, localApic: true, largePages: true };
      const m = makeClient(candidate.make(), config, { engine: "jit" });
      m.boot(linux({ kernel: bzImage(program(config).bytes), append: "console=ttyS0" }));
      m.run({ instructions: 20_000_000 });
      const c = readJournal(m, program(config));
      const failures = unexpected(CLIENT_CANDIDATES[name], c.failures);
      assertEquals([c.variable("bug"), failures, c.variable("stage")], [0, [], 100], release.name);
      assertEquals(m.paravirt.stats().calls["Init"], 1, release.name);
    }
  });
}
