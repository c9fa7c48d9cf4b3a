/**
 * The guest that ships: a small 32-bit kernel that does with a hypervisor's ROM what Linux does, and says so line by line
 * on its serial port. Assembled when it is asked for; it needs 4 MiB of memory, a serial port at 0x3F8, the interrupt
 * controllers and, without a paravirtual clock, the 8254. Cold.
 *
 * It has processes with address spaces of their own, forks that copy on write, a scheduler, system calls by INT 0x80 and
 * SYSENTER; a second CPU is started and answers messages. With a command line `workload=KIND count=N` it does so much work
 * of that kind, between the lines `workload: KIND` and `workload: done`.
 *
 * Not emulated: PAE; processes on the further CPUs; more than 4 MiB of memory; programs from outside.
 */
import { assemble } from "../../cpu/i386/asm/assemble.ts";
import { ConfigError } from "../../core/errors.ts";
import { multiboot } from "../../machine/loader/multiboot.ts";
import type { Bootable } from "../../machine/program.ts";
import { WORKLOADS } from "./command_line.ts";
import { MINIKERNEL_LINEAR, minikernelSource } from "./source.ts";

const MOST_TIMES = 1_000_000_000;

let image: Uint8Array | undefined;

/** The kernel as a multiboot image. */
export function minikernelImage(): Uint8Array {
  return image ??= assemble(minikernelSource(), { origin: MINIKERNEL_LINEAR, bits: 32 }).bytes;
}

/** What can be asked of the minikernel; everything has a default. */
export interface MinikernelOptions {
  /** Work to do in place of its first program's tour: what, and how often; default 100 times. */
  readonly workload?: MinikernelWorkload;
  /** How often. */
  readonly count?: number;
}

/** Kinds of work: system calls, page faults, forks, switches between processes, timer ticks, and a mixture. */
export type MinikernelWorkload = "syscall" | "fault" | "fork" | "switch" | "tick" | "mixed";

/** The minikernel, for `m.boot(minikernel())`. @throws {ConfigError} config-value */
export function minikernel(options: MinikernelOptions = {}): Bootable {
  const { workload, count = 100 } = options;
  if (workload !== undefined && !WORKLOADS.includes(workload)) {
    throw new ConfigError("config-value", `No workload "${workload}"; there are ${WORKLOADS.join(", ")}`);
  }
  if (!Number.isInteger(count) || count < 0 || count > MOST_TIMES) {
    throw new ConfigError("config-value", `count must be an integer from 0 to ${MOST_TIMES}, not ${count}`);
  }
  const append = workload === undefined ? "" : `workload=${workload} count=${count}`;
  return { ...multiboot({ kernel: minikernelImage(), append }), name: "minikernel" };
}
