/**
 * Changing the filters of a live connection, and management requests to its layers, from either end. Both ends agree by
 * a request and an answer that carry a proof of the job key; a change of the list takes effect under a new epoch, so no
 * frame in flight is lost or passes the wrong filters. One change at a time: if both ends ask at once the lower rank's
 * request wins and the other ends with `badState`. Cold.
 */
import { FrameType, MessageStatus } from "../../spec/message_abi.ts";
import type { Status } from "../../spec/message_abi.ts";
import type { Chain } from "./chain.ts";
import type { Connection } from "./connection.ts";
import type { MessageEvent, Token } from "./events.ts";
import type { Frame } from "./frame.ts";
import type { ControlAnswer, Parameters, ParameterValue } from "./module.ts";
import { packFields, unpackFields } from "./operation.ts";
import { deriveKey, hmacSha256 } from "./sha256.ts";

/** A change or a question. */
export type ChainChange =
  /** Adds a filter; `position` 0 is the top. A device that the spec does not name brings its module and parameters. */
  | {
    readonly kind: "insert";
    readonly device: string;
    readonly position?: number;
    readonly module?: string;
    readonly parameters?: Parameters;
  }
  /** Takes a filter out. */
  | { readonly kind: "remove"; readonly device: string }
  /** Changes a parameter of a layer at both ends. */
  | { readonly kind: "set"; readonly device: string; readonly name: string; readonly value: ParameterValue }
  /** Reads counters and parameters of the peer's layer; the answer is data in JSON. */
  | { readonly kind: "query"; readonly device: string };

/** A change under way. */
export interface Reconfiguration {
  /** Number of the request. */
  readonly id: number;
  /** Epoch it will have, if it changes the list. */
  readonly epoch: number;
  /** What. */
  readonly change: ChainChange;
  /** For its completion. */
  readonly token: Token;
  /** Another change won: the list is not ours any more. */
  abandoned: boolean;
}

/** What a reconfiguration needs of its runtime. */
export interface ReconfigureHost {
  /** This rank. */
  readonly rank: number;
  /** Key of the job. */
  readonly key: string;
  /** A fresh number. */
  number(): number;
  /** Reports. */
  emit(event: MessageEvent): void;
  /** Chain number `n` of a connection at this end. */
  chainAt(connection: Connection, n: number): Chain | undefined;
  /** Makes sure that a device exists at this node; false: it cannot be made, or it is no filter. */
  ensureFilter(name: string, module: string | undefined, parameters: Parameters | undefined): boolean;
}

const REQUEST = 0;
const ANSWER = 1;

/** Handles changes for all connections of a node. */
export class Reconfigurer {
  readonly #host: ReconfigureHost;
  #key: Uint8Array | undefined;

  /** Made by a runtime. @param host The runtime. */
  constructor(host: ReconfigureHost) {
    this.#host = host;
  }

  /** Begins a change. */
  begin(c: Connection, change: ChainChange, token: Token): Status {
    const chain = c.chain;
    if (!c.isConnected || chain === undefined) return MessageStatus.notConnected;
    if (c.reconfiguration !== undefined) return MessageStatus.badState;
    const epoch = chain.epoch + 1;
    if (!this.#prepare(chain, epoch, change)) return MessageStatus.invalidArgument;
    const id = this.#host.number();
    c.reconfiguration = { id, epoch, change, token, abandoned: false };
    this.#post(c, [REQUEST, id, epoch, 0], change);
    return MessageStatus.success;
  }

  /** A management frame arrived. */
  received(c: Connection, frame: Frame): void {
    const f = unpackFields(frame, 4);
    const body = f === undefined ? undefined : this.#open(frame);
    if (f === undefined || body === undefined) {
      c.counters.malformed++;
      return;
    }
    if (f.number(0) === REQUEST) {
      this.#answer(c, frame.chain, { id: f.number(1), epoch: f.number(2) }, body as ChainChange);
    } else this.#answered(c, f.number(1), f.number(3), body as ControlAnswer);
  }

  #answer(c: Connection, n: number, asked: { id: number; epoch: number }, change: ChainChange): void {
    const reply = (status: Status, body: ControlAnswer = {}): void =>
      this.#post(c, [ANSWER, asked.id, asked.epoch, status], body);
    const chain = this.#host.chainAt(c, n);
    if (chain === undefined || !c.isConnected) return reply(MessageStatus.badState);
    if (change.kind === "query") {
      const found = chain.find(change.device)?.control?.({ kind: "query" });
      return found === undefined ? reply(MessageStatus.invalidArgument) : reply(MessageStatus.success, found);
    }
    if (change.kind === "set") {
      return reply(this.#prepare(chain, 0, change) ? MessageStatus.success : MessageStatus.invalidArgument);
    }
    const mine = c.reconfiguration;
    if (mine !== undefined && !mine.abandoned && changesList(mine.change)) {
      if (this.#host.rank < c.peer) return reply(MessageStatus.badState);
      mine.abandoned = true;
      chain.forget(mine.epoch);
    }
    if (asked.epoch !== chain.epoch + 1 || !this.#prepare(chain, asked.epoch, change)) {
      return reply(MessageStatus.invalidArgument);
    }
    chain.epoch = asked.epoch;
    reply(MessageStatus.success);
  }

  #answered(c: Connection, id: number, status: Status, body: ControlAnswer): void {
    const mine = c.reconfiguration;
    if (mine === undefined || mine.id !== id) return;
    c.reconfiguration = undefined;
    const chain = c.chain;
    if (changesList(mine.change) && !mine.abandoned && chain !== undefined) {
      if (status === MessageStatus.success) chain.epoch = mine.epoch;
      else chain.forget(mine.epoch);
    }
    const data = new TextEncoder().encode(JSON.stringify(body));
    if (mine.token !== undefined) this.#host.emit({ kind: "done", status, token: mine.token, data });
  }

  /** Makes the list of the epoch, or sets the parameter; false: not possible. */
  #prepare(chain: Chain, epoch: number, change: ChainChange): boolean {
    switch (change.kind) {
      case "insert":
        if (!this.#host.ensureFilter(change.device, change.module, change.parameters)) return false;
        chain.prepareInsert(epoch, change.position ?? 0, change.device);
        return true;
      case "remove":
        return chain.prepareRemove(epoch, change.device);
      case "set": {
        const { name, value } = change;
        return chain.find(change.device)?.control?.({ kind: "set", name, value }) !== undefined;
      }
      case "query":
        return true;
    }
  }

  #post(c: Connection, fields: readonly number[], body: ChainChange | ControlAnswer): void {
    const text = new TextEncoder().encode(JSON.stringify(body));
    const payload = new Uint8Array(16 + text.length);
    payload.set(text, 16);
    payload.set(this.#proof(text));
    c.post(FrameType.control, 0, [packFields(...fields)], payload);
  }

  #open(frame: Frame): unknown {
    const text = frame.payload.subarray(16);
    const proof = this.#proof(text);
    if (frame.payload.length < 16 || proof.some((b, i) => b !== frame.payload[i])) return undefined;
    try {
      const body: unknown = JSON.parse(new TextDecoder().decode(text));
      return typeof body === "object" && body !== null ? body : undefined;
    } catch {
      return undefined;
    }
  }

  #proof(text: Uint8Array): Uint8Array {
    this.#key ??= deriveKey(this.#host.key, "control");
    return hmacSha256(this.#key, text).subarray(0, 16);
  }
}

function changesList(change: ChainChange): boolean {
  return change.kind === "insert" || change.kind === "remove";
}
