/**
 * A device: a component that is attached once to the machine's ports, memory, clock and interrupt lines. It constructs
 * no neighbour: everything it needs comes through {@linkcode DeviceHost}. Cold.
 */
import type { GuestMemory, IrqLine, MmioMap, PortMap } from "./bus.ts";
import type { Clock } from "./clock.ts";
import type { Component } from "./component.ts";

/** What a guest asked of the platform that ends or restarts the run. */
export type PlatformRequest = "reset" | "power-off";

/** What a machine offers its devices. */
export interface DeviceHost {
  /** I/O ports. */
  readonly ports: PortMap;
  /** Memory-mapped ranges. */
  readonly mmio: MmioMap;
  /** Guest RAM for bus masters. */
  readonly memory: GuestMemory;
  /** Virtual time. */
  readonly clock: Clock;
  /** Interrupt request line `n` (0-15 ISA, 16-23 PCI through an IO-APIC) of the platform's controllers. */
  irq(n: number): IrqLine;
  /** Ends the current slice and asks for a reset or power-off at this instruction boundary. */
  request(what: PlatformRequest): void;
  /** Switches address line 20: false makes physical bit 20 read as zero. */
  setA20(enabled: boolean): void;
  /** Leaves an entry in the machine's trace, e.g. `trace("pit", "mode 4 not emulated")`. */
  trace(device: string, text: string): void;
  /**
   * Ends the run with the stop reason `unimplemented`: the guest touched something that is not emulated and cannot be
   * ignored.
   */
  unimplemented(device: string, what: string): void;
}

/** A device. */
export interface Device extends Component {
  /** Called once, before the first reset. */
  attach(host: DeviceHost): void;
}
