/**
 * The card's configuration space: identity, the bus-master bit, and its two ways to interrupt: the wire of pin INTA, or,
 * when the guest has enabled that, a message (PCI Local Bus Specification 2.2, section 6.8: one vector, 32-bit address).
 * A message is a write to memory: to the local APICs' range it is an interrupt, elsewhere it is a word in RAM. Cold.
 */
import type { IrqLine } from "../../../core/bus.ts";
import { ADAPTER_PCI } from "../../../spec/message_abi.ts";

const STATUS = 0x06;
const CAPABILITIES = 0x34;
const INTERRUPT_PIN = 0x3d;
/** Where the MSI capability lies. */
const MSI = 0x50;
const MSI_ID = 5;

/** Bits of the command register: memory, bus master, no wire. */
const Command = { memory: 2, master: 4, wireOff: 0x400 } as const;

/** What a function needs of its card. */
export interface FunctionHost {
  /** Writes the word of a message where the guest has said. */
  message(address: number, data: number): void;
  /** The guest has set or cleared the bus-master bit. */
  mastering(): void;
  /** The guest has changed the space: it may reach the card's memory now. */
  decoding(): void;
}

/** Configuration space of the card. */
export class CardSpace {
  /** At reset; 256 bytes. */
  readonly config: Uint8Array = new Uint8Array(256);
  /** Bits the guest may change; 256 bytes. */
  readonly writable: Uint8Array = new Uint8Array(256);
  /** The wire of INTA. */
  line: IrqLine | undefined;
  readonly #host: FunctionHost;
  #space: Uint8Array = this.config;
  #level = false;
  #wire = false;
  #master = false;

  /** Makes it. @param host The card. */
  constructor(host: FunctionHost) {
    this.#host = host;
    const view = new DataView(this.config.buffer);
    view.setUint16(0, ADAPTER_PCI.vendor, true);
    view.setUint16(2, ADAPTER_PCI.device, true);
    view.setUint32(8, (ADAPTER_PCI.classCode << 8) | ADAPTER_PCI.revision, true);
    this.config[STATUS] = 0x10; // there are capabilities
    this.config[CAPABILITIES] = MSI;
    this.config[INTERRUPT_PIN] = 1;
    this.config[MSI] = MSI_ID;
    const writable = new DataView(this.writable.buffer);
    writable.setUint16(4, Command.memory | Command.master | Command.wireOff, true);
    writable.setUint16(0x0c, 0xffff, true);
    this.writable[0x3c] = 0xff;
    writable.setUint16(MSI + 2, 1, true);
    writable.setUint32(MSI + 4, 0xfffffffc, true);
    writable.setUint16(MSI + 8, 0xffff, true);
  }

  /** May the card read and write the node's memory by itself? */
  get master(): boolean {
    return this.#master;
  }

  /** Has the guest mapped the card's memory? */
  get decodes(): boolean {
    return (this.#u16(4) & Command.memory) !== 0;
  }

  /** The guest changed the space, or it was reset or restored. */
  changed(space: Uint8Array): void {
    this.#space = space;
    this.#drive();
    this.#host.decoding();
    const master = (this.#u16(4) & Command.master) !== 0;
    if (master === this.#master) return;
    this.#master = master;
    this.#host.mastering();
  }

  /** The adapter wants attention, or no longer does. */
  interrupt(level: boolean): void {
    const rises = level && !this.#level;
    this.#level = level;
    this.#drive();
    if (rises && this.#isMsi && this.#master) {
      const view = new DataView(this.#space.buffer, this.#space.byteOffset, 256);
      this.#host.message(view.getUint32(MSI + 4, true), view.getUint16(MSI + 8, true));
    }
  }

  get #isMsi(): boolean {
    return (this.#u16(MSI + 2) & 1) !== 0;
  }

  /** The wire follows the level unless messages are on or the guest has turned it off. */
  #drive(): void {
    const wire = this.#level && !this.#isMsi && (this.#u16(4) & Command.wireOff) === 0;
    if (wire === this.#wire) return;
    this.#wire = wire;
    this.line?.set(wire);
  }

  #u16(at: number): number {
    return (this.#space[at] ?? 0) | ((this.#space[at + 1] ?? 0) << 8);
  }
}
