/**
 * An ATA disk or ATAPI CD drive behind its task file. A command completes at once; what takes time is only the guest's
 * own transfer. Data passes through a buffer of at most 64 KiB, so that no request allocates by its size.
 *
 * Sources: ATA/ATAPI-6 (T13/1410D), SCSI Primary and Multi-Media Commands (INCITS). Warm.
 *
 * Not emulated: power management timers, security, SMART, tagged queuing, audio; CHS geometry is 16 heads, 63 sectors.
 */
import type { FieldValue } from "../core/component.ts";
import { type IdeDriveOptions, identify } from "./ide_identify.ts";
import { packetCommand } from "./atapi_commands.ts";

export type { IdeDriveOptions } from "./ide_identify.ts";

const BUSY_FREE = 0x50;
const DRQ = 0x08;
const ERR = 0x01;
const ABRT = 0x04;
const IDNF = 0x10;
const UNC = 0x40;
const CHUNK = 0x10000;

/** Registers and progress of a drive; plain data, saved as it is. Byte pairs are (newest, previous). */
export interface DriveState {
  [name: string]: number | boolean;
}

function powerOn(cd: boolean): DriveState {
  return {
    features: 0,
    count: 1,
    count2: 0,
    low: 1,
    low2: 0,
    mid: cd ? 0x14 : 0,
    mid2: 0,
    high: cd ? 0xeb : 0,
    high2: 0,
    device: 0,
    status: cd ? 0 : BUSY_FREE,
    error: 1,
    irq: false,
    multi: 1,
    op: 0,
    lba: 0,
    left: 0,
    pos: 0,
    stop: 0,
    dma: false,
    ext: false,
    limit: 0,
    sense: 0,
    asc: 0,
  };
}

/** What `op` means. */
const Op = { idle: 0, data: 1, read: 2, write: 3, packet: 4, reply: 5, stream: 6 } as const;

/** One drive. */
export class IdeDrive {
  readonly #o: IdeDriveOptions;
  readonly #size: number;
  readonly #raise: () => void;
  readonly #note: (text: string) => void;
  s: DriveState;
  #buffer: Uint8Array = new Uint8Array(0);

  /** Makes one. @param raise Called when the drive raises its interrupt. @param note Leaves an entry in the trace. */
  constructor(options: IdeDriveOptions, raise: () => void, note: (text: string) => void) {
    this.#o = options;
    this.#note = note;
    this.#size = options.kind === "cd" ? 2048 : 512;
    this.#raise = raise;
    this.s = powerOn(options.kind === "cd");
  }

  /** Hardware or software reset: signature in the task file. */
  reset(): void {
    this.s = powerOn(this.#o.kind === "cd");
    this.#buffer = new Uint8Array(0);
  }

  /** State with the buffer, and the medium's changes. */
  save(): FieldValue {
    return { state: { ...this.s }, buffer: this.#buffer.slice(), medium: this.#o.image.save?.() ?? null };
  }

  /** Restores what save gave. */
  load(value: FieldValue): void {
    const f = value as unknown as { state: DriveState; buffer: Uint8Array; medium: FieldValue };
    this.s = { ...powerOn(false), ...f.state };
    this.#buffer = f.buffer.slice();
    if (f.medium !== null) this.#o.image.load?.(f.medium);
  }

  /** Reads or writes the medium; false: an error of the medium, also one that the image threw. */
  #medium(what: "read" | "write", count: number, bytes: Uint8Array): boolean {
    try {
      if (this.#o.image[what](this.#n("lba"), count, bytes)) return true;
      this.#note(`medium error at sector ${this.#n("lba")}`);
    } catch (e) {
      this.#note(`medium error at sector ${this.#n("lba")}: ${e instanceof Error ? e.message : String(e)}`);
    }
    return false;
  }

  #n(name: string): number {
    return Number(this.s[name]);
  }

  /** True while a DMA transfer waits for the bus master; `toGuest` says its direction. */
  get dmaReady(): boolean {
    return this.s["dma"] === true && (this.#n("status") & DRQ) !== 0;
  }

  /** Direction of the transfer: true from drive to memory. */
  get toGuest(): boolean {
    return this.#n("op") !== Op.write;
  }

  /** Next bytes of a DMA transfer to or from the guest, at most 64 KiB; they must be used up before the next call. */
  dmaWindow(): Uint8Array {
    return this.#buffer.subarray(this.#n("pos"), this.#n("stop"));
  }

  /** Tells how many bytes of the window were moved. */
  dmaMoved(bytes: number): void {
    this.s["pos"] = this.#n("pos") + bytes;
    if (this.#n("pos") >= this.#n("stop")) this.#drained();
  }

  /** Reads the data register, one byte or two. */
  dataRead(bytes: number): number {
    if ((this.#n("status") & DRQ) === 0 || !this.toGuest || this.s["dma"] === true) return 0xffff;
    const pos = this.#n("pos");
    const stop = this.#n("stop");
    const low = this.#buffer[pos] ?? 0xff;
    const high = pos + 1 < stop ? this.#buffer[pos + 1] ?? 0xff : 0xff;
    this.s["pos"] = pos + bytes;
    if (pos + bytes >= stop) this.#drained();
    return low | (high << 8);
  }

  /** Writes the data register, one byte or two. */
  dataWrite(value: number, bytes: number): void {
    const op = this.#n("op");
    if ((this.#n("status") & DRQ) === 0 || (op !== Op.write && op !== Op.packet)) return;
    if (this.s["dma"] === true && op !== Op.packet) return;
    const pos = this.#n("pos");
    this.#buffer[pos] = value & 0xff;
    if (bytes === 2) this.#buffer[pos + 1] = value >>> 8;
    this.s["pos"] = pos + bytes;
    if (pos + bytes >= this.#n("stop")) this.#drained();
  }

  /** Executes a command register write. */
  command(code: number): void {
    const s = this.s;
    s["irq"] = false;
    s["error"] = 0;
    s["dma"] = false;
    s["op"] = Op.idle;
    s["status"] = BUSY_FREE;
    if (this.#o.kind === "cd") this.#cdCommand(code);
    else this.#diskCommand(code);
  }

  #cdCommand(code: number): void {
    switch (code) {
      case 0x08:
        this.reset();
        return;
      case 0xa0:
        this.s["dma"] = false;
        this.s["limit"] = this.#n("mid") | (this.#n("high") << 8);
        this.s["count"] = 1;
        return this.#begin(Op.packet, new Uint8Array(12), false);
      case 0xa1:
        return this.#begin(Op.data, identify(this.#o, this.#n("multi")), true);
      case 0xec:
        this.s["mid"] = 0x14;
        this.s["high"] = 0xeb;
        return this.#fail(ABRT);
      case 0xe0:
      case 0xe1:
        return this.#complete("power management has no effect");
      case 0xef:
        return this.#complete();
      case 0x90:
        return this.#diagnose();
      default:
        return this.#refuse("command", code);
    }
  }

  #diagnose(): void {
    const cd = this.#o.kind === "cd";
    Object.assign(this.s, { error: 1, count: 1, low: 1, mid: cd ? 0x14 : 0, high: cd ? 0xeb : 0, status: BUSY_FREE });
    this.#interrupt();
  }

  #diskCommand(code: number): void {
    switch (code) {
      case 0x20:
      case 0x21:
      case 0xc4:
      case 0x24:
      case 0x29:
        return this.#transfer(Op.read, code === 0x24 || code === 0x29, false, code === 0xc4 || code === 0x29);
      case 0x30:
      case 0x31:
      case 0xc5:
      case 0x34:
      case 0x39:
        return this.#transfer(Op.write, code === 0x34 || code === 0x39, false, code === 0xc5 || code === 0x39);
      case 0xc8:
      case 0xc9:
      case 0x25:
        return this.#transfer(Op.read, code === 0x25, true, true);
      case 0xca:
      case 0xcb:
      case 0x35:
        return this.#transfer(Op.write, code === 0x35, true, true);
      case 0x40:
      case 0x41:
      case 0x42:
        return this.#transfer(Op.idle, code === 0x42, false, false);
      case 0xc6: {
        const n = this.#n("count");
        if (n === 0 || n > 16 || (n & (n - 1)) !== 0) return this.#fail(ABRT);
        this.s["multi"] = n;
        return this.#complete();
      }
      case 0xec:
        return this.#begin(Op.data, identify(this.#o, this.#n("multi")), true);
      case 0x27:
      case 0xf8:
        return this.#nativeMax(code === 0x27);
      case 0x90:
        return this.#diagnose();
      case 0xef:
        if ([2, 3, 0x82, 0x55, 0xaa, 0x66, 0xcc].includes(this.#n("features"))) return this.#complete();
        return this.#refuse("feature", this.#n("features"));
      case 0xe5:
        this.s["count"] = 0xff;
        return this.#complete();
      case 0x91:
        return this.#complete("the geometry stays at 16 heads and 63 sectors");
      case 0xe0:
      case 0xe1:
      case 0xe2:
      case 0xe3:
        return this.#complete("power management has no effect");
      case 0xe7:
      case 0xea:
        return this.#complete();
      default:
        if ((code & 0xf0) === 0x10 || (code & 0xf0) === 0x70) return this.#complete();
        return this.#refuse("command", code);
    }
  }

  /** A command that the drive does not have: the guest is told, as by the part. */
  #refuse(what: string, code: number): void {
    this.#note(`${what} 0x${code.toString(16)} refused`);
    this.#fail(ABRT);
  }

  #nativeMax(ext: boolean): void {
    const last = ext ? this.#o.image.sectors - 1 : Math.min(this.#o.image.sectors, 0x0fffffff) - 1;
    Object.assign(this.s, { low: last & 0xff, mid: (last >>> 8) & 0xff, high: (last >>> 16) & 0xff });
    if (ext) this.s["low2"] = (last >>> 24) & 0xff;
    else this.s["device"] = (this.#n("device") & 0xf0) | ((last >>> 24) & 15);
    this.#complete();
  }

  #transfer(op: number, ext: boolean, dma: boolean, many: boolean): void {
    const s = this.s;
    const device = this.#n("device");
    const low24 = this.#n("low") | (this.#n("mid") << 8) | (this.#n("high") << 16);
    let count = this.#n("count") || 256;
    let lba = low24 + (device & 15) * 0x1000000;
    if (ext) {
      count = (this.#n("count") | (this.#n("count2") << 8)) || 65536;
      lba = low24 + this.#n("low2") * 2 ** 24 + this.#n("mid2") * 2 ** 32 + this.#n("high2") * 2 ** 40;
    } else if ((device & 0x40) === 0) {
      if (this.#n("low") === 0) return this.#fail(IDNF);
      lba = ((this.#n("mid") | (this.#n("high") << 8)) * 16 + (device & 15)) * 63 + this.#n("low") - 1;
    }
    if (lba + count > this.#o.image.sectors) return this.#fail(IDNF);
    if (op === Op.idle) return this.#complete();
    Object.assign(s, { lba, left: count, dma, op, limit: dma ? CHUNK / 512 : many ? this.#n("multi") : 1 });
    this.#nextChunk(!dma && op === Op.read);
  }

  /** Prepares the next data block of a disk transfer. */
  #nextChunk(interrupt: boolean): void {
    const count = Math.min(this.#n("left"), Math.max(1, this.#n("limit")));
    const buffer = new Uint8Array(count * this.#size);
    const op = this.#n("op");
    if (op === Op.read && !this.#medium("read", count, buffer)) return this.#fail(UNC);
    this.#begin(op, buffer, interrupt);
  }

  #begin(op: number, buffer: Uint8Array, interrupt: boolean): void {
    this.#buffer = buffer;
    Object.assign(this.s, { op, pos: 0, stop: buffer.length, status: BUSY_FREE | DRQ });
    if (interrupt) this.#interrupt();
  }

  /** The guest has taken or given all bytes of the block. */
  #drained(): void {
    const op = this.#n("op");
    if (op === Op.data) return this.#idle();
    if (op === Op.packet) return this.#packet();
    if (op === Op.reply || op === Op.stream) return this.#cdMore();
    const count = this.#buffer.length / this.#size;
    if (op === Op.write && !this.#medium("write", count, this.#buffer)) return this.#fail(UNC);
    this.s["lba"] = this.#n("lba") + count;
    this.s["left"] = this.#n("left") - count;
    const dma = this.s["dma"] === true;
    if (this.#n("left") > 0) return this.#nextChunk(!dma);
    this.#idle();
    if (dma || op === Op.write) this.#interrupt();
  }

  #packet(): void {
    const s = this.s;
    const answer = packetCommand(this.#buffer, this.#o.image.sectors, this.#n("sense"), this.#n("asc"));
    s["sense"] = answer.sense;
    s["asc"] = answer.asc;
    if (answer.sense !== 0) {
      if (answer.asc === 0x20) this.#note(`packet command 0x${this.#buffer[0].toString(16)} refused`);
      s["count"] = 3;
      return this.#fail((answer.sense << 4) | ABRT);
    }
    s["dma"] = (this.#n("features") & 1) !== 0;
    this.#buffer = answer.reply;
    Object.assign(s, { lba: answer.lba, left: answer.count, pos: 0, stop: 0 });
    s["op"] = answer.count > 0 ? Op.stream : Op.reply;
    this.#cdMore();
  }

  /** Next data block of a packet command, or its end. */
  #cdMore(): void {
    const s = this.s;
    let pos = this.#n("pos");
    if (pos >= this.#buffer.length && this.#n("left") > 0) {
      const count = Math.min(this.#n("left"), CHUNK / 2048);
      this.#buffer = new Uint8Array(count * 2048);
      if (!this.#medium("read", count, this.#buffer)) {
        Object.assign(s, { sense: 3, asc: 0x11, count: 3 });
        return this.#fail(0x30 | ABRT);
      }
      Object.assign(s, { lba: this.#n("lba") + count, left: this.#n("left") - count });
      pos = 0;
    }
    s["pos"] = pos;
    const rest = this.#buffer.length - pos;
    if (rest === 0) {
      s["count"] = 3;
      this.#idle();
      return this.#interrupt();
    }
    s["status"] = BUSY_FREE | DRQ;
    s["count"] = 2;
    if (s["dma"] === true) {
      s["stop"] = this.#buffer.length;
      return;
    }
    const limit = Math.max(2, (this.#n("limit") || 0xfffe) & ~1);
    const size = Math.min(rest, limit);
    Object.assign(s, { stop: pos + size, mid: size & 0xff, high: size >> 8 });
    this.#interrupt();
  }

  #idle(): void {
    Object.assign(this.s, { op: Op.idle, status: BUSY_FREE, dma: false });
  }

  #complete(note = ""): void {
    if (note !== "") this.#note(note);
    this.#idle();
    this.#interrupt();
  }

  #fail(error: number): void {
    Object.assign(this.s, { op: Op.idle, dma: false, error, status: BUSY_FREE | ERR });
    this.#interrupt();
  }

  #interrupt(): void {
    this.s["irq"] = true;
    this.#raise();
  }
}
