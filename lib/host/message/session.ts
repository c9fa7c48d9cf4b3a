/**
 * Several jobs after another over one transport. A fast process may begin the next job before a slow one has ended this
 * one: records carry the number of their job, and wait until it has begun. Warm.
 */
import type { Transport } from "../../vmi/message/transport.ts";

/** Divides a transport among jobs. */
export class Sessions {
  readonly #base: Transport;
  #number = 0;
  #early: { readonly number: number; readonly from: number; readonly record: Uint8Array }[] = [];

  /** Takes a transport. @param base Closed by its owner, not here. */
  constructor(base: Transport) {
    this.#base = base;
  }

  /** The transport of the next job; all processes ask for the same number of them. */
  next(): Transport {
    const base = this.#base;
    const number = ++this.#number;
    const poll = (deliver: (from: number, record: Uint8Array) => void): number => {
      const now = this.#early.filter((e) => e.number === number);
      this.#early = this.#early.filter((e) => e.number > number);
      for (const { from, record } of now) deliver(from, record);
      let count = now.length;
      base.poll((from, bytes) => {
        const n = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
        const record = bytes.subarray(4);
        if (n === number) {
          count++;
          deliver(from, record);
        } else if (n > number) this.#early.push({ number: n, from, record });
      });
      return count;
    };
    return {
      medium: base.medium,
      process: base.process,
      processes: base.processes,
      copies: true, // the record goes into a longer one
      send(to, record): void {
        const out = new Uint8Array(4 + record.length);
        new DataView(out.buffer).setUint32(0, number, true);
        out.set(record, 4);
        base.send(to, out);
      },
      poll,
      sleep: (ms) => this.#early.some((e) => e.number === number) ? Promise.resolve() : base.sleep(ms),
      get queued(): number {
        return base.queued;
      },
      get broken(): string | undefined {
        return base.broken;
      },
      get lost(): ReadonlyMap<number, string> {
        return base.lost ?? new Map();
      },
      close: () => Promise.resolve(),
    };
  }
}
