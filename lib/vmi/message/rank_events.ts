/**
 * How a host-side rank hands events to handlers and completion functions. Warm.
 */
import type { Status } from "../../spec/message_abi.ts";
import type { MessageEvent, Token } from "./events.ts";
import { Slab } from "./slab.ts";

/** A notification of remote memory access. */
export type Notification = MessageEvent & { readonly kind: "published" | "put" | "got" };

/** Is there a handler for it? */
export function hasHandler({ kind, connection: { handlers } }: Notification): boolean {
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
export const MAX_PARKED = 4096;

/** Runs a completion function. */
export function complete(token: Token, status: Status, data: Uint8Array | undefined): void {
  if (typeof token === "function") token(status, data);
}
