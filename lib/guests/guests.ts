/**
 * The guests that ship. Cold.
 */
import type { Bootable } from "../machine/program.ts";
import { minikernel, type MinikernelOptions } from "./minikernel/minikernel.ts";

/** Guests by name, for `m.boot(guests.minikernel())`. */
export const guests: {
  /** A small paravirtual kernel; see {@linkcode minikernel}. */
  readonly minikernel: (options?: MinikernelOptions) => Bootable;
} = { minikernel };
