/** The initial file system of tests that boot Linux: BusyBox as the shell, and a first program. Cold. */
import { writeCpio } from "../../mod.ts";

/** A cpio archive with BusyBox (its bytes), `/init` and empty folders. */
export function busyboxInitrd(
  busybox: Uint8Array,
  init: string | Uint8Array,
  folders: readonly string[] = [],
): Uint8Array {
  return writeCpio([
    { kind: "device", path: "/dev/console", type: "char", major: 5, minor: 1 },
    { kind: "file", path: "/bin/busybox", data: busybox, mode: 0o755 },
    { kind: "symlink", path: "/bin/sh", target: "busybox" },
    ...folders.map((path) => ({ kind: "directory", path }) as const),
    { kind: "file", path: "/init", data: init, mode: 0o755 },
  ]);
}
