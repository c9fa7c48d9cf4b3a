/** A bus master at its simplest, for guests that write their tables with a device. */
import type { Device, DeviceHost } from "../../../mod.ts";

/** A device that copies four bytes to where port 0x6f0 says when port 0x6f4 is written. */
export class Copier implements Device {
  readonly name: string = "copier";
  #at = 0;
  attach(host: DeviceHost): void {
    host.ports.map(0x6f0, 8, this.name, {
      widths: [32],
      read: () => this.#at,
      write: (port, value) => {
        if (port === 0x6f0) this.#at = value;
        else {
          const bytes = new Uint8Array(4);
          new DataView(bytes.buffer).setUint32(0, value, true);
          host.memory.writePhysical(this.#at, bytes);
        }
      },
    });
  }
  reset(): void {}
  save(): { version: number; fields: Record<string, number> } {
    return { version: 1, fields: { at: this.#at } };
  }
  load(): void {}
}
