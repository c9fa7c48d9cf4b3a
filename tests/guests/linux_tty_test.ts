/** A person at the PC: Debian's kernel with its console on the VGA screen, a shell on tty1, and keys typed on the i8042. */
import { linux, MiB, pc } from "../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const kernel = guestSync("linux-686"), busybox = guestSync("busybox");
const available = kernel.available && busybox.available;

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
exec 0</dev/tty1 1>/dev/tty1 2>/dev/tty1
export PS1='tty1> '
exec /bin/busybox setsid -c /bin/busybox sh -i
`;

Deno.test({
  name: `keys typed at the machine reach a shell on Linux's tty1${available ? "" : " (guest not available)"}`,
  ignore: !available,
  fn() {
    if (!kernel.available || !busybox.available) return;
    const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT, ["/proc"]);
    const m = pc({ memory: 128 * MiB });
    m.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: "console=tty0 nokaslr quiet" }));
    const up = m.run({ until: m.screen.contains("tty1> "), ticks: 20_000_000_000 });
    assertEquals(up.kind, "until", m.screen.text());

    const ask = (typed: string, answer: string): void => {
      m.keyboard.type(typed);
      const stop = m.run({ until: m.screen.contains(answer), ticks: 1_000_000_000 });
      assertEquals(stop.kind, "until", m.screen.text());
    };
    ask('busybox tty; echo "SHIFT & $((6 * 7))" | busybox tr 2 T\n', "SHIFT & 4T");
    assertStringIncludes(m.screen.text(), "/dev/tty1\n");
    ask("busybox grep keyboard /proc/bus/input/devices\n", "AT Translated Set 2 keyboard");
    // A mistake is taken back; the cursor key brings the line before last again.
    ask("echo wromg\b\bng | busybox tr a-z A-Z\n", "WRONG");
    m.keyboard.press(0xe048);
    m.keyboard.type("\n");
    m.run({ ticks: 200_000_000 });
    assertEquals(m.screen.rows().filter((row) => row === "WRONG").length, 2, m.screen.text());
    assertEquals(m.screen.cursor.visible, true);
    m.keyboard.type("busybox poweroff -f\n");
    assertEquals(m.run({ ticks: 5_000_000_000 }).kind, "power-off", m.screen.text());
    assertEquals(m.serial.text, "");
  },
});
