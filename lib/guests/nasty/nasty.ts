/**
 * A deliberately nasty guest: it boots, finds the paravirtual ROM, and does one thing that no well-behaved kernel does: a
 * wrong argument, a call from ring 3, an alarm in the past, a page table in the hypervisor's memory. It says on the serial
 * port what came of it. Without a ROM it does the same with the instructions themselves. A hypervisor survives each, with a return value, a fault for the guest or a clean end. Cold.
 *
 * Not emulated: more than one CPU; edges of the script interface (see `inject`).
 */
import { ConfigError } from "../../core/errors.ts";
import { assemble } from "../../cpu/i386/asm/assemble.ts";
import type { Bootable, LoadTarget } from "../../machine/program.ts";
import { CPU_EDGES } from "./edges_cpu.ts";
import { MEMORY_EDGES } from "./edges_memory.ts";
import { NASTY_ORIGIN, STACK } from "./frame.ts";
import { type NastyEdge, nastySource } from "./source.ts";

const EDGES: readonly NastyEdge[] = [...CPU_EDGES, ...MEMORY_EDGES];

/** Names of all edges, for {@linkcode nasty}. */
export const nastyEdges: readonly string[] = EDGES.map((e) => e.name);

const IMAGES = new Map<string, Uint8Array>();

/** Calls that an edge makes, by name, each once; what it needs beside them of a ROM is not in the list. */
export function nastyCalls(name: string): readonly string[] {
  return [...new Set([...edgeOf(name).code.matchAll(/^\s*ask (\w+)/gm)].map(([, call = ""]) => call))];
}

/** The nasty guest at one of its edges. @throws {ConfigError} guest-edge */
export function nasty(name: string): Bootable {
  const edge = edgeOf(name);
  const bytes = IMAGES.get(name) ?? assemble(nastySource(edge), { origin: NASTY_ORIGIN, bits: 32 }).bytes;
  IMAGES.set(name, bytes);
  return {
    name: `nasty: ${name}`,
    load: (target: LoadTarget) => {
      target.place(NASTY_ORIGIN, bytes, "nasty");
      return { mode: "flat32", entry: NASTY_ORIGIN, stack: STACK };
    },
  };
}

function edgeOf(name: string): NastyEdge {
  const edge = EDGES.find((e) => e.name === name);
  if (edge !== undefined) return edge;
  throw new ConfigError("guest-edge", `The nasty guest has no edge "${name}"; nastyEdges lists them`);
}
