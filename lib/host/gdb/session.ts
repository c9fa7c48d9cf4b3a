/**
 * One session with GDB: what its packets ask, done to a machine. The guest runs in pieces, so that a request to stop is
 * heard; going back in time is {@linkcode History}. Whatever a packet says, the answer is a packet: nothing a client sends
 * throws. Addresses are linear; EIP is the offset that the guest sees. Sources: GDB manual, appendix E. Cold.
 *
 * Not emulated: several processes, non-stop mode, tracepoints, file transfer; starting and killing the guest (a machine is
 * there already and stays).
 */
import { ConfigError } from "../../core/errors.ts";
import type { StopReason } from "../../core/stop.ts";
import type { CpuView } from "../../machine/cpu_view.ts";
import type { Machine } from "../../machine/machine.ts";
import { History } from "./history.ts";
import { monitor } from "./monitor.ts";
import { fromHex, hexNumber, PACKET_SIZE, toHex } from "./packet.ts";
import { type Hit, Points } from "./points.ts";
import { readRegister, readRegisters, TARGET_XML, writeRegister, writeRegisters } from "./registers.ts";
import { stopWords } from "./words.ts";

/** Error replies: a request that makes no sense, memory that is not there, too many points. */
const BAD = "E01";
const NO_MEMORY = "E14";
const TOO_MANY = "E28";

const FEATURES = "QStartNoAckMode+;qXfer:features:read+;swbreak+;hwbreak+;vContSupported+;ReverseStep+;" +
  "ReverseContinue+";

/** Instructions a step of one CPU may take the others. */
const STEP_BOUND = 1_000_000;

/** How a session ends. */
export type SessionEnd = "detached" | "killed" | "disconnected";

/** One client's view of a machine. */
export class Session {
  readonly #m: Machine;
  readonly #send: (text: string) => void;
  readonly #points: Points = new Points();
  readonly #history: History;
  #thread = 0;
  #stop = "S05";
  #interrupted = false;
  #turns = 0;
  /** Set when the session is over. */
  ended: SessionEnd | undefined = undefined;
  /** Acknowledgements are off from the next packet on. */
  noAck = false;

  /**
   * Begins.
   * @param machine What is debugged.
   * @param send Sends a packet's text, one character a byte.
   */
  constructor(machine: Machine, send: (text: string) => void) {
    this.#m = machine;
    this.#send = send;
    this.#history = new History(machine);
  }

  /** Asks a running guest to stop. */
  interrupt(): void {
    this.#interrupted = true;
  }

  /** Does what a packet asks and answers it; an empty answer says that it is not known. */
  async handle(text: string): Promise<void> {
    let reply: string | undefined;
    try {
      reply = await this.#answer(text);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#console(`${error.message}\n`);
      reply = BAD;
    }
    if (reply !== undefined) this.#send(reply);
  }

  get #cpu(): CpuView {
    return this.#m.cpus[this.#thread] ?? this.#m.cpu;
  }

  #answer(text: string): string | undefined | Promise<string | undefined> {
    const rest = text.slice(1);
    switch (text[0]) {
      case "?":
        return this.#stop;
      case "g":
        return readRegisters(this.#cpu);
      case "G":
        return this.#changed(writeRegisters(this.#cpu, rest));
      case "p":
        return readRegister(this.#cpu, hexNumber(rest) ?? -1) ?? BAD;
      case "P":
        return this.#setRegister(rest);
      case "m":
        return this.#readMemory(rest);
      case "M":
      case "X":
        return this.#writeMemory(text);
      case "c":
      case "C":
      case "s":
      case "S":
        return this.#resume(text);
      case "b":
        return this.#back(rest);
      case "Z":
      case "z":
        return this.#point(text);
      case "H":
      case "T":
        return this.#chooseThread(text);
      case "D":
        return this.#end("detached", "OK");
      case "k":
        return this.#end("killed", undefined);
      case "!":
        return "OK";
      default:
        return this.#long(text);
    }
  }

  /** Commands with names. */
  #long(text: string): string | undefined | Promise<string | undefined> {
    if (text.startsWith("qSupported")) return `PacketSize=${PACKET_SIZE.toString(16)};${FEATURES}`;
    if (text.startsWith("qXfer:features:read:")) return this.#describe(text.slice(20));
    if (text.startsWith("qRcmd,")) return this.#command(text.slice(6));
    if (text.startsWith("qThreadExtraInfo,")) return toHex(new TextEncoder().encode(this.#cpu.name));
    if (text.startsWith("vCont;")) return this.#vCont(text.slice(6));
    if (text.startsWith("vKill")) return this.#end("killed", "OK");
    if (text.startsWith("qSymbol:")) return "OK";
    switch (text) {
      case "QStartNoAckMode":
        this.noAck = true;
        return "OK";
      case "vCont?":
        return "vCont;c;C;s;S";
      case "qAttached":
        return "1";
      case "qC":
        return `QC${this.#thread + 1}`;
      case "qfThreadInfo":
        return `m${this.#m.cpus.map((_, i) => (i + 1).toString(16)).join(",")}`;
      case "qsThreadInfo":
        return "l";
      default:
        return "";
    }
  }

  // --- state

  #changed(done: boolean): string {
    if (done) this.#history.begin();
    return done ? "OK" : BAD;
  }

  #setRegister(text: string): string {
    const [number, digits = ""] = text.split("=");
    return this.#changed(writeRegister(this.#cpu, hexNumber(number) ?? -1, digits));
  }

  #readMemory(text: string): string {
    const [at, size] = text.split(",").map((part) => hexNumber(part));
    if (at === undefined || size === undefined) return BAD;
    const bytes = new Uint8Array(Math.min(size, PACKET_SIZE / 2 - 4, 2 ** 32 - at));
    const done = this.#pieces(at, bytes.length, (physical, from, n) => {
      bytes.set(this.#m.peek(physical, n), from);
      return true;
    });
    return done === 0 && size > 0 ? NO_MEMORY : toHex(bytes.subarray(0, done));
  }

  #writeMemory(text: string): string {
    const colon = text.indexOf(":");
    const [at, size] = text.slice(1, colon).split(",").map((part) => hexNumber(part));
    if (colon < 0 || at === undefined || size === undefined || at + size > 2 ** 32) return BAD;
    const data = text.slice(colon + 1);
    const bytes = text[0] === "M" ? fromHex(data) : Uint8Array.from(data, (c) => c.charCodeAt(0));
    if (bytes === undefined || bytes.length !== size) return BAD;
    if (size === 0) return "OK";
    const isThere = (physical: number): boolean =>
      this.#m.regions.some((r) => r.kind !== "mmio" && r.at <= physical && physical < r.at + r.size);
    if (this.#pieces(at, size, isThere) < size) return NO_MEMORY; // before anything is changed
    this.#pieces(at, size, (physical, from, n) => {
      this.#m.poke(physical, bytes.subarray(from, from + n));
      return true;
    });
    return this.#changed(true);
  }

  /** Goes through linear memory by pages; returns how many bytes were there. */
  #pieces(at: number, size: number, one: (physical: number, from: number, n: number) => boolean): number {
    let done = 0;
    while (done < size) {
      const physical = this.#cpu.translate((at + done) >>> 0);
      const n = Math.min(0x1000 - ((at + done) & 0xfff), size - done);
      if (physical < 0 || !one(physical, done, n)) break;
      done += n;
    }
    return done;
  }

  #describe(text: string): string {
    const [, name, at, size] = /^([\w.]*):([0-9a-f]+),([0-9a-f]+)$/i.exec(text) ?? [];
    const [from, length] = [hexNumber(at ?? ""), hexNumber(size ?? "")];
    if (name !== "target.xml" || from === undefined || length === undefined) return "E00";
    const end = from + Math.min(length, PACKET_SIZE / 2);
    return `${end >= TARGET_XML.length ? "l" : "m"}${TARGET_XML.slice(from, end)}`;
  }

  #point(text: string): string {
    const [type, at, size] = text.slice(1).split(";")[0].split(",").map((part) => hexNumber(part));
    if (type === undefined || at === undefined || size === undefined || type > 4) return type === undefined ? BAD : "";
    if (text[0] === "z") this.#points.remove(type, at, size);
    else if (!this.#points.add(type, at, size)) return TOO_MANY;
    return "OK";
  }

  #chooseThread(text: string): string {
    const id = /^(T|H[gc])(-1|[0-9a-f]{1,4})$/i.exec(text)?.[2];
    if (id === undefined) return BAD;
    const number = id === "-1" ? 0 : parseInt(id, 16);
    if (number > this.#m.cpus.length) return BAD;
    if (text.startsWith("Hg") && number > 0) this.#thread = number - 1;
    return "OK";
  }

  #command(digits: string): string {
    const bytes = fromHex(digits);
    if (bytes === undefined) return BAD;
    const { text, changed } = monitor(this.#m, new TextDecoder().decode(bytes), this.#history.position);
    if (changed) this.#history.begin();
    return toHex(new TextEncoder().encode(text.slice(0, PACKET_SIZE / 4)));
  }

  #console(text: string): void {
    this.#send(`O${toHex(new TextEncoder().encode(text))}`);
  }

  #end(how: SessionEnd, reply: string | undefined): string | undefined {
    this.#points.clear();
    this.ended = how;
    return reply;
  }

  // --- running

  #vCont(text: string): string | Promise<string> {
    const [action, thread] = text.split(";")[0].split(":");
    if (!/^([cs]|[CS][0-9a-f]{2})$/i.test(action)) return BAD;
    const number = hexNumber(thread ?? "1") ?? 1;
    if (action[0].toLowerCase() === "c") return this.#continue();
    return this.#step(Math.max(0, Math.min(number, this.#m.cpus.length) - 1));
  }

  /** `c`, `s` and their forms with a signal; an address to go on from may follow. */
  #resume(text: string): string | Promise<string> {
    const at = /^(?:[cs]|[CS][0-9a-f]{2};)([0-9a-f]{1,8})$/i.exec(text)?.[1];
    if (at !== undefined) {
      this.#cpu.eip = parseInt(at, 16);
      this.#history.begin();
    }
    return text[0].toLowerCase() === "c" ? this.#continue() : this.#step(this.#thread);
  }

  /** One instruction of one CPU; others may have their turns before it. */
  #step(thread: number): string {
    const cpu = this.#m.cpus[thread];
    const before = cpu.instructions;
    let end = this.#run("watchpoints", 1);
    for (let n = 0; n < STEP_BOUND && cpu.instructions === before && isGoingOn(end); n++) {
      end = this.#run("watchpoints", 1);
    }
    return this.#stopped(end.stop, end.hit);
  }

  async #continue(): Promise<string> {
    let end = this.#run("watchpoints", 1); // away from a breakpoint at this very place
    let goesOn = true;
    while (isGoingOn(end) && goesOn) {
      end = this.#run("all", this.#history.room);
      goesOn = await this.#turn();
    }
    this.#interrupted = false; // only now: the request may have come before the run began
    return isGoingOn(end) ? this.#reply("02", "") : this.#stopped(end.stop, end.hit);
  }

  #run(
    armed: "all" | "watchpoints",
    instructions: number,
  ): { readonly stop: StopReason; readonly hit: Hit | undefined } {
    const { result, hit } = this.#points.during(this.#m, armed, () => this.#m.run({ instructions }));
    this.#history.advance();
    return { stop: result, hit };
  }

  async #back(how: string): Promise<string> {
    if (how === "s") {
      const there = this.#history.goTo(this.#history.position - 1);
      return this.#reply("05", there ? "" : "replaylog:begin:;");
    }
    if (how !== "c") return "";
    const { hit } = await this.#history.searchBack(this.#points, () => this.#turn());
    this.#interrupted = false;
    return hit === undefined ? this.#reply("05", "replaylog:begin:;") : this.#reply("05", pointText(hit));
  }

  /** Lets the event loop breathe now and then; false: a stop was asked for. */
  async #turn(): Promise<boolean> {
    if (++this.#turns % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    return !this.#interrupted && this.ended === undefined;
  }

  #stopped(stop: StopReason, hit: Hit | undefined): string {
    if (hit !== undefined) {
      const there = this.#m.cpus.findIndex((cpu) => cpu.pcLinear === hit.at);
      if (there >= 0) this.#thread = there;
      return this.#reply("05", pointText(hit));
    }
    if (stop.kind === "budget") return this.#reply("05", "");
    this.#console(`vmikit: ${stopWords(stop)}\n`);
    return this.#reply(SIGNALS[stop.kind] ?? "05", "");
  }

  #reply(signal: string, more: string): string {
    this.#stop = `T${signal}thread:${(this.#thread + 1).toString(16)};${more}`;
    return this.#stop;
  }
}

/** Signals that GDB knows, for ends that are faults of the guest: segmentation fault, illegal instruction, abort. */
const SIGNALS: Readonly<Partial<Record<StopReason["kind"], string>>> = {
  fault: "0b",
  unimplemented: "04",
  killed: "06",
};

function isGoingOn({ stop, hit }: { readonly stop: StopReason; readonly hit: Hit | undefined }): boolean {
  return stop.kind === "budget" && hit === undefined;
}

function pointText({ kind, at }: Hit): string {
  return kind === "swbreak" || kind === "hwbreak" ? `${kind}:;` : `${kind}:${at.toString(16)};`;
}
