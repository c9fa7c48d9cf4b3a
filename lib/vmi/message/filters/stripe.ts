/**
 * Composite `stripe`: several networks at once. Small frames take the child that is free first; larger ones are cut into
 * pieces in proportion to the children's bandwidth. The receiver joins pieces and lets frames go in their order. A frame
 * of which a piece never comes is given up after `gapUs`; to have it sent again, place `reliable` or `failover` above.
 * Warm.
 */
import type { LayerTimer } from "../event_queue.ts";
import { decodeExtensions, encodeExtensions, type Frame, getU64, setU64 } from "../frame.ts";
import type { Link, LinkHost, MessageModule, ModuleHost, Parameters } from "../module.ts";

/** The module. */
export const stripe: MessageModule = {
  name: "stripe",
  abi: 1,
  holdsUp: false,
  kind: "composite",
  parameters: [
    { name: "threshold", type: "number", default: 16384, min: 1, max: 2 ** 30, integer: true },
    { name: "piece", type: "number", default: 4096, min: 64, max: 2 ** 30, integer: true },
    { name: "gapUs", type: "number", default: 0, min: 0, max: 1e9 },
  ],
  check: ({ threshold, piece }) =>
    Number(piece) > Number(threshold)
      ? `piece is ${piece}, more than the threshold of ${threshold} from which frames are cut`
      : undefined,
  create: (p, node) => ({ open: (host) => new Stripe(p, node, host) }),
};

/** Number, offset, total of the body; 8 bytes each. */
const HEADER = 24;
/** Assumed where a child says nothing; bytes a second. */
const UNKNOWN_RATE = 1e9;
/** Frames that may wait for an earlier one. */
const WINDOW = 4096;

interface Joining {
  readonly frame: Frame;
  readonly body: Uint8Array;
  readonly have: Set<number>;
  left: number;
}

class Stripe implements Link {
  readonly #host: LinkHost;
  readonly #node: ModuleHost;
  readonly #threshold: number;
  readonly #piece: number;
  readonly #gap: number;
  readonly #rates: readonly number[];
  readonly #free: number[];
  readonly #joining: Map<number, Joining> = new Map();
  readonly #timer: LayerTimer;
  readonly #sent: number[];
  #number = 0;
  #expected = 1;
  #waitsFor = 0;
  #given = 0;

  constructor(p: Parameters, node: ModuleHost, host: LinkHost) {
    this.#host = host;
    this.#node = node;
    this.#threshold = Number(p["threshold"]);
    this.#piece = Number(p["piece"]);
    const slowest = host.children.reduce((t, c) => Math.max(t, c.reach.latencyNs), 1000);
    this.#gap = Number(p["gapUs"]) * 1000 || (node.isVirtual ? 50 * slowest : 1e9);
    this.#rates = host.children.map((c) =>
      Number.isFinite(c.reach.bytesPerSecond) ? c.reach.bytesPerSecond : UNKNOWN_RATE
    );
    this.#free = host.children.map(() => 0);
    this.#sent = host.children.map(() => 0);
    this.#timer = node.timer(() => this.#giveUp());
  }

  down(frame: Frame): void {
    const number = ++this.#number;
    const extensions = encodeExtensions(frame.extensions);
    const body = new Uint8Array(4 + extensions.length + frame.payload.length);
    new DataView(body.buffer).setUint32(0, extensions.length, true);
    body.set(extensions, 4);
    body.set(frame.payload, 4 + extensions.length);
    let at = 0;
    for (const [child, size] of this.#split(body.length)) {
      const head = new Uint8Array(HEADER);
      const view = new DataView(head.buffer);
      setU64(view, 0, number);
      setU64(view, 8, at);
      setU64(view, 16, body.length);
      const part = { ...frame, extensions: [], payload: body.subarray(at, at + size) };
      this.#sent[child] += size;
      this.#free[child] = Math.max(this.#free[child], this.#node.now()) + (size * 1e9) / this.#rates[child];
      this.#host.children[child].send(this.#host.mark(part, head));
      at += size;
    }
  }

  up(_frame: Frame): void {}

  upFrom(_index: number, marked: Frame): void {
    const own = this.#host.unmark(marked);
    if (own === undefined || own.data.length !== HEADER) return;
    const view = new DataView(own.data.buffer, own.data.byteOffset, HEADER);
    const [number, offset, total] = [getU64(view, 0), getU64(view, 8), getU64(view, 16)];
    const { payload } = own.frame;
    if (number < this.#expected || number >= this.#expected + WINDOW) return;
    if (total > 2 ** 30 || offset + payload.length > total) return;
    let j = this.#joining.get(number);
    if (j === undefined) {
      this.#joining.set(number, j = { frame: own.frame, body: new Uint8Array(total), have: new Set(), left: total });
    }
    if (j.body.length !== total || j.have.has(offset)) return;
    j.have.add(offset);
    j.body.set(payload, offset);
    j.left -= payload.length;
    this.#release();
  }

  control(request: { readonly kind: string }): { readonly [name: string]: number | readonly number[] } | undefined {
    return request.kind === "query"
      ? { sent: this.#sent.slice(), waiting: this.#joining.size, given: this.#given }
      : undefined;
  }

  close(): void {
    this.#timer.cancel();
  }

  /** Which child gets how many bytes, in order. */
  #split(size: number): readonly (readonly [child: number, size: number])[] {
    const usable = this.#host.children.map((_, i) => i).filter((i) => this.#host.children[i].reach.bytesPerSecond > 0);
    if (size < this.#threshold || usable.length < 2) {
      const now = this.#node.now();
      const soonest = (i: number): number => Math.max(this.#free[i], now) + this.#host.children[i].reach.latencyNs;
      const best = usable.reduce((a, b) => soonest(b) < soonest(a) ? b : a, usable[0] ?? 0);
      return [[best, size]];
    }
    const all = usable.reduce((sum, i) => sum + this.#rates[i], 0);
    const out: [number, number][] = [];
    let left = size;
    for (const [k, i] of usable.entries()) {
      const share = k === usable.length - 1 ? left : Math.floor((size * this.#rates[i]) / all / 64) * 64;
      const n = share < this.#piece && k < usable.length - 1 ? 0 : Math.min(left, share);
      if (n > 0) out.push([i, n]);
      left -= n;
    }
    return out;
  }

  #release(): void {
    while (true) {
      const j = this.#joining.get(this.#expected);
      if (j === undefined || j.left > 0) break;
      this.#joining.delete(this.#expected++);
      this.#deliver(j);
    }
    if (this.#joining.size === 0) return this.#timer.cancel();
    if (this.#timer.isArmed && this.#waitsFor === this.#expected) return;
    this.#waitsFor = this.#expected;
    this.#timer.armAt(this.#node.now() + this.#gap);
  }

  #deliver(j: Joining): void {
    const { body } = j;
    if (body.length < 4) return;
    const size = new DataView(body.buffer, body.byteOffset, body.byteLength).getUint32(0, true);
    const extensions = 4 + size <= body.length ? decodeExtensions(body.subarray(4, 4 + size)) : undefined;
    if (extensions !== undefined) this.#host.up({ ...j.frame, extensions, payload: body.subarray(4 + size) });
  }

  /** What is expected did not come: on to the earliest frame that is whole. */
  #giveUp(): void {
    const whole = [...this.#joining].filter(([, j]) => j.left === 0).map(([n]) => n);
    const next = whole.length > 0 ? Math.min(...whole) : Math.max(...this.#joining.keys()) + 1;
    for (const n of this.#joining.keys()) if (n < next) this.#joining.delete(n);
    this.#given += next - this.#expected;
    this.#expected = next;
    this.#release();
  }
}
