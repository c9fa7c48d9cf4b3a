/**
 * The contract of device modules: what a network, a filter or a composite is, and what it is given. A user's own device
 * is an object of this shape; the ones that ship are written against it as well.
 *
 * A module makes one device per node; the device opens one link per connection. Frames go down the links of a chain to
 * a network and up again at the peer. Contracts only. Cold.
 */
import type { Status } from "../../spec/message_abi.ts";
import type { LayerTimer } from "./event_queue.ts";
import type { Frame } from "./frame.ts";

/** Where a rank is. */
export interface NetAddress {
  /** Rank in the job. */
  readonly rank: number;
  /** Cluster it belongs to. */
  readonly cluster: number;
  /** Host process or Worker that runs it. */
  readonly process: number;
}

/** How well a network reaches a peer. */
export interface Reach {
  /** One way, ns. */
  readonly latencyNs: number;
  /** Bytes a second; `Infinity`: not limited. */
  readonly bytesPerSecond: number;
  /** Largest payload of one frame. */
  readonly maxFrame: number;
}

/** A parameter's value. */
export type ParameterValue = number | string | boolean | readonly ParameterValue[];

/** Parameters by name, checked and with defaults filled in. */
export type Parameters = { readonly [name: string]: ParameterValue };

/** What a parameter may be. */
export interface ParameterRule {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: "number" | "string" | "boolean" | "list";
  /** Value when left out; undefined: it must be given. */
  readonly default?: ParameterValue;
  /** Least number. */
  readonly min?: number;
  /** Largest number. */
  readonly max?: number;
  /** Numbers must be whole. */
  readonly integer?: boolean;
  /** The only values allowed. */
  readonly choices?: readonly ParameterValue[];
  /**
   * What a list holds: numbers, pairs `[a, b]` of numbers, ranges `[from, to]`, or pairs of ranks of the job. Absent:
   * anything.
   */
  readonly items?: "number" | "pair" | "range" | "ranks";
}

/** What a device sees of its node. */
export interface ModuleHost {
  /** This node. */
  readonly local: NetAddress;
  /** Where all ranks are. */
  readonly addresses: readonly NetAddress[];
  /** Media that carry frames to other processes of this job. */
  readonly media: ReadonlySet<string>;
  /** Ranks of the job. */
  readonly size: number;
  /** Key of the job. */
  readonly key: string;
  /** Seed of the job. */
  readonly seed: number;
  /** Is time virtual? */
  readonly isVirtual: boolean;
  /** Name of the device in the spec. */
  readonly name: string;
  /** Time of the event being handled, ns. */
  now(): number;
  /** The node's processor has to do until then, ns: its program goes on no earlier. Means nothing in real time. */
  busy(until: number): void;
  /** Makes a timer. */
  timer(fire: () => void): LayerTimer;
  /** Leaves a line in the job's log. */
  log(text: string): void;
  /** A record for the job's trace. */
  trace(record: TraceRecord): void;
}

/** What a trace filter reports. */
export interface TraceRecord {
  /** Virtual time, ns. */
  readonly time: number;
  /** Name of the device that reports. */
  readonly device: string;
  /** Rank it runs at. */
  readonly rank: number;
  /** Which way the frame went. */
  readonly direction: "down" | "up";
  /** Sender. */
  readonly source: number;
  /** Receiver. */
  readonly destination: number;
  /** See `FrameType`. */
  readonly type: number;
  /** Sequence number. */
  readonly sequence: number;
  /** Payload bytes. */
  readonly length: number;
  /** CRC-32C of the payload. */
  readonly hash: number;
  /** First bytes of the payload, in hexadecimal. */
  readonly data?: string;
}

/** Something that happened below a connection. */
export interface LinkEvent {
  /** What. */
  readonly kind: "switch" | "down" | "up" | "loss" | "gone";
  /** Name of the child or device before. */
  readonly from: string;
  /** Name of the child or device after, if any. */
  readonly to: string;
  /** Frames sent again. */
  readonly resent: number;
}

/** One child of a composite. */
export interface ChildPort {
  /** Name of its network (or lowest composite). */
  readonly name: string;
  /** How well it reaches the peer. */
  readonly reach: Reach;
  /** Sends a frame through it. */
  send(frame: Frame): void;
}

/** What a link sees of its connection. */
export interface LinkHost {
  /** This end. */
  readonly local: NetAddress;
  /** The other end. */
  readonly remote: NetAddress;
  /** Same number at both ends for the same layer; unique in the chain. */
  readonly layer: number;
  /** How well what is below reaches the peer; for networks their own. */
  readonly reach: Reach;
  /** Children of a composite, in order; empty otherwise. */
  readonly children: readonly ChildPort[];
  /** Passes a frame to the layer below; a network gives it to {@linkcode LinkHost.transmit} instead. */
  down(frame: Frame): void;
  /** Passes a frame to the layer above. */
  up(frame: Frame): void;
  /** Networks only: the frame arrives at the peer's end of this device after `delayNs`. */
  transmit(frame: Frame, delayNs: number): void;
  /** A frame of this layer's own for the peer's same layer, not counted as data. */
  make(type: number, data: Uint8Array, payload?: Uint8Array): Frame;
  /** Pushes an extension of this layer. */
  mark(frame: Frame, data: Uint8Array): Frame;
  /** Pops this layer's extension; undefined: the front one is not this layer's. */
  unmark(frame: Frame): { readonly frame: Frame; readonly data: Uint8Array } | undefined;
  /** Reports to the connection. */
  event(event: LinkEvent): void;
  /** The connection cannot go on: it ends with this status. */
  fail(status: Status): void;
}

/** What management asks of a link. */
export type ControlRequest =
  /** Read counters and parameters. */
  | { readonly kind: "query" }
  /** Change a parameter. */
  | { readonly kind: "set"; readonly name: string; readonly value: ParameterValue };

/** Counters and parameters by name. */
export type ControlAnswer = { readonly [name: string]: ParameterValue };

/** One layer of one connection. */
export interface Link {
  /** A frame on its way to the peer. Pass on, hold, drop, or emit several. */
  down(frame: Frame): void;
  /** A frame from the peer. */
  up(frame: Frame): void;
  /** Composites: a frame came up from child `index`. */
  upFrom?(index: number, frame: Frame): void;
  /** Data of this many bytes and frames was taken by the program. */
  consumed?(frames: number, bytes: number): void;
  /** Bytes held on their way down. */
  readonly queued?: number;
  /** What this layer adds to the one-way latency, ns. */
  readonly latencyNs?: number;
  /** Management; undefined: nothing to say. */
  control?(request: ControlRequest): ControlAnswer | undefined;
  /** Lets go of every held frame at once. */
  quiesce?(): void;
  /** The connection ends: timers are cancelled. */
  close?(): void;
}

/** A device of one node. */
export interface MessageDevice {
  /** Networks: can this node reach `remote`, and how well? */
  reach?(remote: NetAddress): Reach | undefined;
  /** Begins a link for one connection. */
  open(host: LinkHost): Link;
}

/** A loadable module. */
export interface MessageModule {
  /** Name, e.g. `delay`. */
  readonly name: string;
  /** Version of this contract. */
  readonly abi: 1;
  /** What it is. */
  readonly kind: "network" | "filter" | "composite";
  /** Parameters it takes. A network has `latencyNs`, the least time a frame is on its way: virtual time relies on it. */
  readonly parameters: readonly ParameterRule[];
  /** What is wrong with parameters that are right one by one but not together; undefined: nothing. */
  check?(parameters: Parameters): string | undefined;
  /** Networks: the medium that carries frames between processes; absent: within one process only. */
  readonly medium?: string;
  /**
   * May it hold up its node's program ({@linkcode ModuleHost.busy})? Absent: it may. In virtual time machines run ahead of
   * what they cannot notice only where nothing does.
   */
  readonly holdsUp?: boolean;
  /** Makes the device of one node. */
  create(parameters: Parameters, host: ModuleHost): MessageDevice;
}

/** One way through both rules of {@linkcode ControlRequest} for links that have numbers to show. */
export function answer(request: ControlRequest, counters: ControlAnswer): ControlAnswer | undefined {
  return request.kind === "query" ? counters : undefined;
}
