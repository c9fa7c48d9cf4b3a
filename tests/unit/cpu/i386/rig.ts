/** A CPU with an engine on 64 KiB of RAM, and the modes in which engines are compared. */
import { HookTable } from "../../../../lib/core/hooks.ts";
import { I386Cpu } from "../../../../lib/cpu/i386/cpu.ts";
import type { EngineFactory } from "../../../../lib/cpu/i386/engine.ts";
import type { Model } from "../../../../lib/cpu/i386/model.ts";
import { readEflags } from "../../../../lib/cpu/i386/flags.ts";
import { Layout, Seg } from "../../../../lib/cpu/i386/state.ts";
import { TLB_BYTES } from "../../../../lib/cpu/i386/tlb.ts";
import { AddressSpace } from "../../../../lib/memory/address_space.ts";
import { ram } from "../../../../lib/memory/region.ts";
import { FAKE_MODEL, FakeBus } from "./fake_context.ts";

const KIB64 = 0x10000;

/** A CPU on 64 KiB of RAM without an interrupt table: the first fault ends in shutdown. */
export class Rig {
  /** The CPU. */
  readonly cpu: I386Cpu;
  /** Its memory. */
  readonly space: AddressSpace;
  /** Ports and effects. */
  readonly bus: FakeBus = new FakeBus();

  /** @param engine Who executes. @param model Which processor. */
  constructor(engine: EngineFactory, model: Model = FAKE_MODEL) {
    const at = KIB64 + TLB_BYTES + engine.workBytes, pages = (at + KIB64) / KIB64;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.space = new AddressSpace(memory, at);
    this.space.add(ram({ at: 0, size: KIB64 }));
    const hooks = new HookTable();
    const board = { memory, stateAt: 4096, workAt: KIB64, space: this.space, bus: this.bus, interrupts: undefined };
    this.cpu = new I386Cpu("cpu0", { ...board, hooks, index: 0 }, model, engine);
    this.space.codeWritten = (pfn, from, to) => this.cpu.codeWritten(pfn, from, to);
    this.space.codeMarked = (pfn) => this.cpu.codeMarked(pfn);
  }

  /** Everything a program can change. */
  outcome(exit: string): unknown {
    const { cpu, bus } = this, s = cpu.state;
    const memory = new Uint8Array(KIB64);
    this.space.readPhysical(0, memory);
    let hash = 0;
    for (const v of memory) hash = (Math.imul(hash, 31) + v) | 0;
    const regs = [...Array(8).keys()].map((n) => (s.reg32(n) >>> 0).toString(16));
    return {
      exit,
      regs,
      eip: s.get(Layout.eip) >>> 0,
      flags: readEflags(s),
      ticks: cpu.instructions,
      hash,
      log: bus.log,
    };
  }
}

/** Segments of a mode. */
export interface Mode {
  /** For messages. */
  readonly name: string;
  /** CR0.PE. */
  readonly protect: boolean;
  /** Base, limit, D/B of CS, SS, DS, ES. */
  readonly segments: readonly (readonly [number, number, boolean])[];
}

const FLAT = [0, 0xffffffff, true] as const;
/** Modes that differ in how code is translated. */
export const MODES: readonly Mode[] = [
  { name: "flat 32-bit", protect: true, segments: [FLAT, FLAT, FLAT, FLAT] },
  {
    name: "real",
    protect: false,
    segments: [[0, 0xffff, false], [0x1000, 0xffff, false], [0x2000, 0xffff, false], [0x300, 0xffff, false]],
  },
  {
    name: "32-bit, data not flat",
    protect: true,
    segments: [FLAT, FLAT, [0x2000, 0x7fff, true], [0x100, 0xefff, true]],
  },
  { name: "32-bit, 16-bit stack", protect: true, segments: [FLAT, [0, 0xffff, false], FLAT, FLAT] },
  { name: "16-bit code, flat data", protect: true, segments: [[0, 0xffff, false], FLAT, FLAT, FLAT] },
  { name: "32-bit code with base and limit", protect: true, segments: [[0x1000, 0x5fff, true], FLAT, FLAT, FLAT] },
];

/** Sets the segments. */
export function setMode(cpu: I386Cpu, mode: Mode): void {
  const s = cpu.state;
  s.set(Layout.cr0, mode.protect ? 0x11 : 0x10);
  s.set(Layout.idtLimit, 0);
  [1, 2, 3, 0].forEach((n, i) => {
    const [base, limit, big] = mode.segments[i];
    s.setSeg(n, Seg.selector, mode.protect ? 8 : base >>> 4);
    s.setSeg(n, Seg.base, base);
    s.setSeg(n, Seg.limit, limit | 0);
    s.setSeg(n, Seg.access, (n === 1 ? 0x9b00 : 0x9300) | (big ? 0x400000 : 0));
    s.setSeg(n, Seg.lo, 0);
    s.setSeg(n, Seg.hi, limit | 0);
    s.setSeg(n, Seg.rights, 7);
  });
  cpu.modeChanged();
}
