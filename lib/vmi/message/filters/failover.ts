/**
 * Composite `failover`: several networks in order of preference, of which one is used; when it falls silent the next is,
 * and everything not acknowledged is sent again there. Delivery stays once and in order through any number of switches.
 *
 * A child is up, then suspect (frames unanswered for their time: it is asked by a ping), then down (no pong within the
 * timeout). A child that is down is asked again while there is traffic; when the preferred one has been up for the hold
 * time it is taken again. With no child left the connection fails with `peerGone`. Nothing is sent while there is no
 * traffic. Warm.
 */
import { FrameType, MessageStatus } from "../../../spec/message_abi.ts";
import type { LayerTimer } from "../event_queue.ts";
import type { Frame } from "../frame.ts";
import type { Link, LinkHost, MessageModule, ModuleHost, Parameters } from "../module.ts";
import { Arq, ARQ_HEADER, arqHeader, ArqKind } from "./arq.ts";
import { REAL_TIMEOUT } from "./reliable.ts";

/** The module. */
export const failover: MessageModule = {
  name: "failover",
  abi: 1,
  holdsUp: false,
  kind: "composite",
  parameters: [
    { name: "window", type: "number", default: 64, min: 1, max: 64, integer: true },
    { name: "timeoutUs", type: "number", default: 0, min: 0, max: 1e9 },
    { name: "holdUs", type: "number", default: 5e6, min: 0, max: 1e12 },
    { name: "probeUs", type: "number", default: 0, min: 0, max: 1e12 },
  ],
  create: (p, node) => ({ open: (host) => new Failover(p, node, host) }),
};

/** Times a child is asked before it is down. */
const QUESTIONS = 3;
/** Times the last child is asked: after it there is nothing. */
const LAST_QUESTIONS = 12;
/** Times frames go unanswered before a child that answers questions is down all the same, and for the last child. */
const TRIES = 5;
const LAST_TRIES = 16;
/** Questions that do not count, because frames of the peer still come by this child and its pong may be behind them. */
const EXCUSES = 40;

interface Child {
  state: "up" | "suspect" | "down";
  /** Since when it is up. */
  upSince: number;
  /** When it was last asked. */
  asked: number;
  /** When something last came by it. */
  heard: number;
}

class Failover implements Link {
  readonly #host: LinkHost;
  readonly #node: ModuleHost;
  readonly #arq: Arq;
  readonly #children: Child[];
  readonly #timer: LayerTimer;
  readonly #timeout: number;
  readonly #hold: number;
  readonly #probe: number;
  #active = 0;
  #questions = 0;
  #excuses = 0;
  #answerBy = 0;
  #switches = 0;
  #gone = false;

  constructor(p: Parameters, node: ModuleHost, host: LinkHost) {
    this.#host = host;
    this.#node = node;
    const slowest = host.children.reduce((t, c) => Math.max(t, c.reach.latencyNs), 1000);
    const given = Number(p["timeoutUs"]) * 1000;
    this.#timeout = given > 0 ? given : node.isVirtual ? 10 * slowest : 1e9;
    this.#hold = Number(p["holdUs"]) * 1000;
    this.#probe = Number(p["probeUs"]) * 1000 || 4 * this.#timeout;
    this.#children = host.children.map(() => ({ state: "up", upSince: -Infinity, asked: -Infinity, heard: -Infinity }));
    this.#timer = node.timer(() => this.#noPong());
    this.#arq = new Arq({
      node,
      window: Number(p["window"]),
      firstTimeout: 6 * slowest,
      leastTimeout: node.isVirtual ? 4 * slowest : REAL_TIMEOUT,
      bytesPerSecond: () => host.children[this.#active].reach.bytesPerSecond,
      answerDelay: node.isVirtual ? slowest / 2 : 1_000_000,
      transmit: (frame, header) => this.#send(this.#active, host.mark(frame, header)),
      answer: (header) => this.#send(this.#answerBy, host.make(FrameType.ack, header)),
      deliver: (frame) => host.up(frame),
      timeout: (tries) => this.#silent(tries),
      progress: () => this.#alive(this.#active),
    });
  }

  get queued(): number {
    return this.#arq.queued;
  }

  down(frame: Frame): void {
    if (this.#gone) return;
    this.#look();
    this.#arq.send(frame);
  }

  up(_frame: Frame): void {}

  upFrom(index: number, frame: Frame): void {
    const own = this.#host.unmark(frame);
    if (own === undefined || own.data.length !== ARQ_HEADER) return;
    const kind = own.data[0];
    this.#children[index].heard = this.#node.now();
    if (kind === ArqKind.ping) {
      const answer = own.data.slice();
      answer[0] = ArqKind.pong;
      this.#send(index, this.#host.make(FrameType.pong, answer));
    } else if (kind === ArqKind.pong) this.#alive(index);
    else {
      if (kind === ArqKind.data) this.#answerBy = index;
      this.#arq.received(own.frame, own.data);
    }
  }

  control(request: { readonly kind: string }): { readonly [name: string]: number | string } | undefined {
    if (request.kind !== "query") return undefined;
    return {
      ...this.#arq.counters,
      active: this.#host.children[this.#active]?.name ?? "",
      states: this.#children.map((c) => c.state).join(","),
      switches: this.#switches,
    };
  }

  close(): void {
    this.#arq.close();
    this.#timer.cancel();
  }

  #send(index: number, frame: Frame): void {
    this.#host.children[index]?.send(frame);
  }

  #ping(index: number): void {
    const now = Math.floor(this.#node.now());
    this.#children[index].asked = now;
    this.#send(index, this.#host.make(FrameType.ping, arqHeader(ArqKind.ping, 0, 0, now, 0)));
  }

  /** A child answered. */
  #alive(index: number): void {
    const child = this.#children[index];
    if (child.state === "down") {
      child.upSince = this.#node.now();
      this.#host.event({ kind: "up", from: this.#name(index), to: this.#name(this.#active), resent: 0 });
    }
    if (child.state === "suspect" && index === this.#active) {
      this.#timer.cancel();
      this.#questions = 0;
    }
    child.state = "up";
  }

  /** Frames went unanswered: ask the child, and try again meanwhile. */
  #silent(tries: number): void {
    const child = this.#children[this.#active];
    // It answers questions but carries no data: a child that is broken in part.
    if (tries > (this.#isLast ? LAST_TRIES : TRIES)) return this.#down();
    if (child.state === "up" && tries > 1) {
      child.state = "suspect";
      this.#questions = 1;
      this.#excuses = 0;
      this.#ping(this.#active);
      this.#timer.armAt(this.#node.now() + this.#patience());
    }
    this.#arq.resend();
  }

  /** How long to wait for one pong: frames under way go first, ours and a large one of the peer's. */
  #patience(): number {
    const { roundTripNs } = this.#arq.counters;
    const { bytesPerSecond, maxFrame } = this.#host.children[this.#active].reach;
    const frame = bytesPerSecond > 0 ? (2e9 * maxFrame) / bytesPerSecond : 0;
    return Math.max(this.#timeout / QUESTIONS, 2 * roundTripNs) + this.#arq.drainNs + frame;
  }

  #noPong(): void {
    const child = this.#children[this.#active];
    if (child.heard >= child.asked && this.#excuses++ < EXCUSES) this.#questions--;
    if (this.#questions < (this.#isLast ? LAST_QUESTIONS : QUESTIONS)) {
      this.#questions++;
      this.#ping(this.#active);
      this.#timer.armAt(this.#node.now() + this.#patience());
      return;
    }
    this.#down();
  }

  get #isLast(): boolean {
    return this.#children.every((c, i) => i === this.#active || c.state === "down");
  }

  /** The active child is down: on to the next, or the end. */
  #down(): void {
    this.#children[this.#active].state = "down";
    const next = this.#children.findIndex((c) => c.state !== "down");
    if (next >= 0) return this.#switch(next);
    this.#gone = true;
    this.close();
    this.#host.event({ kind: "gone", from: this.#name(this.#active), to: "", resent: 0 });
    this.#host.fail(MessageStatus.peerGone);
  }

  #switch(next: number): void {
    const from = this.#name(this.#active);
    this.#active = next;
    this.#questions = 0;
    this.#switches++;
    this.#timer.cancel();
    this.#arq.calm();
    const resent = this.#arq.resend();
    this.#host.event({ kind: "switch", from, to: this.#name(next), resent });
  }

  /** On traffic: asks children that are down, and goes back to a preferred one that has been up long enough. */
  #look(): void {
    const now = this.#node.now();
    for (const [i, child] of this.#children.entries()) {
      if (i === this.#active) break;
      if (child.state === "up" && now - child.upSince >= this.#hold) return this.#switch(i);
      if (child.state === "down" && now - child.asked >= this.#probe) this.#ping(i);
    }
  }

  #name(index: number): string {
    return this.#host.children[index]?.name ?? "";
  }
}
