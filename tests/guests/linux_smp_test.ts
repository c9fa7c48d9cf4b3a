/** Debian's stock kernel finds two CPUs in the tables, starts the second and schedules on both. */
import { linux, MiB, pc } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const kernel = guestSync("linux-686-pae");
const busybox = guestSync("busybox");
const missing = [kernel, busybox].find((g) => !g.available);

/** Without the self tests of its ciphers, which are half of the boot. */
const APPEND = "console=ttyS0 nokaslr cryptomgr.notests";

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox taskset 2 /bin/busybox echo on the second
/bin/busybox echo $(/bin/busybox nproc) processors work
/bin/busybox reboot -f
`;

Deno.test({
  name: `Debian's kernel runs on two CPUs${missing === undefined ? "" : " (guest not available)"}`,
  ignore: missing !== undefined,
  fn() {
    if (!kernel.available || !busybox.available) return;
    const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT, ["/proc"]);
    const m = pc({ memory: 128 * MiB, cpus: 2 });
    m.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: APPEND }));
    const up = m.run({ until: m.serial.contains("processors work"), instructions: 20_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    assertStringIncludes(m.serial.text, "smp: Brought up 1 node, 2 CPUs");
    assertStringIncludes(m.serial.text, "on the second");
    assertStringIncludes(m.serial.text, "2 processors work");
    assert(!m.serial.text.includes("TSC warp"));
    assert(m.cpus[1].instructions > 10_000_000);
    // From here the run is the same each time, wherever it is cut.
    const here = m.snapshot();
    m.run({ instructions: 3_000_001 });
    const end = m.hash();
    m.restore(here);
    for (const instructions of [1, 999_999, 2_000_001]) m.run({ instructions });
    assertEquals(m.hash(), end);
  },
});
