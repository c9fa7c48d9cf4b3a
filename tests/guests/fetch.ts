/**
 * The guests task: puts a Debian kernel and an initial file system with BusyBox into a folder, ready to boot.
 *
 *   deno task guests [FOLDER] [--pae]
 *
 * Needs Debian's or Ubuntu's apt on the host; nothing is installed. Cold.
 */
import { guest, type GuestName } from "./guest.ts";
import { busyboxInitrd } from "./initrd.ts";

const INIT = `#!/bin/sh
/bin/busybox mkdir -p /proc /sys /dev /usr/bin /usr/sbin /sbin
/bin/busybox --install -s
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
export PS1='# '
exec setsid cttyhack sh -i
`;

/** A guest's bytes. @throws {Error} It cannot be had. */
async function fetched(name: GuestName): Promise<Uint8Array> {
  const found = await guest(name);
  if (!found.available) throw new Error(`${name} cannot be had here: ${found.reason}`);
  console.log(`${name}: ${found.version}`);
  return await Deno.readFile(found.path);
}

const words = Deno.args.filter((arg) => !arg.startsWith("--"));
const flags = Deno.args.filter((arg) => arg.startsWith("--"));
const [folder = "."] = words;
if (words.length > 1 || flags.some((flag) => flag !== "--pae")) {
  console.error("Usage: deno task guests [FOLDER] [--pae]");
  Deno.exit(64);
}
try {
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeFile(`${folder}/vmlinuz`, await fetched(flags.length > 0 ? "linux-686-pae" : "linux-686"));
  const data = await fetched("busybox");
  const initrd = busyboxInitrd(data, INIT);
  await Deno.writeFile(`${folder}/initrd.cpio`, initrd);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  Deno.exit(1);
}
console.log(`written: ${folder}/vmlinuz, ${folder}/initrd.cpio`);
