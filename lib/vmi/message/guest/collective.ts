/**
 * Offloaded collectives: address and length are what this rank gives, payload address and length where the result goes
 * (they may be the same range). The connection field is the root; the context holds the reduction (operation in the low
 * byte, type in the next), as numbers of REDUCE_OPS and REDUCE_TYPES. GATHER and ALLGATHER give P parts of equal size,
 * SCATTER and ALLTOALL take P equal parts. Ends with COLLECTIVE_DONE. Warm.
 */
import { CompletionType, MessageOp, MessageStatus } from "../../../spec/message_abi.ts";
import type { Status } from "../../../spec/message_abi.ts";
import { join } from "../collectives/group.ts";
import { elementSize, isReducible } from "../collectives/reduction.ts";
import { REDUCE_OPS, REDUCE_TYPES } from "../../../spec/message_abi.ts";
import type { Steps } from "../mailbox.ts";
import type { Submission } from "./entry.ts";
import type { Executor } from "./executor.ts";

/** Is it the number of a collective command? */
export function isCollective(op: number): boolean {
  return op >= MessageOp.barrier && op <= MessageOp.alltoall;
}

/** Starts a collective. */
export function collective(e: Executor, s: Submission): Status {
  const { size } = e.runtime;
  if (!e.mayCollect) return MessageStatus.noResource;
  const given = e.bytes(s.address, s.length, e.runtime.limits.maxMessage);
  if (given === undefined) return MessageStatus.access;
  // Registered or not: the result must fit the node's RAM now.
  if (e.bytes(s.payloadAddress, s.payloadLength, e.runtime.limits.maxMessage) === undefined) {
    return MessageStatus.access;
  }
  if (s.connection >= size) return MessageStatus.invalidArgument;
  const steps = stepsOf(e, s, given);
  if (steps === undefined) return MessageStatus.invalidArgument;
  const ended = e.collects();
  e.runtime.mailbox.run(steps, (status, result) => {
    ended();
    const data = result ?? new Uint8Array(0);
    let end = status;
    if (end === MessageStatus.success && data.length > s.payloadLength) end = MessageStatus.truncated;
    if (end === MessageStatus.success && data.length > 0 && !e.ram.write(s.payloadAddress, data)) {
      end = MessageStatus.access;
    }
    const { connection, cookie } = s;
    const none = { context: 0, aux: 0n, data: undefined };
    e.post({ type: CompletionType.collectiveDone, status: end, connection, cookie, length: data.length, ...none });
  });
  return MessageStatus.success;
}

function* joined(steps: Steps<Uint8Array[]>): Steps<Uint8Array> {
  return join(yield* steps);
}

function* empty(steps: Steps<void>): Steps<Uint8Array> {
  yield* steps;
  return new Uint8Array(0);
}

function parts(data: Uint8Array, count: number): Uint8Array[] | undefined {
  const size = data.length / count;
  if (!Number.isInteger(size)) return undefined;
  return Array.from({ length: count }, (_, i) => data.subarray(i * size, (i + 1) * size));
}

function stepsOf(e: Executor, s: Submission, given: Uint8Array): Steps<Uint8Array> | undefined {
  const { size, rank } = e.runtime;
  const { steps } = e;
  const root = s.connection;
  switch (s.op) {
    case MessageOp.barrier:
      return empty(steps.barrier());
    case MessageOp.broadcast:
      return steps.broadcast(root, given);
    case MessageOp.reduce:
    case MessageOp.allreduce: {
      const [op, type] = [REDUCE_OPS[s.context & 0xff], REDUCE_TYPES[(s.context >> 8) & 0xff]];
      if (op === undefined || type === undefined || !isReducible(op, type)) return undefined;
      if (given.length % elementSize(type) !== 0) return undefined;
      return s.op === MessageOp.reduce ? steps.reduce(root, given, op, type) : steps.allreduce(given, op, type);
    }
    case MessageOp.gather:
      return joined(steps.gather(root, given));
    case MessageOp.scatter: {
      const list = rank === root ? parts(given, size) : [];
      return list === undefined ? undefined : steps.scatter(root, list);
    }
    case MessageOp.allgather:
      return joined(steps.allgather(given));
    default: {
      const list = parts(given, size);
      return list === undefined ? undefined : joined(steps.alltoall(list, true));
    }
  }
}
