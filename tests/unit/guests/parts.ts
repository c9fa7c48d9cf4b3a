/** The least hardware the minikernel needs: a serial port that is always ready and one interrupt line. */
import type { InterruptController, IrqLine } from "../../../lib/core/bus.ts";
import type { Section } from "../../../lib/core/component.ts";
import type { Device, DeviceHost } from "../../../lib/core/device.ts";
import type { Platform } from "../../../lib/machine/platform.ts";

/** What the guest has printed, and what it is to read. */
export class Uart implements Device {
  readonly name: string = "uart";
  readonly input: number[] = [];
  text = "";
  attach(host: DeviceHost): void {
    host.ports.map(0x3f8, 8, "uart", {
      read: (port) => {
        if (port === 0x3fd) return 0x60 | (this.input.length > 0 ? 1 : 0);
        return port === 0x3f8 ? this.input.shift() ?? 0 : 0;
      },
      write: (port, value) => {
        // The divisor (1) and the baud rate's high byte (0) go to the same port as characters.
        if (port === 0x3f8 && value >= 10) this.text += String.fromCharCode(value);
      },
    });
  }
  reset(): void {}
  save(): Section {
    return { version: 1, fields: { text: this.text } };
  }
  load(section: Section): void {
    this.text = section.fields["text"] as string;
  }
}

/** Line 0 is vector 0x20; an edge stays pending until it is taken. */
export class OneLine implements Platform, InterruptController {
  pending = false;
  #changed: () => void = () => {};
  acknowledge(): number {
    this.pending = false;
    this.#changed();
    return 0x20;
  }
  interrupts(): InterruptController {
    return this;
  }
  listen(changed: () => void): void {
    this.#changed = changed;
  }
  irq(n: number): IrqLine {
    return {
      set: (level) => {
        if (n !== 0 || !level) return;
        this.pending = true;
        this.#changed();
      },
    };
  }
}
