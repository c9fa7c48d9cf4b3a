/**
 * Messages of collective operations, by source and tag, and the steps that wait for them. A collective is a generator
 * that asks for a message and is resumed with it: the same code serves host programs and guests' offloaded commands,
 * and advances at the moment a message arrives, without the program.
 *
 * Flow control: a rank that runs ahead of its group, as the root of many broadcasts may, waits when what it has sent to a
 * member and that member's operations have not taken reaches a limit. The receiver tells now and then how much it has
 * taken. A sender waits only for ranks that are behind it in the common order of operations, so somebody always goes on.
 * Warm.
 */
import { MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import { getU64, setU64 } from "./frame.ts";

/** Messages and bytes that a rank may have sent to another whose operations have not taken them. */
export const AHEAD = { messages: 64, bytes: 1048576 } as const;

/** Tag of the messages by which a receiver tells how much it has taken. Those of operations are much larger. */
const TAKEN = 1;

/** A request of a step: the message of `tag` from `from`; or, as tag `ROOM`, that `from` has taken more. */
export interface Want {
  /** Rank. */
  readonly from: number;
  /** Tag. */
  readonly tag: number;
}

/** Tag of a step that waits until it may send. */
const ROOM = -1;

/** What goes to and comes from one rank; all counts are since the connection began. */
interface Flow {
  sentMessages: number;
  sentBytes: number;
  /** As the other end has told. */
  takenMessages: number;
  takenBytes: number;
  gotMessages: number;
  gotBytes: number;
  toldMessages: number;
  toldBytes: number;
  /** Steps that wait until they may send. */
  readonly blocked: { resume(): void; fail(status: Status): void }[];
}

/** The steps of a collective operation. Ends with its result. */
export type Steps<T> = Generator<Want, T, Uint8Array>;

/** Thrown inside steps when a message cannot be sent. */
export class CollectiveFailure extends Error {
  /** Why. */
  readonly status: Status;
  /** Makes it. @param status Why. */
  constructor(status: Status) {
    super("collective operation failed");
    this.status = status;
  }
}

interface Waiting {
  readonly key: string;
  resume(data: Uint8Array): void;
  fail(status: Status): void;
}

/** The mailbox of one rank. */
export class Mailbox {
  readonly #send: (to: number, tag: number, data: Uint8Array, always: boolean) => Status;
  readonly #waiting: Map<string, Waiting> = new Map();
  readonly #arrived: Map<string, Uint8Array[]> = new Map();
  readonly #flows: Map<number, Flow> = new Map();

  readonly #ahead: { readonly messages: number; readonly bytes: number };

  /**
   * Makes one.
   *
   * @param send Sends a collective's message; `always`: however much is queued already.
   * @param ahead How far a sender may be ahead of a receiver.
   */
  constructor(
    send: (to: number, tag: number, data: Uint8Array, always: boolean) => Status,
    ahead: Mailbox["ahead"] = AHEAD,
  ) {
    this.#send = send;
    this.#ahead = ahead;
  }

  /** How far a sender may be ahead of a receiver. */
  get ahead(): { readonly messages: number; readonly bytes: number } {
    return this.#ahead;
  }

  /** Sends, as soon as the receiver has taken enough of what went before; a failure ends the operation. */
  *send(to: number, tag: number, data: Uint8Array): Steps<void> {
    const flow = this.#flow(to);
    while (!this.#hasRoom(flow, data.length)) yield { from: to, tag: ROOM };
    const status = this.#send(to, tag, data, false);
    if (status !== MessageStatus.success) throw new CollectiveFailure(status);
    flow.sentMessages++;
    flow.sentBytes += data.length;
  }

  /** A connection begins: nothing is under way. */
  began(peer: number): void {
    this.#flows.delete(peer);
  }

  /** Messages and bytes that came and no operation has taken. */
  get waiting(): { readonly messages: number; readonly bytes: number } {
    const all = [...this.#arrived.values()].flat();
    return { messages: all.length, bytes: all.reduce((n, m) => n + m.length, 0) };
  }

  /** A message arrived: it goes to the step that waits for it, or is kept. */
  arrived(source: number, tag: number, data: Uint8Array): void {
    if (tag === TAKEN) return this.#told(source, data);
    const key = `${source}:${tag}`;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      this.#waiting.delete(key);
      this.#took(source, data.length);
      waiting.resume(data);
      return;
    }
    const list = this.#arrived.get(key);
    if (list === undefined) this.#arrived.set(key, [data]);
    else list.push(data);
  }

  /** Runs steps as far as they go; `done` hears the end, perhaps before this returns. */
  run<T>(steps: Steps<T>, done: (status: Status, result: T | undefined) => void): void {
    const resume = (data?: Uint8Array): void => {
      let next = data;
      try {
        while (true) {
          const step = next === undefined ? steps.next(new Uint8Array(0)) : steps.next(next);
          if (step.done === true) return done(MessageStatus.success, step.value);
          const { from, tag } = step.value;
          const fail = (status: Status): void => done(status, undefined);
          if (tag === ROOM) return void this.#flow(from).blocked.push({ resume, fail });
          const key = `${from}:${tag}`;
          const list = this.#arrived.get(key);
          next = list?.shift();
          if (list !== undefined && list.length === 0) this.#arrived.delete(key);
          if (next === undefined) return void this.#waiting.set(key, { key, resume, fail });
          this.#took(from, next.length);
        }
      } catch (e) {
        if (!(e instanceof CollectiveFailure)) throw e;
        done(e.status, undefined);
      }
    };
    resume();
  }

  /** Nothing more will come from `source`: steps that wait for it end with `status`. */
  gone(source: number, status: Status): void {
    for (const [key, waiting] of this.#waiting) {
      if (!key.startsWith(`${source}:`)) continue;
      this.#waiting.delete(key);
      waiting.fail(status);
    }
    for (const { fail } of this.#flow(source).blocked.splice(0)) fail(status);
  }

  #flow(peer: number): Flow {
    let flow = this.#flows.get(peer);
    if (flow === undefined) {
      const [none, blocked] = [0, []];
      const sent = { sentMessages: none, sentBytes: none, takenMessages: none, takenBytes: none };
      const got = { gotMessages: none, gotBytes: none, toldMessages: none, toldBytes: none };
      this.#flows.set(peer, flow = { ...sent, ...got, blocked });
    }
    return flow;
  }

  /** An operation has taken a message: its sender is told, but not of each. */
  #took(from: number, bytes: number): void {
    const flow = this.#flow(from);
    flow.gotMessages++;
    flow.gotBytes += bytes;
    const due = flow.gotMessages - flow.toldMessages >= this.#ahead.messages / 4 ||
      flow.gotBytes - flow.toldBytes >= this.#ahead.bytes / 4;
    if (!due) return;
    const data = new Uint8Array(16);
    const view = new DataView(data.buffer);
    setU64(view, 0, flow.gotMessages);
    setU64(view, 8, flow.gotBytes);
    // A sender that waits for it sends nothing more, so there may be no next time; and there are few of them.
    if (this.#send(from, TAKEN, data, true) !== MessageStatus.success) return;
    flow.toldMessages = flow.gotMessages;
    flow.toldBytes = flow.gotBytes;
  }

  #told(from: number, data: Uint8Array): void {
    if (data.length !== 16) return;
    const flow = this.#flow(from);
    const view = new DataView(data.buffer, data.byteOffset, 16);
    flow.takenMessages = Math.max(flow.takenMessages, getU64(view, 0));
    flow.takenBytes = Math.max(flow.takenBytes, getU64(view, 8));
    for (const { resume } of flow.blocked.splice(0)) resume();
  }

  /** May so many bytes be sent? What was taken and not yet told is less than a quarter: so little stops nothing. */
  #hasRoom(flow: Flow, bytes: number): boolean {
    const ahead = flow.sentBytes - flow.takenBytes;
    return flow.sentMessages - flow.takenMessages < this.#ahead.messages &&
      (ahead < this.#ahead.bytes / 4 || ahead + bytes <= this.#ahead.bytes);
  }
}
