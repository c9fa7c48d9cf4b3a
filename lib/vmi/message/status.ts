/**
 * Status codes as text, and the test for success. The codes themselves stand in `spec/message_abi.ts`. Cold.
 */
import { MessageStatus, type Status } from "../../spec/message_abi.ts";

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(MessageStatus).map(([name, code]) => [code, name]));

/** Did the operation succeed? */
export function isSuccess(status: Status): boolean {
  return status === MessageStatus.success;
}

/** Name of a status code, e.g. `peerGone`; a hexadecimal number if it has none. */
export function statusName(status: Status): string {
  return NAMES.get(status >>> 0) ?? `0x${(status >>> 0).toString(16).padStart(8, "0")}`;
}
