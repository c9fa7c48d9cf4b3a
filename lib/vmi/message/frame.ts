/**
 * The frame: what two ends of a connection exchange, and its form on the wire.
 *
 * Header of 48 bytes, little-endian: 0 magic `VMI2`, 4 version, 5 type, 6 flags (low byte) and chain number (high byte),
 * 8 source rank, 12 destination rank, 16 sequence (64 bits), 24 virtual send time in ns (64 bits), 32 payload length,
 * 36 extension length, 40 epoch of the filter list, 44 CRC-32C of bytes 0 to 43. Then extensions (type u16, length u16,
 * data), then the payload. A filter pushes its own extension at the front and pops it on the way up.
 *
 * Frames are values: nobody changes one, a filter that alters something makes a new one. Warm.
 */
import { FRAME_HEADER, FRAME_MAGIC, FRAME_VERSION, FrameType, MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import { crc32c } from "./crc32c.ts";

/** Named bytes between header and payload. */
export interface Extension {
  /** u16; 1 is the operation's own, 0x8000 + n belongs to layer n of the chain. */
  readonly type: number;
  /** At most 65535 bytes. */
  readonly data: Uint8Array;
}

/** One frame. */
export interface Frame {
  /** See `FrameType`. */
  readonly type: number;
  /** u8, see {@linkcode FrameFlag}. */
  readonly flags: number;
  /** Number of the chain in the spec, u8. */
  readonly chain: number;
  /** Rank that sent it. */
  readonly source: number;
  /** Rank it is for. */
  readonly destination: number;
  /** Per connection and direction, from 1; 0 for frames that filters exchange. */
  readonly sequence: number;
  /** Virtual time at which it was sent, ns. */
  readonly sentAt: number;
  /** Which list of filters it passes, u32. */
  readonly epoch: number;
  /** Front first. */
  readonly extensions: readonly Extension[];
  /** Data. */
  readonly payload: Uint8Array;
}

/** Bits of {@linkcode Frame.flags}. */
export const FrameFlag = { more: 1, notify: 2, signal: 4, multicast: 8, internal: 16 } as const;

/** Extension type of the operation's own fields. */
export const OPERATION = 1;

const NO_BYTES: Uint8Array<ArrayBuffer> = new Uint8Array(0);
const KNOWN: ReadonlySet<number> = new Set(Object.values(FrameType));

/** Bytes a waiting frame is counted as beside its payload: about what it takes of the host's memory. */
export const WAITING_FRAME = 1024;

/** Numbers as the operation's extension, 64 bits each: they become bytes only where somebody wants bytes. */
export class NumberExtension implements Extension {
  readonly type: number = OPERATION;
  /** Non-negative integers below 2^53. */
  readonly numbers: readonly number[];
  #data: Uint8Array | undefined;

  /** Makes one. @param numbers Non-negative integers below 2^53. */
  constructor(numbers: readonly number[]) {
    this.numbers = numbers;
  }

  get data(): Uint8Array {
    if (this.#data === undefined) putNumbers(this.numbers, this.#data = new Uint8Array(8 * this.numbers.length), 0);
    return this.#data;
  }
}

/** An extension where it lies in a record: a view of its own is made only where somebody wants one. */
export class SliceExtension implements Extension {
  readonly type: number;
  /** The record. */
  readonly bytes: Uint8Array;
  /** Where the extension's data begins. */
  readonly at: number;
  /** Bytes of its data. */
  readonly length: number;
  #data: Uint8Array | undefined;

  /** Makes one. @param type Its type. @param bytes The record. @param at First byte. @param length Bytes. */
  constructor(type: number, bytes: Uint8Array, at: number, length: number) {
    this.type = type;
    this.bytes = bytes;
    this.at = at;
    this.length = length;
  }

  get data(): Uint8Array {
    return this.#data ??= this.bytes.subarray(this.at, this.at + this.length);
  }
}

function dataLength(e: Extension): number {
  return e instanceof NumberExtension ? 8 * e.numbers.length : e.data.length;
}

function putNumbers(numbers: readonly number[], out: Uint8Array, from: number): void {
  let at = from;
  for (const n of numbers) {
    putWord(out, at, n % 2 ** 32);
    putWord(out, at + 4, Math.floor(n / 2 ** 32));
    at += 8;
  }
}

/** Bytes a frame takes on the wire. */
export function frameSize(frame: Frame): number {
  let size = FRAME_HEADER + frame.payload.length;
  for (const e of frame.extensions) size += 4 + dataLength(e);
  return size;
}

/** Wire form of the extensions. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  let size = 0;
  for (const e of extensions) size += 4 + dataLength(e);
  if (size === 0) return NO_BYTES;
  const out = new Uint8Array(size);
  putExtensions(extensions, out, 0);
  return out;
}

/** Writes extensions at `at`; returns where they end. */
function putExtensions(extensions: readonly Extension[], out: Uint8Array, from: number): number {
  let at = from;
  for (const e of extensions) {
    const length = dataLength(e);
    out[at] = e.type;
    out[at + 1] = e.type >> 8;
    out[at + 2] = length;
    out[at + 3] = length >> 8;
    if (e instanceof NumberExtension) putNumbers(e.numbers, out, at + 4);
    else out.set(e.data, at + 4);
    at += 4 + length;
  }
  return at;
}

/** Reads extensions back; undefined: they do not fill the bytes exactly. Nothing is copied. */
export function decodeExtensions(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): Extension[] | undefined {
  const out: Extension[] = [];
  let at = from;
  while (at < to) {
    if (at + 4 > to) return undefined;
    const length = bytes[at + 2] | (bytes[at + 3] << 8);
    if (at + 4 + length > to) return undefined;
    const type = bytes[at] | (bytes[at + 1] << 8);
    if (type === OPERATION) out.push(new SliceExtension(type, bytes, at + 4, length));
    else out.push({ type, data: bytes.subarray(at + 4, at + 4 + length) });
    at += 4 + length;
  }
  return out;
}

/** Wire form of a frame. */
export function encodeFrame(frame: Frame): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(frameSize(frame));
  encodeFrameInto(frame, out);
  return out;
}

/** Wire form of a frame at `at` in `out`, which is large enough; returns its size. */
export function encodeFrameInto(frame: Frame, out: Uint8Array, at = 0): number {
  const end = putExtensions(frame.extensions, out, at + FRAME_HEADER);
  putWord(out, at, FRAME_MAGIC);
  putWord(
    out,
    at + 4,
    FRAME_VERSION | (frame.type << 8) | ((frame.flags & 0xff) << 16) | (frame.chain << 24),
  );
  putWord(out, at + 8, frame.source);
  putWord(out, at + 12, frame.destination);
  putWord(out, at + 16, frame.sequence % 2 ** 32);
  putWord(out, at + 20, Math.floor(frame.sequence / 2 ** 32));
  putWord(out, at + 24, frame.sentAt % 2 ** 32);
  putWord(out, at + 28, Math.floor(frame.sentAt / 2 ** 32));
  putWord(out, at + 32, frame.payload.length);
  putWord(out, at + 36, end - at - FRAME_HEADER);
  putWord(out, at + 40, frame.epoch);
  putWord(out, at + 44, crc32c(out, 0, at, at + 44));
  putBytes(frame.payload, out, end);
  return end + frame.payload.length - at;
}

/** What decoding gives: a frame, or why not. */
export type Decoded =
  /** A whole and valid frame. */
  | { readonly status: typeof MessageStatus.success; readonly frame: Frame }
  /** `corrupt` or `unsupported`. */
  | { readonly status: Status; readonly frame?: undefined };

const CORRUPT: Decoded = { status: MessageStatus.corrupt };
const UNSUPPORTED: Decoded = { status: MessageStatus.unsupported };

/**
 * Reads a frame that fills `bytes` from `at` on exactly. Never throws: what is malformed gives `corrupt`, what comes from
 * another version or has an unknown type gives `unsupported`. Payload and extensions are views of `bytes`.
 */
export function decodeFrame(bytes: Uint8Array, at = 0): Decoded {
  if (bytes.length - at < FRAME_HEADER) return CORRUPT;
  if (word(bytes, at) !== FRAME_MAGIC) return CORRUPT;
  if (bytes[at + 4] !== FRAME_VERSION) return UNSUPPORTED;
  if (word(bytes, at + 44) !== crc32c(bytes, 0, at, at + 44)) return CORRUPT;
  const payloadLength = word(bytes, at + 32);
  const extensionLength = word(bytes, at + 36);
  if (at + FRAME_HEADER + extensionLength + payloadLength !== bytes.length) return CORRUPT;
  const sequence = word(bytes, at + 16) + word(bytes, at + 20) * 2 ** 32;
  const sentAt = word(bytes, at + 24) + word(bytes, at + 28) * 2 ** 32;
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(sentAt)) return CORRUPT;
  const type = bytes[at + 5];
  if (!KNOWN.has(type)) return UNSUPPORTED;
  const data = at + FRAME_HEADER + extensionLength;
  const extensions = decodeExtensions(bytes, at + FRAME_HEADER, data);
  if (extensions === undefined) return CORRUPT;
  return {
    status: MessageStatus.success,
    frame: {
      type,
      flags: bytes[at + 6],
      chain: bytes[at + 7],
      source: word(bytes, at + 8),
      destination: word(bytes, at + 12),
      sequence,
      sentAt,
      epoch: word(bytes, at + 40),
      extensions,
      payload: bytes.subarray(data),
    },
  };
}

/** Copies bytes; few of them one by one, which costs less than a call. */
function putBytes(from: Uint8Array, out: Uint8Array, at: number): void {
  if (from.length > 32) return out.set(from, at);
  for (let i = 0; i < from.length; i++) out[at + i] = from[i];
}

/** A copy of bytes. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length > 32) return bytes.slice();
  const out = new Uint8Array(bytes.length);
  for (let i = 0; i < bytes.length; i++) out[i] = bytes[i];
  return out;
}

/** Writes a u32. */
export function putWord(out: Uint8Array, at: number, value: number): void {
  const v = value | 0;
  out[at] = v;
  out[at + 1] = v >> 8;
  out[at + 2] = v >> 16;
  out[at + 3] = v >> 24;
}

/** Reads a u32. */
export function word(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Writes a non-negative integer below 2^53 as 64 bits. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value % 2 ** 32, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads 64 bits as a number; inexact from 2^53 on. */
export function getU64(view: DataView, at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
}
