/** Debian's stock kernel in ring 1: backend `trap` carries it to user space and it does not notice. */
import { linux, MiB, trap, vmiPc } from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes } from "../../scripts/deps/std.ts";
import { guestSync } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const busybox = guestSync("busybox"), kernel = guestSync("linux-686");
const missing = [kernel, busybox].find((g) => !g.available);

const INIT = `#!/bin/sh
/bin/busybox mount -t proc proc /proc
/bin/busybox sh -c 'for i in 1 2 3; do /bin/busybox ls /bin; done'
/bin/busybox echo $(/bin/busybox nproc) processors, user space is up
/bin/busybox reboot -f
`;

Deno.test({
  name: `Debian's kernel boots to user space on backend trap, on two CPUs${
    missing === undefined ? "" : " (guest not available)"
  }`,
  ignore: missing !== undefined,
  fn() {
    if (!kernel.available || !busybox.available) return;
    const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), new TextEncoder().encode(INIT), ["/proc"]);
    const m = vmiPc({ memory: 128 * MiB, backend: trap(), engine: "jit", cpus: 2 });
    m.boot(linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: "console=ttyS0 nokaslr quiet" }));
    const up = m.run({ until: m.serial.contains("2 processors, user space is up"), instructions: 30_000_000_000 });
    assertEquals(up.kind, "until", m.serial.tail(2000));
    assertStringIncludes(m.serial.text, "busybox");
    for (const cpu of m.cpus) assert((cpu.get("cpl") as number) !== 0 && cpu.instructions > 1_000_000);
    const { backend } = m.paravirt.stats();
    assert((backend["exits software interrupt"] ?? 0) + (backend["exits sysenter"] ?? 0) > 0, JSON.stringify(backend));
    assertEquals(m.run({ instructions: 2_000_000_000 }).kind, "reset");
  },
});
