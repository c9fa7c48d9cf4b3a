/** Debian's stock kernel with a BusyBox initial file system, from the boot protocol to user space and a reboot request. */
import { linux, MiB, pc } from "../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const busybox = guestSync("busybox");

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox grep flags /proc/cpuinfo
/bin/busybox echo user space is up
/bin/busybox reboot -f
`;

for (const name of ["linux-686", "linux-686-pae"] as const) {
  const kernel = guestSync(name);
  const missing = [kernel, busybox].find((g) => !g.available);

  Deno.test({
    name: `Debian's kernel ${name} boots to user space${missing === undefined ? "" : " (guest not available)"}`,
    ignore: missing !== undefined,
    fn() {
      if (!kernel.available || !busybox.available) return;
      const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT, ["/proc"]);
      const m = pc({ memory: 128 * MiB });
      m.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: "console=ttyS0 nokaslr quiet" }));
      const up = m.run({ until: m.serial.contains("user space is up"), instructions: 20_000_000_000 });
      assertEquals(up.kind, "until", m.serial.tail(2000));
      assertStringIncludes(m.serial.text, "sse2");
      assertEquals(m.run({ instructions: 2_000_000_000 }).kind, "reset");
      assertStringIncludes(m.serial.text, "reboot: Restarting system");
    },
  });
}
