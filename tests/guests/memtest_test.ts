/** Memtest86+ starts its tests on the PC preset, shows them on the screen and finds no error. */
import { linux, MiB, pc } from "../../mod.ts";
import { assertEquals, assertMatch } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";

const image = guestSync("memtest86+");

Deno.test({
  name: `Memtest86+ starts its tests and finds no error${image.available ? "" : " (guest not available)"}`,
  ignore: !image.available,
  fn() {
    if (!image.available) return;
    const m = pc({ memory: 32 * MiB });
    m.boot(linux({ kernel: Deno.readFileSync(image.path) }));
    assertEquals(m.run({ instructions: 600_000_000 }).kind, "budget");
    const text = [m.screen.text()].flat().join("\n");
    assertMatch(text, /Memtest86\+ v\d/);
    assertMatch(text, /Test #\d+\s+\[/);
    assertMatch(text, /Status: Testing/);
    assertMatch(text, /Errors: 0\b/);
  },
});
