/**
 * The guests that ship. Cold.
 */
import type { Bootable } from "../machine/program.ts";
import { minikernel } from "./minikernel/minikernel.ts";

/** Guests by name, for `m.boot(guests.minikernel())`. */
export const guests: {
  /** A small paravirtual kernel; see {@linkcode minikernel}. */
  readonly minikernel: () => Bootable;
} = { minikernel };
