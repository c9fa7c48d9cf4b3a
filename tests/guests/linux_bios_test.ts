/**
 * Debian's kernel from its 16-bit entry: it asks SeaBIOS for the memory map, sets the video mode, and goes by the tables that
 * SeaBIOS made, whose timer is at pin 0 of the IO-APIC and whose power management is at 0xb000.
 */
import { MiB } from "../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { afterBios, enter16 } from "./linux16.ts";
import { busyboxInitrd } from "./initrd.ts";

const [kernel, busybox, bios, vga] = (["linux-686", "busybox", "seabios", "vgabios-stdvga"] as const).map(guestSync);
const ready = kernel.available && busybox.available && bios.available && vga.available;

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox cat /proc/interrupts
/bin/busybox dmesg
/bin/busybox poweroff -f
`;

Deno.test({
  name: `Debian's kernel boots on SeaBIOS and its tables, and switches off${ready ? "" : " (guest not available)"}`,
  ignore: !ready,
  fn() {
    if (!kernel.available || !busybox.available || !bios.available || !vga.available) return;
    const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT, ["/proc"]);
    const [rom, vgaBios] = [bios, vga].map((g) => Deno.readFileSync(g.path));
    const m = afterBios({ memory: 128 * MiB, bios: rom, vgaBios });
    enter16(m, Deno.readFileSync(kernel.path), "console=ttyS0 nokaslr quiet", initrd);
    assertEquals(m.run({ instructions: 20_000_000_000 }).kind, "power-off", m.serial.tail(2000));
    const text = m.serial.text;
    assertMatch(text, /BIOS-e820: \[mem 0x0{16}-0x0{11}9fbff\] usable/);
    assertStringIncludes(text, "SMBIOS 2.4 present");
    assertStringIncludes(text, "ACPI: PM-Timer IO Port: 0xb008");
    assertMatch(text, /0: +[1-9]\d* +IO-APIC +0-edge +timer/);
    assertEquals(text.split("\n").filter((l) => /ACPI.*(error|warning|exception)|MP-BIOS bug/i.test(l)), []);
  },
});
