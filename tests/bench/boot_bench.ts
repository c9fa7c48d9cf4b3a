/**
 * Time from power-on to a shell prompt of Debian's kernel with a BusyBox initial file system, once each; where the kernel
 * cannot be had the benchmark is ignored, by name.
 */
import { linux, MiB, pc } from "../../mod.ts";
import { guestSync } from "../guests/guest.ts";
import { busyboxInitrd } from "../guests/initrd.ts";

const busybox = guestSync("busybox");

const INIT = `#!/bin/sh
export PS1='ready# '
exec /bin/busybox sh -i
`;

for (const name of ["linux-686", "linux-686-pae"] as const) {
  const kernel = guestSync(name);
  const here = kernel.available && busybox.available;
  Deno.bench({
    name: `boot ${name} to a shell prompt${here ? "" : " (guest not available)"}`,
    group: "boot",
    ignore: !here,
    n: 1,
    warmup: 0,
    fn(b) {
      if (!kernel.available || !busybox.available) return;
      const m = pc({ memory: 128 * MiB });
      const initrd = busyboxInitrd(Deno.readFileSync(busybox.path), INIT);
      const image = linux({ kernel: Deno.readFileSync(kernel.path), initrd, append: "console=ttyS0 nokaslr quiet" });
      b.start();
      const stop = m.boot(image).run({ until: m.serial.contains("ready# "), instructions: 20_000_000_000 });
      b.end();
      if (stop.kind !== "until") throw new Error(`no prompt: ${stop.kind}\n${m.serial.tail(500)}`);
    },
  });
}
