/**
 * Messages of collective operations, by source and tag, and the steps that wait for them. A collective is a generator
 * that asks for a message and is resumed with it: the same code serves host programs and guests' offloaded commands,
 * and advances at the moment a message arrives, without the program. Warm.
 */
import { MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";

/** A request of a step: the message of `tag` from `from`. */
export interface Want {
  /** Rank. */
  readonly from: number;
  /** Tag. */
  readonly tag: number;
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
  readonly #send: (to: number, tag: number, data: Uint8Array) => Status;
  readonly #waiting: Map<string, Waiting> = new Map();
  readonly #arrived: Map<string, Uint8Array[]> = new Map();

  /** Makes one. @param send Sends a collective's message. */
  constructor(send: (to: number, tag: number, data: Uint8Array) => Status) {
    this.#send = send;
  }

  /** Sends; a failure ends the operation. */
  send(to: number, tag: number, data: Uint8Array): void {
    const status = this.#send(to, tag, data);
    if (status !== MessageStatus.success) throw new CollectiveFailure(status);
  }

  /** A message arrived: it goes to the step that waits for it, or is kept. */
  arrived(source: number, tag: number, data: Uint8Array): void {
    const key = `${source}:${tag}`;
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      this.#waiting.delete(key);
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
          const key = `${step.value.from}:${step.value.tag}`;
          const list = this.#arrived.get(key);
          next = list?.shift();
          if (list !== undefined && list.length === 0) this.#arrived.delete(key);
          if (next === undefined) {
            const fail = (status: Status): void => done(status, undefined);
            this.#waiting.set(key, { key, resume, fail });
            return;
          }
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
  }
}
