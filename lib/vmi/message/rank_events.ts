/**
 * How a host-side rank hands events to handlers and completion functions. Warm.
 */
import type { Status } from "../../spec/message_abi.ts";
import { type MessageEvent, settle, type Token } from "./events.ts";
import { Slab } from "./slab.ts";

/** A notification of remote memory access. */
export type Notification = MessageEvent & { readonly kind: "published" | "put" | "got" };

/** Is there a handler for it? */
function hasHandler({ kind, connection: { handlers } }: Notification): boolean {
  return (kind === "published" ? handlers.publish : kind === "put" ? handlers.put : handlers.get) !== undefined;
}

/** Runs its handler; false: there is none. */
export function notify(event: Notification): boolean {
  if (!hasHandler(event)) return false;
  const { handlers } = event.connection;
  if (event.kind === "published") handlers.publish?.(event.buffer, new Slab(event.data));
  else if (event.kind === "put") handlers.put?.(event.size, event.context, event.status);
  else handlers.get?.(event.context, event.status);
  return true;
}

/** Notifications that wait for a handler; older ones are forgotten. */
const MAX_PARKED = 4096;

/** Runs a completion function. */
export function complete(token: Token, status: Status, data: Uint8Array | undefined): void {
  if (typeof token === "function") token(status, data);
}

/** Notifications without a handler yet: peers may be faster than we set them. Their senders go on meanwhile. */
export class Parking {
  #parked: Notification[] = [];
  readonly #settled: WeakSet<MessageEvent> = new WeakSet();

  /** Keeps one. */
  park(event: Notification): void {
    this.settle(event);
    this.#settled.add(event);
    this.#parked.push(event);
    if (this.#parked.length > MAX_PARKED) this.#parked.shift();
  }

  /** Those that have got a handler; they are kept no longer. */
  ready(): Notification[] {
    if (this.#parked.length === 0) return [];
    const ready = this.#parked.filter(hasHandler);
    if (ready.length > 0) this.#parked = this.#parked.filter((e) => !hasHandler(e));
    return ready;
  }

  /** An event was taken: its sender may go on, if it was not told so when it was parked. */
  settle(event: MessageEvent): void {
    if (!this.#settled.delete(event)) settle(event);
  }
}
