/**
 * Collective operations as programs and guests call them: the steps are chosen by size and by the clusters of the job.
 * All ranks of the job call the same operations in the same order. Warm.
 */
import { ConfigError } from "../../../core/errors.ts";
import type { Steps } from "../mailbox.ts";
import type { Runtime } from "../runtime.ts";
import { allgather, allreduce, alltoall, barrier, broadcast, gather, reduce, scatter } from "./algorithms.ts";
import { clusterAllreduce, clusterBarrier, clusterBroadcast, divide, type Divided } from "./clusters.ts";
import { Group, TAGS } from "./group.ts";
import { combiner, elementSize, isReducible } from "./reduction.ts";
import type { ReduceOp, ReduceType } from "../../../spec/message_abi.ts";

/** Makes the steps of operation `number` of a rank. */
export class CollectiveSteps {
  readonly #runtime: Runtime;
  #number = 0;

  /** Makes one. @param runtime The rank's runtime. */
  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  /** Waits until all ranks have called it. */
  barrier(): Steps<void> {
    const [g, d] = this.#next();
    return d === undefined ? barrier(g) : clusterBarrier(d);
  }

  /** Everyone gets the data of `root`. */
  broadcast(root: number, data: Uint8Array): Steps<Uint8Array> {
    const [g, d] = this.#next(root);
    return d === undefined ? broadcast(g, root, data) : clusterBroadcast(d, root, data);
  }

  /** The combined vectors of all ranks at `root`. @throws {ConfigError} message-reduction */
  reduce(root: number, data: Uint8Array, op: ReduceOp, type: ReduceType): Steps<Uint8Array> {
    checkReduction(data, op, type);
    const [g] = this.#next(root);
    return reduce(g, root, data, combiner(op, type));
  }

  /** The combined vectors of all ranks at all. @throws {ConfigError} message-reduction */
  allreduce(data: Uint8Array, op: ReduceOp, type: ReduceType): Steps<Uint8Array> {
    checkReduction(data, op, type);
    const [g, d] = this.#next();
    const [combine, unit] = [combiner(op, type), elementSize(type)];
    return d === undefined ? allreduce(g, data, combine, unit) : clusterAllreduce(d, data, combine, unit);
  }

  /** Everyone's data at `root`. */
  gather(root: number, data: Uint8Array): Steps<Uint8Array[]> {
    return gather(this.#next(root)[0], root, data);
  }

  /** A part for each from `root`. */
  scatter(root: number, parts: readonly Uint8Array[]): Steps<Uint8Array> {
    return scatter(this.#next(root)[0], root, parts);
  }

  /** Everyone's data, all of one size, at all. */
  allgather(data: Uint8Array): Steps<Uint8Array[]> {
    return allgather(this.#next()[0], data);
  }

  /** A part from each for each. @param uniform All parts of all ranks have one size. */
  alltoall(parts: readonly Uint8Array[], uniform: boolean): Steps<Uint8Array[]> {
    const [g] = this.#next();
    if (parts.length !== g.size) {
      throw new ConfigError(
        "message-collective",
        `alltoall needs a part for each of ${g.size} ranks, not ${parts.length}`,
      );
    }
    return alltoall(g, parts, uniform);
  }

  #next(root = 0): [Group, Divided | undefined] {
    const { size, rank, addresses, mailbox } = this.#runtime;
    if (!Number.isInteger(root) || root < 0 || root >= size) {
      throw new ConfigError("message-rank", `There is no rank ${root}; the job has ranks 0 to ${size - 1}`);
    }
    const group = new Group(mailbox, addresses.map((a) => a.rank), rank, ++this.#number * TAGS);
    return [group, divide(group, (r) => addresses[r].cluster)];
  }
}

function checkReduction(data: Uint8Array, op: ReduceOp, type: ReduceType): void {
  if (data.length % elementSize(type) !== 0) {
    throw new ConfigError("message-reduction", `${data.length} bytes are no whole number of ${type} elements`);
  }
  if (!isReducible(op, type)) throw new ConfigError("message-reduction", `${op} is not defined for ${type}`);
}

/** A typed array that can be reduced. */
export type Vector = Int32Array | Uint32Array | BigInt64Array | BigUint64Array | Float32Array | Float64Array;

function typeOf(v: Vector): ReduceType {
  if (v instanceof Int32Array) return "i32";
  if (v instanceof Uint32Array) return "u32";
  if (v instanceof BigInt64Array) return "i64";
  if (v instanceof BigUint64Array) return "u64";
  return v instanceof Float32Array ? "f32" : "f64";
}

function bytesOf(v: Vector): Uint8Array {
  return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
}

function vectorLike<V extends Vector>(v: V, bytes: Uint8Array): V {
  const make = v.constructor as new (b: ArrayBuffer) => V;
  return new make(bytes.slice().buffer);
}

/** Collective operations of a host-side rank. */
export class Collectives {
  /** The steps. */
  readonly steps: CollectiveSteps;
  readonly #run: <T>(steps: Steps<T>) => Promise<T>;

  /** Made by a rank. @param runtime Its runtime. @param run Runs steps to their end. */
  constructor(runtime: Runtime, run: <T>(steps: Steps<T>) => Promise<T>) {
    this.steps = new CollectiveSteps(runtime);
    this.#run = run;
  }

  /** Waits until all ranks have called it. */
  barrier(): Promise<void> {
    return this.#run(this.steps.barrier());
  }
  /** Everyone gets the data of `root`; what others give is ignored. */
  broadcast(root: number, data: Uint8Array = new Uint8Array(0)): Promise<Uint8Array> {
    return this.#run(this.steps.broadcast(root, data));
  }
  /** The combined vectors at `root`; the others get an empty one. */
  async reduce<V extends Vector>(root: number, data: V, op: ReduceOp = "sum"): Promise<V> {
    return vectorLike(data, await this.#run(this.steps.reduce(root, bytesOf(data), op, typeOf(data))));
  }
  /** The combined vectors at all ranks. */
  async allreduce<V extends Vector>(data: V, op: ReduceOp = "sum"): Promise<V> {
    return vectorLike(data, await this.#run(this.steps.allreduce(bytesOf(data), op, typeOf(data))));
  }
  /** Everyone's data at `root`, by rank; the others get an empty list. */
  gather(root: number, data: Uint8Array): Promise<Uint8Array[]> {
    return this.#run(this.steps.gather(root, data));
  }
  /** This rank's part of what `root` gives; what others give is ignored. */
  scatter(root: number, parts: readonly Uint8Array[] = []): Promise<Uint8Array> {
    return this.#run(this.steps.scatter(root, parts));
  }
  /** Everyone's data, all of one size, at all ranks. */
  allgather(data: Uint8Array): Promise<Uint8Array[]> {
    return this.#run(this.steps.allgather(data));
  }
  /** Part `r` of every rank goes to rank `r`; parts may differ in size. */
  alltoall(parts: readonly Uint8Array[]): Promise<Uint8Array[]> {
    return this.#run(this.steps.alltoall(parts, false));
  }
}
