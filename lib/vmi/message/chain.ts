/**
 * Chain: the layers of one connection at one end, from the runtime down to its networks. A chain is a list of links;
 * the last is a network, or a composite whose children are lists of the same kind.
 *
 * Filters may be added and removed while frames are in flight: each change makes a new list under a new epoch, and
 * every frame goes down and up by the list of the epoch it was sent under, so both ends always apply the same filters
 * to it, however late it arrives. Warm.
 */
import { InternalError } from "../../core/errors.ts";
import { type Extension, type Frame, frameSize } from "./frame.ts";
import type { ChildPort, ControlAnswer, Link, LinkHost, MessageDevice, NetAddress, Reach } from "./module.ts";
import type { LinkEvent } from "./module.ts";
import type { Status } from "../../spec/message_abi.ts";

/** One layer of a chain description: a device, and for a composite its children. */
export interface LayerPlan {
  /** Name of the device in the spec. */
  readonly device: string;
  /** What it is. */
  readonly kind: "network" | "filter" | "composite";
  /** Children of a composite. */
  readonly children: readonly (readonly LayerPlan[])[];
}

/** What a chain needs of its connection. */
export interface ChainHost {
  /** This end. */
  readonly local: NetAddress;
  /** The other end. */
  readonly remote: NetAddress;
  /** Number of the chain in the spec. */
  readonly chain: number;
  /** The node's device by name. */
  device(name: string): MessageDevice;
  /** Time, ns. */
  now(): number;
  /** A frame leaves by a network. */
  transmit(device: string, frame: Frame, delayNs: number): void;
  /** A frame came up through all layers. */
  received(frame: Frame): void;
  /** Something happened below. */
  event(event: LinkEvent): void;
  /** The connection cannot go on. */
  fail(status: Status): void;
}

interface Slot {
  readonly name: string;
  readonly layer: number;
  link: Link;
  close(): void;
}

/** Lists that are remembered for frames in flight. */
const EPOCHS_KEPT = 64;
/** Layer numbers of filters added later begin here. */
const ADDED = 0x1000;

class Segment {
  readonly #lists: Map<number, readonly Slot[]> = new Map();
  #current: readonly Slot[] = [];
  readonly #top: (frame: Frame) => void;

  constructor(top: (frame: Frame) => void) {
    this.#top = top;
  }

  get current(): readonly Slot[] {
    return this.#current;
  }

  setList(epoch: number, list: readonly Slot[]): void {
    this.#lists.set(epoch, list);
    this.#current = list;
    this.#lists.delete(epoch - EPOCHS_KEPT);
  }

  hasEpoch(epoch: number): boolean {
    return this.#lists.has(epoch);
  }

  descend(from: Slot | undefined, frame: Frame): void {
    const list = this.#lists.get(frame.epoch) ?? this.#current;
    const index = from === undefined ? 0 : list.indexOf(from) + 1;
    const next = list[index];
    if (next === undefined) throw new InternalError("A network passed a frame down instead of transmitting it");
    next.link.down(frame);
  }

  ascend(from: Slot, frame: Frame): void {
    const list = this.#lists.get(frame.epoch) ?? this.#current;
    const index = list.indexOf(from);
    if (index < 0) return;
    if (index === 0) this.#top(frame);
    else list[index - 1].link.up(frame);
  }

  forget(epoch: number): void {
    const before = this.#lists.get(epoch - 1);
    if (before === undefined || !this.#lists.delete(epoch)) return;
    this.#current = before;
  }

  get slots(): ReadonlySet<Slot> {
    return new Set([...this.#lists.values()].flat());
  }
}

/** The layers of one connection at one end. */
export class Chain {
  /** Epoch under which new frames are sent. */
  epoch = 0;
  readonly #host: ChainHost;
  readonly #top: Segment;
  readonly #networks: Map<string, Slot> = new Map();
  readonly #segments: Segment[] = [];
  #layers = 0;

  /** Opens all links. @param plan The description. @param host The connection. */
  constructor(plan: readonly LayerPlan[], host: ChainHost) {
    this.#host = host;
    this.#top = this.#segment(plan, (frame) => host.received(frame)).segment;
  }

  /** How well the chain reaches the peer: the best of its networks. */
  get reach(): Reach {
    return this.#reach;
  }
  #reach: Reach = { latencyNs: 0, bytesPerSecond: Infinity, maxFrame: 2 ** 30 };

  /** Names of the layers of the current list, top first. */
  get names(): readonly string[] {
    return this.#top.current.map((s) => s.name);
  }

  /** One-way latency as configured: that of the network and of every layer above it, ns. */
  get latencyNs(): number {
    return this.#top.current.reduce((sum, s) => sum + (s.link.latencyNs ?? 0), this.#reach.latencyNs);
  }

  /** Bytes held on their way down. */
  get queued(): number {
    let sum = 0;
    for (const segment of this.#segments) for (const { link } of segment.current) sum += link.queued ?? 0;
    return sum;
  }

  /** Sends a frame from the top. */
  down(frame: Frame): void {
    this.#top.descend(undefined, frame);
  }

  /** A frame arrived by a network of this chain; false: the chain has no such network, or does not know the epoch. */
  arrive(device: string, frame: Frame): boolean {
    const slot = this.#networks.get(device);
    if (slot === undefined || !this.#top.hasEpoch(frame.epoch)) return false;
    slot.link.up(frame);
    return true;
  }

  /** The program took data. */
  consumed(frames: number, bytes: number): void {
    for (const { link } of this.#top.current) link.consumed?.(frames, bytes);
  }

  /** A layer's link by the name of its device, wherever it is in the chain. */
  find(name: string): Link | undefined {
    for (const s of this.#segments) for (const slot of s.current) if (slot.name === name) return slot.link;
    return undefined;
  }

  /** What every layer says of itself, by name. */
  query(): { readonly [name: string]: ControlAnswer } {
    const out: { [name: string]: ControlAnswer } = {};
    for (const s of this.#segments) {
      for (const { name, link } of s.current) {
        const said = link.control?.({ kind: "query" });
        if (said !== undefined) out[name] = said;
      }
    }
    return out;
  }

  /** Adds a filter at `position` (0: the top) under a new epoch, without sending under it yet. */
  prepareInsert(epoch: number, position: number, device: string): void {
    const list = this.#top.current;
    const at = Math.min(position, list.length - 1);
    const slot = this.#slot(device, ADDED + (epoch & 0xfff), this.#top, [], this.#reach);
    this.#top.setList(epoch, [...list.slice(0, at), slot, ...list.slice(at)]);
  }

  /** Takes the topmost filter of that device out under a new epoch; false: there is none, or it is no filter. */
  prepareRemove(epoch: number, device: string): boolean {
    const list = this.#top.current;
    const at = list.findIndex((s) => s.name === device);
    if (at < 0 || at === list.length - 1) return false;
    this.#top.setList(epoch, list.filter((_, i) => i !== at));
    return true;
  }

  /** The change under this epoch does not take place. */
  forget(epoch: number): void {
    this.#top.forget(epoch);
  }

  /** Lets go of every held frame. */
  quiesce(): void {
    for (const s of this.#segments) for (const { link } of s.current) link.quiesce?.();
  }

  /** Cancels everything. */
  close(): void {
    for (const s of this.#segments) for (const slot of s.slots) slot.close();
  }

  #segment(plan: readonly LayerPlan[], top: (frame: Frame) => void): { segment: Segment; reach: Reach; name: string } {
    const segment = new Segment(top);
    this.#segments.push(segment);
    const list: Slot[] = new Array(plan.length);
    let reach = this.#reach;
    let name = "";
    // Bottom first, so that each link knows what it stands on.
    const first = this.#layers;
    this.#layers += plan.length;
    for (let i = plan.length - 1; i >= 0; i--) {
      const { device, kind, children } = plan[i];
      if (kind === "network") reach = this.#networkReach(device);
      const ports: ChildPort[] = [];
      const layer = first + i;
      for (const [index, child] of children.entries()) {
        const below = this.#segment(child, (frame) => list[i].link.upFrom?.(index, frame));
        ports.push({ name: below.name, reach: below.reach, send: (f) => below.segment.descend(undefined, f) });
      }
      if (kind === "composite") reach = best(ports);
      if (i === plan.length - 1) name = device;
      list[i] = this.#slot(device, layer, segment, ports, reach);
      if (kind === "network") this.#networks.set(device, list[i]);
    }
    this.#reach = reach;
    segment.setList(0, list);
    return { segment, reach, name };
  }

  #networkReach(device: string): Reach {
    const reach = this.#host.device(device).reach?.(this.#host.remote);
    return reach ?? { latencyNs: 0, bytesPerSecond: 0, maxFrame: 65536 };
  }

  #slot(device: string, layer: number, segment: Segment, children: readonly ChildPort[], reach: Reach): Slot {
    const host = this.#host;
    let open = true;
    const mine = 0x8000 | layer;
    const links: LinkHost = {
      local: host.local,
      remote: host.remote,
      layer,
      reach,
      children,
      down: (frame) => segment.descend(slot, frame),
      up: (frame) => segment.ascend(slot, frame),
      transmit: (frame, delayNs) => open && host.transmit(device, frame, delayNs),
      make: (type, data, payload = new Uint8Array(0)) => ({
        type,
        flags: 0,
        chain: host.chain,
        source: host.local.rank,
        destination: host.remote.rank,
        sequence: 0,
        sentAt: host.now(),
        epoch: this.epoch,
        extensions: [{ type: mine, data }],
        payload,
      }),
      mark: (frame, data) => ({ ...frame, extensions: [{ type: mine, data } as Extension, ...frame.extensions] }),
      unmark: (frame) => {
        const [front, ...rest] = frame.extensions;
        if (front === undefined || front.type !== mine) return undefined;
        return { frame: { ...frame, extensions: rest }, data: front.data };
      },
      event: (event) => host.event(event),
      fail: (status) => host.fail(status),
    };
    const slot: Slot = {
      name: device,
      layer,
      link: { down: (): void => {}, up: (): void => {} },
      close: (): void => {
        open = false;
        slot.link.close?.();
      },
    };
    slot.link = host.device(device).open(links);
    return slot;
  }
}

function best(ports: readonly ChildPort[]): Reach {
  const usable = ports.filter((p) => p.reach.bytesPerSecond > 0);
  const all = usable.length === 0 ? ports : usable;
  return {
    latencyNs: Math.min(...all.map((p) => p.reach.latencyNs)),
    bytesPerSecond: all.reduce((sum, p) => sum + p.reach.bytesPerSecond, 0),
    maxFrame: Math.min(...all.map((p) => p.reach.maxFrame)),
  };
}

/** Bytes of a list of frames, for links that hold some. */
export function heldBytes(frames: Iterable<Frame>): number {
  let sum = 0;
  for (const f of frames) sum += frameSize(f);
  return sum;
}
