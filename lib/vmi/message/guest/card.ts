/**
 * The message card of a machine: a PCI function with the adapter in its two ranges, and the hypercall ports. Both lead
 * to the same executor.
 *
 * Hypercall form: `OUT 0x564C, EAX` with the guest-physical address of a 64-byte entry runs it; `IN EAX, 0x5650` gives
 * the status of the last one. POLL and WAIT hand over one completion: 32 bytes at the entry's address (type 0: there is
 * none), its data at the payload address, up to the payload length; with payload length 0 only a completion
 * without data. WAIT lets time pass until there is one, or until its
 * deadline.
 *
 * Not emulated: saving a node in the middle of a job. Loading a snapshot is refused once the job has begun. Warm.
 */
import type { IrqLine, MmioHandler } from "../../../core/bus.ts";
import type { Section } from "../../../core/component.ts";
import type { Device, DeviceHost } from "../../../core/device.ts";
import { ConfigError } from "../../../core/errors.ts";
import { EntrySize, MESSAGE_PORTS, MessageOp, MessageStatus } from "../../../spec/message_abi.ts";
import type { Status } from "../../../spec/message_abi.ts";
import type { MessageEvent } from "../events.ts";
import type { Runtime } from "../runtime.ts";
import { Adapter, receive } from "./adapter.ts";
import { type Completion, readSubmission, type Submission, writeCompletion } from "./entry.ts";
import { Executor } from "./executor.ts";
import { CardSpace } from "./function.ts";
import type { GuestRam } from "./registrations.ts";

/** What the card needs of its node. */
export interface CardHost {
  /** Brings the node's events up to the machine's time. */
  sync(): void;
  /** Something was sent or armed: the machine may have to stop earlier. */
  touched(): void;
  /** May a call not be answered yet? Then `answer` does it later, before the guest goes on. */
  holds(answer: () => void): boolean;
  /** The guest waits until `until` or a completion. */
  wait(until: number): void;
  /** The guest ended. */
  exit(code: number, failed: boolean): void;
  /** A line for the log. */
  log(text: string): void;
}

/** First address of the local APICs' range, 1 MiB. */
const APICS = 0xfee00000;

/** The function's configuration space; the shape a PCI bus takes. */
export interface CardFunction {
  /** Name for messages. */
  readonly name: string;
  /** Configuration space at reset; 256 bytes. */
  readonly config: Uint8Array;
  /** Writable bits; 256 bytes. */
  readonly writable: Uint8Array;
  /** Base address registers. */
  readonly bars: readonly { readonly kind: "memory"; readonly size: number; readonly handler: MmioHandler }[];
  /** The guest changed its space. */
  changed(space: Uint8Array): void;
}

/** One node's card. */
export class MessageCard implements Device {
  /** Name of the component. */
  readonly name = "message";
  /** The PCI function. */
  readonly pci: CardFunction;
  /** What runs the guest's commands. */
  readonly executor: Executor;
  /** Registers and rings. */
  readonly adapter: Adapter;
  readonly #host: CardHost;
  readonly #space: CardSpace;
  #signal: ((address: number, data: number) => void) | undefined;
  /** Hypercalls reach memory whatever the function may do by itself. */
  #called = false;
  #status: Status = MessageStatus.success;
  #waiting: Submission | undefined;
  #begun = false;

  /** Makes one. @param runtime The rank's runtime. @param ram The node's RAM. @param host The node. */
  constructor(runtime: Runtime, ram: GuestRam, host: CardHost) {
    this.#host = host;
    this.#space = new CardSpace({
      message: (address, data) => this.#message(ram, address, data),
      mastering: () => this.adapter.resume(),
      decoding: () => host.touched(),
    });
    this.executor = new Executor(runtime, {
      ram: this.#reachable(ram),
      ready: () => this.adapter.ready(),
      wait: (until) => host.wait(until),
      exit: (code, failed) => host.exit(code, failed),
      log: (text) => host.log(text),
    });
    this.adapter = new Adapter({
      runtime,
      executor: this.executor,
      interrupt: (level) => this.#space.interrupt(level),
      mayMaster: () => this.#space.master,
      sync: () => host.sync(),
    });
    const { config, writable } = this.#space;
    const bars = [this.#registers(), this.#doorbells()];
    this.pci = { name: this.name, config, writable, bars, changed: (space) => this.#space.changed(space) };
  }

  /** Takes the wire of pin INTA. */
  wire(pin: (n: number) => IrqLine): void {
    this.#space.line = pin(1);
  }

  /** Takes the way to the local APICs: messages of interrupts go there. */
  signals(send: (address: number, data: number) => void): void {
    this.#signal = send;
  }

  /** Maps the hypercall ports. */
  attach(host: DeviceHost): void {
    host.ports.map(MESSAGE_PORTS.call, 4, this.name, {
      widths: [32],
      read: (): number => 0xffffffff,
      write: (_port, value): void => this.call(value),
    });
    host.ports.map(MESSAGE_PORTS.status, 4, this.name, {
      widths: [32],
      read: (): number => this.#status >>> 0,
      write: (): void => {},
    });
  }

  /** Power-on state; connections stay. */
  reset(): void {
    this.adapter.reset();
    this.#status = MessageStatus.success;
    this.#waiting = undefined;
  }

  /** What of it can be saved. */
  save(): Section {
    return { version: 1, fields: { begun: this.#begun, status: this.#status } };
  }

  /** Has nothing to load: before the job began there is no state. */
  load(_section: Section): void {}

  /** Only before the job began. @throws {ConfigError} message-snapshot */
  accepts(section: Section): void {
    if (section.fields["begun"] === false && !this.#begun) return;
    throw new ConfigError("message-snapshot", "A node of a job cannot be restored once it has used its message card");
  }

  /** An event of the runtime. */
  event(event: MessageEvent): void {
    this.executor.event(event);
  }

  /** Status of the last hypercall, u32. */
  get status(): Status {
    return this.#status;
  }

  /** Is something there for a guest that waits? */
  get hasNews(): boolean {
    // Without a buffer a waiting guest asks for completions without data only.
    if (this.#waiting?.payloadLength === 0) return this.executor.peek(false) !== undefined;
    return this.executor.hasCompletions || this.adapter.hasUnseen;
  }

  /** Can the guest not notice what comes until it calls? */
  get isQuiet(): boolean {
    return !this.#space.decodes && !this.adapter.isActive && this.executor.isQuiet;
  }

  /**
   * A hypercall: runs the entry at a guest-physical address.
   *
   * @param op Replaces the entry's own command, if given.
   * @param done Told the status, if not at once then before the guest goes on.
   */
  call(address: number, op?: number, done?: (status: Status) => void): void {
    this.#begun = true;
    const answer = (): void => {
      this.#host.sync();
      this.#status = this.#asCall(() => this.#run(address, op));
      this.#host.touched();
      done?.(this.#status);
    };
    if (!this.#host.holds(answer)) answer();
  }

  /** The wait of a hypercall is over. */
  woken(): void {
    const s = this.#waiting;
    this.#waiting = undefined;
    if (s !== undefined) this.#status = this.#asCall(() => this.#poll(s));
  }

  #asCall(run: () => Status): Status {
    this.#called = true;
    try {
      return run();
    } finally {
      this.#called = false;
    }
  }

  /** Memory as it can be reached: an adapter that is enabled masters the bus, and only while the guest lets it. */
  #reachable(ram: GuestRam): GuestRam {
    const may = (): boolean => this.#called || this.#space.master || !this.adapter.isEnabled;
    return {
      has: (at, length) => may() && ram.has(at, length),
      read: (at, into) => may() && ram.read(at, into),
      write: (at, bytes) => may() && ram.write(at, bytes),
    };
  }

  /** The word of a message-signalled interrupt. */
  #message(ram: GuestRam, address: number, data: number): void {
    if (address >>> 20 === APICS >>> 20) this.#signal?.(address, data);
    else ram.write(address, Uint8Array.of(data, data >> 8, 0, 0));
  }

  #run(address: number, op: number | undefined): Status {
    const bytes = new Uint8Array(EntrySize.submission);
    if (!this.executor.ram.read(address, bytes)) return MessageStatus.access;
    if (op !== undefined) bytes[0] = op;
    const s = readSubmission(bytes);
    if (s.op === MessageOp.poll) return this.#poll(s);
    if (s.op !== MessageOp.wait) return this.executor.submit(s, false);
    this.#waiting = s;
    if (this.hasNews) {
      this.#waiting = undefined;
      return this.#poll(s);
    }
    return this.executor.submit(s, false);
  }

  /** Hands over one completion. */
  #poll(s: Submission): Status {
    const { executor } = this;
    // Length 0: the guest only wants to wait, and looks elsewhere.
    if (s.length === 0) return MessageStatus.success;
    if (s.length < EntrySize.completion) return MessageStatus.invalidArgument;
    const buffered = executor.peek(false) === undefined;
    const next = buffered && s.payloadLength === 0 ? undefined : executor.peek(buffered);
    if (next === undefined) {
      const none = new Uint8Array(EntrySize.completion);
      return executor.ram.write(s.address, none) ? MessageStatus.success : MessageStatus.access;
    }
    // Look before the completion is taken: it must not be lost by a bad address.
    if (!executor.ram.has(s.address, EntrySize.completion)) return MessageStatus.access;
    executor.take(buffered);
    if (!buffered) executor.taken(next);
    const full: Completion = buffered ? receive(executor, next, bufferOf(s)) : next;
    executor.ram.write(s.address, writeCompletion(full, 1));
    return MessageStatus.success;
  }

  #registers(): CardFunction["bars"][number] {
    return {
      kind: "memory",
      size: 4096,
      handler: {
        read: (offset, width) => width === 32 && (offset & 3) === 0 ? this.adapter.read(offset) >>> 0 : 0,
        write: (offset, value, width): void => {
          this.#begun = true;
          if (width === 32 && (offset & 3) === 0) this.adapter.write(offset, value);
          this.#host.touched();
        },
        peek: () => 0,
      },
    };
  }

  #doorbells(): CardFunction["bars"][number] {
    return {
      kind: "memory",
      size: 4096,
      handler: {
        read: () => 0,
        write: (offset, value, width): void => {
          this.#begun = true;
          if (width === 32) this.adapter.doorbell(offset, value);
          this.#host.touched();
        },
        peek: () => 0,
      },
    };
  }
}

function bufferOf(s: Submission): Uint8Array {
  const out = new Uint8Array(EntrySize.receive);
  const v = new DataView(out.buffer);
  v.setUint32(0, s.payloadAddress % 2 ** 32, true);
  v.setUint32(4, Math.floor(s.payloadAddress / 2 ** 32), true);
  v.setUint32(8, s.payloadLength, true);
  v.setUint32(12, Number(s.cookie & 0xffffffffn), true);
  return out;
}
