/**
 * Ring entries as values: submission entries are read, completion entries are written. Layouts stand in
 * `spec/message_abi.ts` and the reference of this interface. Warm.
 */
import { EntrySize } from "../../../spec/message_abi.ts";
import type { Status } from "../../../spec/message_abi.ts";

/** A submission entry, 64 bytes. */
export interface Submission {
  /** See `MessageOp`. */
  readonly op: number;
  /** See `SubmitFlag`. */
  readonly flags: number;
  /** Elements of a list, or bytes of an inline message. */
  readonly count: number;
  /** Connection (the peer's rank); root of a rooted collective. */
  readonly connection: number;
  /** Comes back in the completion. */
  readonly cookie: bigint;
  /** Guest-physical address; of a list with the flag LIST. */
  readonly address: number;
  /** Bytes. */
  readonly length: number;
  /** Registration; 0: none. */
  readonly registration: number;
  /** Remote buffer, or the 64 bits for the peer of a publication. */
  readonly remote: bigint;
  /** Offset in the remote buffer; deadline of WAIT, ns from now, 0: none. */
  readonly remoteOffset: number;
  /** Own context, answer to a request, reduction (operation, type), exit code. */
  readonly context: number;
  /** Bytes of the payload. */
  readonly payloadLength: number;
  /** Guest-physical address of the payload. */
  readonly payloadAddress: number;
  /** Bytes of an inline message. */
  readonly inline: Uint8Array;
}

/** Largest inline message; bytes. */
export const INLINE_MAX = 48;

/** Reads an entry. Addresses and offsets that do not fit 53 bits read as `Infinity`, which is no memory. */
export function readSubmission(bytes: Uint8Array): Submission {
  const v = new DataView(bytes.buffer, bytes.byteOffset, EntrySize.submission);
  const wide = (at: number): number => {
    const high = v.getUint32(at + 4, true);
    return high >= 2 ** 21 ? Infinity : v.getUint32(at, true) + high * 2 ** 32;
  };
  return {
    op: v.getUint8(0),
    flags: v.getUint8(1),
    count: v.getUint16(2, true),
    connection: v.getUint32(4, true),
    cookie: v.getBigUint64(8, true),
    address: wide(16),
    length: v.getUint32(24, true),
    registration: v.getUint32(28, true),
    remote: v.getBigUint64(32, true),
    remoteOffset: wide(40),
    context: v.getUint32(48, true),
    payloadLength: v.getUint32(52, true),
    payloadAddress: wide(56),
    inline: bytes.slice(16, 16 + INLINE_MAX),
  };
}

/** A completion, 32 bytes in the ring. */
export interface Completion {
  /** See `CompletionType`. */
  readonly type: number;
  /** How it ended. */
  readonly status: Status;
  /** Connection. */
  readonly connection: number;
  /** Of the submission; of the receive buffer if there is data. */
  readonly cookie: bigint;
  /** Bytes. */
  readonly length: number;
  /** Context. */
  readonly context: number;
  /** Remote buffer, or time of arrival in ns. */
  readonly aux: bigint;
  /** Data that needs a receive buffer. */
  readonly data: Uint8Array | undefined;
  /** Called when the guest has taken it. */
  readonly taken?: () => void;
}

/** Bits of a completion's flags besides the phase in bit 0. */
export const CompletionFlag = { phase: 1, payload: 2 } as const;

/** Writes a completion. */
export function writeCompletion(c: Completion, phase: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(EntrySize.completion);
  const v = new DataView(out.buffer);
  v.setUint8(0, c.type);
  v.setUint8(1, c.status & 0xff);
  v.setUint16(2, (phase & 1) | (c.data === undefined ? 0 : CompletionFlag.payload), true);
  v.setUint32(4, c.connection, true);
  v.setBigUint64(8, c.cookie, true);
  v.setUint32(16, c.length, true);
  v.setUint32(20, c.context, true);
  v.setBigUint64(24, BigInt.asUintN(64, c.aux), true);
  return out;
}
