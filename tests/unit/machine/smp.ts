/**
 * Machines with several i386 CPUs for tests: local APICs, flat programs at fixed places, one interrupt table.
 */
import { port92 } from "../../../lib/device/small_ports.ts";
import {
  asm,
  type CostTable,
  type EngineName,
  i386,
  type Machine,
  machine,
  MiB,
  PcPlatform,
  ram,
} from "../../../mod.ts";

/** Engines that must agree. */
export const ENGINES: readonly EngineName[] = ["interpreter", "reference", "jit"];

/** Local APIC registers. */
export const APIC = 0xfee00000;

const GDT = 0x1000;
const IDT = 0x2000;

/** What differs between machines. */
export interface SmpOptions {
  readonly engine?: EngineName;
  readonly quantum?: number;
  readonly cpus?: number;
  readonly costs?: CostTable;
}

/** A board with local APICs; the first CPU is in flat mode at 0x7c00, the others wait. */
export function smp(options: SmpOptions = {}): Machine {
  const cpus = options.cpus ?? 2;
  const platform = new PcPlatform(cpus);
  const m = machine({
    cpu: i386({ engine: options.engine ?? "interpreter", jit: { threshold: 2 } }),
    cpus,
    quantum: options.quantum ?? 1000,
    memory: [ram({ at: 0, size: 2 * MiB })],
    devices: [port92(), ...platform.devices],
    platform,
    ...(options.costs === undefined ? {} : { costs: options.costs }),
  });
  const words = [0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300];
  m.poke(GDT, new Uint8Array(Uint32Array.from(words).buffer));
  return m;
}

/** Starts a CPU in flat mode. */
export function startFlat(m: Machine, index: number, entry: number): void {
  const stack = 0x70000 + 0x1000 * (index + 1);
  m.cpus[index].start({ mode: "flat32", entry, stack, gdt: { base: GDT, limit: 23 } });
}

/** Puts a flat program somewhere and, for each of `cpus`, starts it there. */
export function flat(m: Machine, at: number, program: ReturnType<typeof asm>, ...cpus: number[]): void {
  m.poke(at, program.at(at).bytes);
  for (const index of cpus) startFlat(m, index, at);
}

/** A gate of the interrupt table; programs load it with {@linkcode LIDT}. */
export function gate(m: Machine, vector: number, handler: number): void {
  const gate = Uint32Array.of((8 << 16) | (handler & 0xffff), (handler & 0xffff0000) | 0x8e00);
  m.poke(IDT + 8 * vector, new Uint8Array(gate.buffer));
  m.poke(0x800, Uint8Array.of(0xff, 0x07, IDT & 0xff, IDT >> 8, 0, 0));
}

/** Address of the operand of LIDT after {@linkcode gate}. */
export const LIDT = 0x800;

/** A dword of memory. */
export function word(m: Machine, at: number): number {
  return m.read(at, 32);
}

/** Where {@linkcode adders} add with three instructions. */
export const TOTAL = 0x600;
/** Where they add with a locked one. */
export const LOCKED = 0x640;

/** Each CPU adds one to a dword many times, in one locked instruction and in three that another CPU can come between. */
export function adders(options: SmpOptions): Machine {
  const m = smp(options);
  const program = asm`
      mov ecx, 2000
    again:
      lock inc dword [${LOCKED}]
      mov eax, [${TOTAL}]
      inc eax
      mov [${TOTAL}], eax
      loop again
      lock inc dword [0x680]
      hlt
  `;
  flat(m, 0x8000, program, ...m.cpus.keys());
  return m;
}
