/**
 * Filter `credit`: flow control. The receiver grants frames and bytes; the sender holds what is beyond them and goes on
 * when the program at the other end has taken data. So a peer that stops reading stops its senders, and memory stays
 * bounded. A frame larger than all credit passes alone. Warm.
 */
import { FrameType } from "../../../spec/message_abi.ts";
import type { Link, LinkHost, MessageModule } from "../module.ts";
import { type Frame, getU64, setU64, WAITING_FRAME } from "../frame.ts";

/** The module. */
export const credit: MessageModule = {
  name: "credit",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [
    { name: "frames", type: "number", default: 64, min: 1, max: 1e6, integer: true },
    { name: "bytes", type: "number", default: 1 << 20, min: 1, max: 2 ** 40, integer: true },
  ],
  create: (p) => ({ open: (host) => new Credit(host, Number(p["frames"]), Number(p["bytes"])) }),
};

class Credit implements Link {
  readonly #host: LinkHost;
  readonly #frames: number;
  readonly #bytes: number;
  readonly #held: Frame[] = [];
  #heldBytes = 0;
  // All four count since the beginning, so that a lost or repeated grant does no harm.
  #sentFrames = 0;
  #sentBytes = 0;
  #takenFrames = 0;
  #takenBytes = 0;
  #grantedFrames = 0;
  #grantedBytes = 0;
  #toldFrames = 0;
  #toldBytes = 0;

  constructor(host: LinkHost, frames: number, bytes: number) {
    this.#host = host;
    this.#frames = frames;
    this.#bytes = bytes;
  }

  get queued(): number {
    return this.#heldBytes + this.#held.length * WAITING_FRAME;
  }

  down(frame: Frame): void {
    if (frame.sequence === 0) return this.#host.down(frame);
    if (this.#held.length === 0 && this.#allows(frame)) return this.#send(frame);
    this.#held.push(frame);
    this.#heldBytes += frame.payload.length;
  }

  up(frame: Frame): void {
    const own = this.#host.unmark(frame);
    if (own === undefined || frame.type !== FrameType.credit || own.data.length !== 16) return this.#host.up(frame);
    const view = new DataView(own.data.buffer, own.data.byteOffset, 16);
    this.#grantedFrames = Math.max(this.#grantedFrames, getU64(view, 0));
    this.#grantedBytes = Math.max(this.#grantedBytes, getU64(view, 8));
    this.#release();
  }

  consumed(frames: number, bytes: number): void {
    this.#takenFrames += frames;
    this.#takenBytes += bytes;
    const due = this.#takenFrames - this.#toldFrames >= Math.max(1, this.#frames / 4) ||
      this.#takenBytes - this.#toldBytes >= this.#bytes / 4;
    if (!due) return;
    this.#toldFrames = this.#takenFrames;
    this.#toldBytes = this.#takenBytes;
    const data = new Uint8Array(16);
    const view = new DataView(data.buffer);
    setU64(view, 0, this.#takenFrames);
    setU64(view, 8, this.#takenBytes);
    this.#host.down(this.#host.make(FrameType.credit, data));
  }

  control(request: { readonly kind: string }): { readonly [name: string]: number } | undefined {
    if (request.kind !== "query") return undefined;
    return { frames: this.#frames, bytes: this.#bytes, held: this.#held.length, heldBytes: this.#heldBytes };
  }

  quiesce(): void {
    while (this.#held.length > 0) this.#next();
  }

  #allows(frame: Frame): boolean {
    const frames = this.#sentFrames - this.#grantedFrames;
    const bytes = this.#sentBytes - this.#grantedBytes;
    // What the peer has taken and not yet told of is less than a quarter: so little never stops a frame, however large.
    return frames < this.#frames && (bytes < this.#bytes / 4 || bytes + frame.payload.length <= this.#bytes);
  }

  #send(frame: Frame): void {
    this.#sentFrames++;
    this.#sentBytes += frame.payload.length;
    this.#host.down(frame);
  }

  #next(): void {
    const frame = this.#held.shift();
    if (frame === undefined) return;
    this.#heldBytes -= frame.payload.length;
    this.#send(frame);
  }

  #release(): void {
    while (this.#held.length > 0 && this.#allows(this.#held[0])) this.#next();
  }
}
