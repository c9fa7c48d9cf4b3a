/**
 * The guest that ships: a small 32-bit kernel that does with a hypervisor's ROM what Linux does, and says so line by line
 * on its serial port. Assembled when it is asked for; it needs 4 MiB of memory, a serial port at 0x3F8, the interrupt
 * controllers and, without a paravirtual clock, the 8254. Cold.
 *
 * Not emulated: more than one CPU; PAE.
 */
import { assemble } from "../../cpu/i386/asm/assemble.ts";
import { multiboot } from "../../machine/loader/multiboot.ts";
import type { Bootable } from "../../machine/program.ts";
import { MINIKERNEL_LINEAR, minikernelSource } from "./source.ts";

let image: Uint8Array | undefined;

/** The kernel as a multiboot image. */
export function minikernelImage(): Uint8Array {
  return image ??= assemble(minikernelSource(), { origin: MINIKERNEL_LINEAR, bits: 32 }).bytes;
}

/** The minikernel, for `m.boot(minikernel())`. */
export function minikernel(): Bootable {
  return { ...multiboot({ kernel: minikernelImage() }), name: "minikernel" };
}
