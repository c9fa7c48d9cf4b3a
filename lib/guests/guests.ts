/**
 * The guests that ship. Cold.
 */
import type { Bootable } from "../machine/program.ts";
import { minikernel, type MinikernelOptions } from "./minikernel/minikernel.ts";
import { nasty } from "./nasty/nasty.ts";

/** Guests by name, for `m.boot(guests.minikernel())`. */
export const guests: {
  /** A small paravirtual kernel; see {@linkcode minikernel}. */
  readonly minikernel: (options?: MinikernelOptions) => Bootable;
  /** A hostile guest at one edge of the interface, by name; see {@linkcode nastyEdges}. */
  readonly nasty: (edge: string) => Bootable;
} = { minikernel, nasty };
