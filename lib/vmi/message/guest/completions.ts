/**
 * Events of the runtime that become completions as they are: messages, requests, notifications, ends. Warm.
 */
import { CompletionType, MessageStatus } from "../../../spec/message_abi.ts";
import { type MessageEvent, type RemoteBuffer, settle } from "../events.ts";
import type { Completion } from "./entry.ts";

/** Kinds of LINK_EVENT, by the number in a completion's context. */
export const LINK_KINDS = ["switch", "down", "up", "loss", "gone"] as const;

/** The completion of an event. */
export function completionOf(
  e: MessageEvent & { readonly kind: "message" | "request" | "disconnected" | "put" | "got" | "link" },
): Completion {
  const connection = e.connection.peer;
  const taken = (): void => settle(e);
  const base: Completion = {
    type: 0,
    status: MessageStatus.success,
    connection,
    cookie: 0n,
    length: 0,
    context: 0,
    aux: 0n,
    data: undefined,
  };
  switch (e.kind) {
    case "message": {
      const { data } = e;
      const aux = BigInt(Math.floor(e.arrived));
      return { ...base, type: CompletionType.recv, length: data.length, aux, data, taken };
    }
    case "request": {
      const data = e.data.length === 0 ? undefined : e.data;
      return { ...base, type: CompletionType.connectRequest, length: e.data.length, data };
    }
    case "disconnected":
      return { ...base, type: CompletionType.disconnected, status: e.status };
    case "put":
      return { ...base, type: CompletionType.putNotify, length: e.size, context: e.context, status: e.status, taken };
    case "got":
      return { ...base, type: CompletionType.getNotify, context: e.context, status: e.status, taken };
    case "link": {
      const { kind, resent } = e.event;
      return { ...base, type: CompletionType.linkEvent, length: resent, context: LINK_KINDS.indexOf(kind) };
    }
  }
}

/**
 * The completion of a peer's publication: with a payload it needs a receive buffer, which begins with the peer's 64 bits
 * and the payload's length.
 */
export function publishedAs(
  handle: number,
  buffer: RemoteBuffer,
  payload: Uint8Array,
  taken: () => void,
): Completion {
  let data: Uint8Array | undefined;
  if (payload.length > 0) {
    data = new Uint8Array(16 + payload.length);
    const v = new DataView(data.buffer);
    v.setBigUint64(0, buffer.peerContext, true);
    v.setUint32(8, payload.length, true);
    data.set(payload, 16);
  }
  return {
    type: CompletionType.published,
    status: MessageStatus.success,
    connection: buffer.connection.peer,
    cookie: buffer.peerContext,
    length: buffer.size,
    context: 0,
    aux: BigInt(handle),
    data,
    taken,
  };
}
