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

/** Bytes a frame takes on the wire. */
export function frameSize(frame: Frame): number {
  let size = FRAME_HEADER + frame.payload.length;
  for (const e of frame.extensions) size += 4 + e.data.length;
  return size;
}

/** Wire form of the extensions. */
export function encodeExtensions(extensions: readonly Extension[]): Uint8Array {
  let size = 0;
  for (const e of extensions) size += 4 + e.data.length;
  if (size === 0) return NO_BYTES;
  const out = new Uint8Array(size);
  let at = 0;
  for (const { type, data } of extensions) {
    out[at] = type;
    out[at + 1] = type >> 8;
    out[at + 2] = data.length;
    out[at + 3] = data.length >> 8;
    out.set(data, at + 4);
    at += 4 + data.length;
  }
  return out;
}

/** Reads extensions back; undefined: they do not fill the bytes exactly. Nothing is copied. */
export function decodeExtensions(bytes: Uint8Array): Extension[] | undefined {
  const out: Extension[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 4 > bytes.length) return undefined;
    const length = bytes[at + 2] | (bytes[at + 3] << 8);
    if (at + 4 + length > bytes.length) return undefined;
    out.push({ type: bytes[at] | (bytes[at + 1] << 8), data: bytes.subarray(at + 4, at + 4 + length) });
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

/** Wire form of a frame at the start of `out`, which is large enough; returns its size. */
export function encodeFrameInto(frame: Frame, out: Uint8Array): number {
  const extensions = encodeExtensions(frame.extensions);
  const view = new DataView(out.buffer, out.byteOffset, out.byteLength);
  view.setUint32(0, FRAME_MAGIC, true);
  view.setUint8(4, FRAME_VERSION);
  view.setUint8(5, frame.type);
  view.setUint16(6, (frame.flags & 0xff) | (frame.chain << 8), true);
  view.setUint32(8, frame.source, true);
  view.setUint32(12, frame.destination, true);
  setU64(view, 16, frame.sequence);
  setU64(view, 24, frame.sentAt);
  view.setUint32(32, frame.payload.length, true);
  view.setUint32(36, extensions.length, true);
  view.setUint32(40, frame.epoch, true);
  view.setUint32(44, crc32c(out.subarray(0, 44)), true);
  out.set(extensions, FRAME_HEADER);
  out.set(frame.payload, FRAME_HEADER + extensions.length);
  return FRAME_HEADER + extensions.length + frame.payload.length;
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
 * Reads a frame that fills `bytes` exactly. Never throws: what is malformed gives `corrupt`, what comes from another
 * version or has an unknown type gives `unsupported`. Payload and extensions are views of `bytes`.
 */
export function decodeFrame(bytes: Uint8Array): Decoded {
  if (bytes.length < FRAME_HEADER) return CORRUPT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== FRAME_MAGIC) return CORRUPT;
  if (view.getUint8(4) !== FRAME_VERSION) return UNSUPPORTED;
  if (view.getUint32(44, true) !== crc32c(bytes.subarray(0, 44))) return CORRUPT;
  const payloadLength = view.getUint32(32, true);
  const extensionLength = view.getUint32(36, true);
  if (FRAME_HEADER + extensionLength + payloadLength !== bytes.length) return CORRUPT;
  const sequence = getU64(view, 16);
  const sentAt = getU64(view, 24);
  if (!Number.isSafeInteger(sequence) || !Number.isSafeInteger(sentAt)) return CORRUPT;
  const type = view.getUint8(5);
  if (!KNOWN.has(type)) return UNSUPPORTED;
  const extensions = decodeExtensions(bytes.subarray(FRAME_HEADER, FRAME_HEADER + extensionLength));
  if (extensions === undefined) return CORRUPT;
  const word = view.getUint16(6, true);
  return {
    status: MessageStatus.success,
    frame: {
      type,
      flags: word & 0xff,
      chain: word >> 8,
      source: view.getUint32(8, true),
      destination: view.getUint32(12, true),
      sequence,
      sentAt,
      epoch: view.getUint32(40, true),
      extensions,
      payload: bytes.subarray(FRAME_HEADER + extensionLength),
    },
  };
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
