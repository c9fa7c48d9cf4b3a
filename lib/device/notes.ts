/**
 * What a guest touched of a device that is not emulated: an entry in the machine's trace, each text once between two
 * resets, so that a guest that insists does not push everything else out of it. Cold.
 */
import type { DeviceHost } from "../core/device.ts";

/** Most different texts of one device. */
const MOST = 64;

/** Notes of one device. */
export class Notes {
  readonly #name: string;
  readonly #seen: Set<string> = new Set();
  #host: DeviceHost | undefined;

  /** Makes them. @param name Name of the device. */
  constructor(name: string) {
    this.#name = name;
  }

  /** From now on notes go somewhere. */
  attach(host: DeviceHost): void {
    this.#host = host;
  }

  /** Notes it unless it was noted already. */
  once(text: string): void {
    if (this.#seen.has(text) || this.#seen.size >= MOST) return;
    this.#seen.add(text);
    this.#host?.trace(this.#name, text);
  }

  /** The same, if it is so. */
  when(isSo: boolean, text: string): void {
    if (isSo) this.once(text);
  }

  /** Forgets what was noted. */
  reset(): void {
    this.#seen.clear();
  }
}
