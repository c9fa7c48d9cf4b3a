/** iPXE, entered by the 16-bit Linux boot protocol after SeaBIOS has set the machine up, starts and finds no network card. */
import { MiB } from "../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { afterBios, enter16 } from "./linux16.ts";

const [ipxe, bios, vga] = [guestSync("ipxe"), guestSync("seabios"), guestSync("vgabios-stdvga")];
const ready = ipxe.available && bios.available && vga.available;

Deno.test({
  name: `iPXE starts on SeaBIOS and its VGA BIOS${ready ? "" : " (guest not available)"}`,
  ignore: !ready,
  fn() {
    if (!ipxe.available || !bios.available || !vga.available) return;
    const [rom, vgaBios] = [bios, vga].map((g) => Deno.readFileSync(g.path));
    const m = afterBios({ memory: 32 * MiB, bios: rom, vgaBios });
    assertStringIncludes(m.screen.text(), "Booting from Hard Disk...");
    enter16(m, Deno.readFileSync(ipxe.path));
    const stop = m.run({ until: m.screen.contains("No more network devices"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.screen.text());
    assertMatch(m.screen.text(), /iPXE initialising devices\.\.\.ok/);
    assertMatch(m.screen.text(), /iPXE 1\.\S+ -- Open Source Network Boot Firmware/);
  },
});
