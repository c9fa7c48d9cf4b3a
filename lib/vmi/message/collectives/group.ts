/**
 * A group of ranks in one collective operation, and how its messages are named. Everything here is steps: generators
 * that ask for messages and are resumed with them. Warm.
 */
import type { Mailbox, Steps } from "../mailbox.ts";

/** Messages of one operation use tags from `number * TAGS` on. */
export const TAGS = 65536;

/** One collective operation as one member sees it. */
export class Group {
  /** Ranks of the members, in order. */
  readonly ranks: readonly number[];
  /** This member's place in {@linkcode Group.ranks}. */
  readonly me: number;
  readonly #mailbox: Mailbox;
  readonly #tag: number;

  /**
   * Makes one.
   *
   * @param mailbox This rank's mailbox.
   * @param ranks Members.
   * @param rank This rank.
   * @param tag First tag; the group uses 4096 of them.
   */
  constructor(mailbox: Mailbox, ranks: readonly number[], rank: number, tag: number) {
    this.#mailbox = mailbox;
    this.ranks = ranks;
    this.me = ranks.indexOf(rank);
    this.#tag = tag;
  }

  /** Number of members. */
  get size(): number {
    return this.ranks.length;
  }

  /** Sends to member `to`; waits first if that is far behind. The bytes are not changed afterwards. */
  send(to: number, round: number, data: Uint8Array): Steps<void> {
    return this.#mailbox.send(this.ranks[to], this.#tag + round, data);
  }

  /** Waits for the message of a round from member `from`. */
  *receive(from: number, round: number): Steps<Uint8Array> {
    return yield { from: this.ranks[from], tag: this.#tag + round };
  }

  /** A group of some members; `part` tells parts of one operation apart, 1 to 15. */
  sub(members: readonly number[], part: number): Group {
    const rank = this.ranks[this.me];
    return new Group(this.#mailbox, members.map((m) => this.ranks[m]), rank, this.#tag + 4096 * part);
  }
}

/** Copies pieces into one array. */
export function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** Pieces of different lengths in one message: count, lengths, data. */
export function packList(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const head = new Uint8Array(4 + 4 * parts.length);
  const view = new DataView(head.buffer);
  view.setUint32(0, parts.length, true);
  parts.forEach((p, i) => view.setUint32(4 + 4 * i, p.length, true));
  return join([head, ...parts]);
}

/** Reads {@linkcode packList} back; nothing is copied. */
export function unpackList(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  let at = 4 + 4 * count;
  return Array.from({ length: count }, (_, i) => {
    const size = view.getUint32(4 + 4 * i, true);
    at += size;
    return bytes.subarray(at - size, at);
  });
}
