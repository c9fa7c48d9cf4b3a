/**
 * The guest that ships: a small 32-bit kernel that does with a hypervisor's ROM what Linux does, and says so line by line
 * on its serial port. It needs 4 MiB of memory, a serial port at 0x3F8, the interrupt controllers and, without a
 * paravirtual clock, the 8254. Cold.
 *
 * Not emulated: more than one CPU; PAE.
 */
import { multiboot } from "../../machine/loader/multiboot.ts";
import type { Bootable } from "../../machine/program.ts";
import { MINIKERNEL_IMAGE } from "./image.ts";

/** The kernel as a multiboot image. */
export function minikernelImage(): Uint8Array {
  return Uint8Array.from(atob(MINIKERNEL_IMAGE), (c) => c.charCodeAt(0));
}

/** The minikernel, for `m.boot(minikernel())`. */
export function minikernel(): Bootable {
  return { ...multiboot({ kernel: minikernelImage() }), name: "minikernel" };
}
