/** iPXE, entered by the 16-bit Linux boot protocol after SeaBIOS has set the machine up, starts and finds no network card. */
import { MiB, pc, reached } from "../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";

const [ipxe, bios, vga] = [guestSync("ipxe"), guestSync("seabios"), guestSync("vgabios-stdvga")];
const ready = ipxe.available && bios.available && vga.available;

Deno.test({
  name: `iPXE starts on SeaBIOS and its VGA BIOS${ready ? "" : " (guest not available)"}`,
  ignore: !ready,
  fn() {
    if (!ipxe.available || !bios.available || !vga.available) return;
    const disk = new Uint8Array(1 * MiB);
    disk.set([0x55, 0xaa], 510);
    const m = pc({
      memory: 32 * MiB,
      bios: Deno.readFileSync(bios.path),
      vgaBios: Deno.readFileSync(vga.path),
      disks: [disk],
    });
    assertEquals(m.run({ until: reached(0x7c00), instructions: 2_000_000_000 }).kind, "until");
    assertStringIncludes(m.screen.text(), "Booting from Hard Disk...");
    const kernel = Deno.readFileSync(ipxe.path);
    const payload = (kernel[0x1f1] + 1) * 512;
    m.place(0x90000, kernel.subarray(0, payload), "setup");
    m.place(0x100000, kernel.subarray(payload), "payload");
    const field = (at: number, ...bytes: number[]): void => m.place(0x90000 + at, Uint8Array.from(bytes), "field");
    field(0x210, 0xff); // loader
    field(0x211, kernel[0x211] | 0x80); // heap may be used
    field(0x224, 0x00, 0xde); // end of the heap
    field(0x228, 0x00, 0xe0, 0x09, 0x00); // command line, empty
    field(0xe000, 0);
    m.start({ mode: "real16", entry: 0, code: 0x9020, data: 0x9000, stack: 0xdff0 });
    const stop = m.run({ until: m.screen.contains("No more network devices"), instructions: 2_000_000_000 });
    assertEquals(stop.kind, "until", m.screen.text());
    assertMatch(m.screen.text(), /iPXE initialising devices\.\.\.ok/);
    assertMatch(m.screen.text(), /iPXE 1\.\S+ -- Open Source Network Boot Firmware/);
  },
});
