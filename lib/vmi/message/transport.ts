/**
 * Transport: how records travel between the processes of a job. It is what the media worker, tcp and mpi implement: in
 * order and without loss per pair of processes. Contracts, and the records a job sends over it. Warm.
 */
import { decodeFrame, encodeFrameInto, type Frame, frameSize } from "./frame.ts";

/** Carries records between the processes of one job. */
export interface Transport {
  /** Name of the medium, e.g. `tcp`. */
  readonly medium: string;
  /** This process's number. */
  readonly process: number;
  /** Processes of the job. */
  readonly processes: number;
  /** Does `send` copy the record, so that its memory may be used again? Absent: it owns it from then on. */
  readonly copies?: boolean;
  /** Sends a record. Never blocks; what does not fit waits inside. */
  send(to: number, record: Uint8Array): void;
  /** Hands over what has arrived; returns the number of records. */
  poll(deliver: (from: number, record: Uint8Array) => void): number;
  /** Waits until there may be something to poll, at most `ms`. */
  sleep(ms: number): Promise<void>;
  /** Bytes accepted but not yet under way. */
  readonly queued: number;
  /** Processes that are gone for good, and why; absent: it cannot tell. */
  readonly lost?: ReadonlyMap<number, string>;
  /** Why the transport is broken; undefined: it works. */
  readonly broken: string | undefined;
  /** Ends it after what was accepted has been sent. */
  close(): Promise<void>;
}

/** A frame on its way between processes. */
export interface FrameRecord {
  /** Number of the network in the spec. */
  readonly device: number;
  /** When it arrives, ns. */
  readonly arrival: number;
  /** The source node's count. */
  readonly order: number;
  /** The frame. */
  readonly frame: Frame;
}

/** What processes tell each other between two windows. */
export interface SyncRecord {
  /** Number of the window. */
  readonly round: number;
  /** Earliest thing that can happen at the sender or by a frame it sent, ns; `Infinity`: nothing. */
  readonly next: number;
  /** Programs that have not ended. */
  readonly live: number;
  /** When the last of the others ended, ns. */
  readonly ended: number;
}

const FRAME = 1;
const SYNC = 2;
const RESULT = 3;
const HEAD = 24;

/** Record of a frame. @param scratch Used if the record fits into it. */
export function frameRecord(r: FrameRecord, scratch?: Uint8Array): Uint8Array {
  const size = HEAD + frameSize(r.frame);
  const out = scratch !== undefined && size <= scratch.length ? scratch.subarray(0, size) : new Uint8Array(size);
  out[0] = FRAME;
  out[2] = r.device;
  out[3] = r.device >> 8;
  putDouble(out, 8, r.arrival);
  putDouble(out, 16, r.order);
  encodeFrameInto(r.frame, out, HEAD);
  return out;
}

const double = new Float64Array(1);
const doubleBytes = new Uint8Array(double.buffer);

/** Writes a double, little-endian as all hosts are that run this. */
function putDouble(out: Uint8Array, at: number, value: number): void {
  double[0] = value;
  for (let i = 0; i < 8; i++) out[at + i] = doubleBytes[i];
}

function getDouble(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 8; i++) doubleBytes[i] = bytes[at + i];
  return double[0];
}

/** Record of a window's end. */
export function syncRecord(s: SyncRecord): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(40);
  out[0] = SYNC;
  putDouble(out, 8, s.round);
  putDouble(out, 16, s.next);
  putDouble(out, 24, s.live);
  putDouble(out, 32, s.ended);
  return out;
}

/** Record of the results of a process, as JSON. */
export function resultRecord(json: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(json);
  const out = new Uint8Array(1 + text.length);
  out[0] = RESULT;
  out.set(text, 1);
  return out;
}

/** A record read back. */
export type ParsedRecord =
  /** A frame. */
  | { readonly kind: "frame"; readonly value: FrameRecord }
  /** A window's end. */
  | { readonly kind: "sync"; readonly value: SyncRecord }
  /** Results. */
  | { readonly kind: "result"; readonly value: string }
  /** Not a record. */
  | { readonly kind: "bad" };

const BAD: ParsedRecord = { kind: "bad" };

/** Reads a record; never throws. */
export function parseRecord(bytes: Uint8Array): ParsedRecord {
  const kind = bytes.length === 0 ? 0 : bytes[0];
  if (kind === RESULT) return { kind: "result", value: new TextDecoder().decode(bytes.subarray(1)) };
  if (kind === SYNC && bytes.length === 40) {
    const [round, next, live, ended] = [8, 16, 24, 32].map((at) => getDouble(bytes, at));
    return Number.isNaN(next + live + ended + round) ? BAD : { kind: "sync", value: { round, next, live, ended } };
  }
  if (kind !== FRAME || bytes.length < HEAD) return BAD;
  const { frame } = decodeFrame(bytes, HEAD);
  const [arrival, order] = [getDouble(bytes, 8), getDouble(bytes, 16)];
  if (frame === undefined || !(arrival >= 0) || !(order >= 0)) return BAD;
  return { kind: "frame", value: { device: bytes[2] | (bytes[3] << 8), arrival, order, frame } };
}
