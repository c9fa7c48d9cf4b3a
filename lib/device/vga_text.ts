/**
 * VGA as a text screen: 0xB8000 and the register files that text modes need. The screen can be read as text.
 *
 * The window is RAM of 32 KiB behind MMIO at 0xB8000 (aliases fold); a graphics window at 0xA0000 keeps bytes in one
 * 64 KiB plane so that probes of a BIOS find memory, and is otherwise not drawn. Where the board has RAM at these
 * addresses (`window: "board"`), that is the video memory: guests write it at full speed. Retrace bits are computed
 * from time.
 *
 * Sources: IBM VGA technical reference. Cold.
 *
 * Not emulated: graphics modes, write modes and rotation, font loading into plane 2 (kept nowhere readable), blinking;
 * each is noted in the trace. There is no VBE.
 */
import type { MmioHandler } from "../core/bus.ts";
import type { Section } from "../core/component.ts";
import type { Device, DeviceHost } from "../core/device.ts";
import { Notes } from "./notes.ts";
import { fieldsOf } from "./section.ts";

/** A text screen. */
export interface VgaText extends Device {
  /** Rows of the visible page, as characters (code page 437's control range shown as spaces), trailing spaces kept. */
  text(): string[];
  /** Cursor position; `visible` is false while it is switched off. */
  readonly cursor: { readonly row: number; readonly column: number; readonly visible: boolean };
}

/** Options of {@linkcode vgaText}. */
export interface VgaTextOptions {
  /** Whose memory the window is: `own` (default), behind MMIO, or the `board`'s RAM from 0xA0000 to 0xBFFFF. */
  readonly window?: "own" | "board";
}

const TEXT_AT = 0xb8000;
const TEXT_BYTES = 0x8000;
const PLANE_BYTES = 0x10000;

class Vga implements VgaText {
  readonly name = "vga";
  readonly #text: Uint8Array = new Uint8Array(TEXT_BYTES);
  readonly #plane: Uint8Array;
  readonly #crtc: Uint8Array = new Uint8Array(256);
  readonly #sequencer: Uint8Array = new Uint8Array(256);
  readonly #graphics: Uint8Array = new Uint8Array(256);
  readonly #attribute: Uint8Array = new Uint8Array(32);
  readonly #palette: Uint8Array = new Uint8Array(768);
  /** Indices: CRTC, sequencer, graphics, attribute, DAC read, DAC write, misc, mask, attribute flip-flop, DAC state. */
  readonly #i: Uint16Array = new Uint16Array(10);
  readonly #own: boolean;
  readonly #notes: Notes = new Notes("vga");
  #host: DeviceHost | undefined;

  constructor(o: VgaTextOptions) {
    this.#own = o.window !== "board";
    this.#plane = new Uint8Array(this.#own ? PLANE_BYTES : 0);
  }

  attach(host: DeviceHost): void {
    this.#host = host;
    this.#notes.attach(host);
    if (this.#own) {
      host.mmio.mapMmio(TEXT_AT, TEXT_BYTES, this.name, window(this.#text));
      host.mmio.mapMmio(0xa0000, PLANE_BYTES, this.name, window(this.#plane));
    }
    const handler = {
      read: (port: number): number => this.#read(port),
      write: (port: number, value: number): void => this.#write(port, value & 0xff),
    };
    host.ports.map(0x3c0, 16, this.name, handler);
    for (const base of [0x3b0, 0x3d0]) {
      host.ports.map(base + 4, 2, this.name, handler);
      host.ports.map(base + 10, 1, this.name, handler);
    }
  }

  reset(): void {
    for (const a of this.#arrays()) a.fill(0);
    this.#notes.reset();
    this.#i[6] = 0x67;
    this.#i[7] = 0xff;
    this.#crtc.set([0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f]);
    this.#crtc[0x13] = 0x28;
    this.#crtc[0x17] = 0xa3;
    this.#graphics[6] = 0x0e;
    this.#attribute[0x10] = 0x0c;
    for (let k = 0; k < TEXT_BYTES; k += 2) this.#text[k + 1] = 7;
  }

  text(): string[] {
    const columns = (this.#crtc[1] ?? 79) + 1;
    const rows = this.#rows();
    const start = (((this.#crtc[12] ?? 0) << 8) | (this.#crtc[13] ?? 0)) * 2;
    const pitch = (this.#crtc[0x13] ?? 0) * 4 || columns * 2;
    const out: string[] = [];
    if (!this.#own) this.#host?.memory.readPhysical(TEXT_AT, this.#text);
    for (let r = 0; r < rows; r++) {
      let line = "";
      for (let c = 0; c < columns; c++) {
        const code = this.#text[(start + r * pitch + 2 * c) & (TEXT_BYTES - 1)] ?? 0;
        line += code < 0x20 || code === 0x7f ? " " : String.fromCharCode(code);
      }
      out.push(line);
    }
    return out;
  }

  get cursor(): { row: number; column: number; visible: boolean } {
    const at = ((this.#crtc[14] ?? 0) << 8) | (this.#crtc[15] ?? 0);
    const start = ((this.#crtc[12] ?? 0) << 8) | (this.#crtc[13] ?? 0);
    const pitch = (this.#crtc[0x13] ?? 0) * 2 || (this.#crtc[1] ?? 79) + 1;
    const k = (at - start) & 0x3fff;
    return { row: Math.floor(k / pitch), column: k % pitch, visible: ((this.#crtc[10] ?? 0) & 0x20) === 0 };
  }

  save(): Section {
    return { version: 1, fields: { arrays: this.#arrays().map((a) => Uint8Array.from(a)), indices: [...this.#i] } };
  }

  load(section: Section): void {
    const f = fieldsOf(section, this.name) as { arrays: readonly Uint8Array[]; indices: readonly number[] };
    this.#arrays().forEach((a, k) => a.set((f.arrays[k] ?? new Uint8Array(0)).subarray(0, a.length)));
    this.#i.set(f.indices.slice(0, 10));
  }

  #arrays(): Uint8Array[] {
    return [
      ...(this.#own ? [this.#text, this.#plane] : []),
      this.#crtc,
      this.#sequencer,
      this.#graphics,
      this.#attribute,
      this.#palette,
      new Uint8Array(this.#i.buffer),
    ];
  }

  #rows(): number {
    const overflow = this.#crtc[7] ?? 0;
    const lines = ((this.#crtc[0x12] ?? 0) | ((overflow & 2) << 7) | ((overflow & 0x40) << 3)) + 1;
    return Math.min(100, Math.max(1, Math.floor(lines / (((this.#crtc[9] ?? 15) & 31) + 1))));
  }

  #at(k: number): number {
    return this.#i[k] ?? 0;
  }

  #read(port: number): number {
    switch (port) {
      case 0x3c0:
        return this.#at(3);
      case 0x3c1:
        return this.#attribute[this.#at(3) & 31] ?? 0;
      case 0x3c4:
        return this.#at(1);
      case 0x3c5:
        return this.#sequencer[this.#at(1)] ?? 0;
      case 0x3c6:
        return this.#at(7);
      case 0x3c7:
        return this.#at(9);
      case 0x3c8:
        return Math.floor(this.#at(5) / 3);
      case 0x3c9: {
        const k = this.#at(4);
        this.#i[4] = (k + 1) % 768;
        return this.#palette[k] ?? 0;
      }
      case 0x3cc:
        return this.#at(6);
      case 0x3ce:
        return this.#at(2);
      case 0x3cf:
        return this.#graphics[this.#at(2)] ?? 0;
      case 0x3c2:
        return 0x10;
    }
    if ((port & 0xfff) === 0x3da || port === 0x3ba) return this.#status();
    if (port === 0x3d4 || port === 0x3b4) return this.#here(port) ? this.#at(0) : 0xff;
    if (port === 0x3d5 || port === 0x3b5) return this.#here(port) ? this.#crtc[this.#at(0)] ?? 0 : 0xff;
    return 0;
  }

  #setAttribute(n: number, value: number): void {
    this.#notes.when(n === 0x10 && (value & 1) !== 0, "graphics modes are not emulated");
    this.#attribute[n] = value;
  }

  /** Input status 1: 70 frames a second, 449 lines a frame, the last 49 of them in vertical retrace. */
  #status(): number {
    this.#i[8] = 0;
    const clock = this.#host?.clock;
    if (clock === undefined) return 0;
    const line = Math.floor((clock.now % clock.hz) * 70 * 449 / clock.hz * 4);
    const vertical = Math.floor(line / 4) % 449 >= 400;
    return vertical ? 9 : line % 4 === 3 ? 1 : 0;
  }

  /** The colour ports answer while misc bit 0 is set, the monochrome ones while it is clear. */
  #here(port: number): boolean {
    return ((port & 0x60) === 0x40) === ((this.#at(6) & 1) !== 0);
  }

  #write(port: number, value: number): void {
    switch (port) {
      case 0x3c0:
        if (this.#at(8) === 0) this.#i[3] = value & 0x3f;
        else this.#setAttribute(this.#at(3) & 31, value);
        this.#i[8] = this.#at(8) ^ 1;
        return;
      case 0x3c2:
        this.#i[6] = value;
        return;
      case 0x3c4:
        this.#i[1] = value & 7;
        return;
      case 0x3c5:
        this.#notes.when(this.#at(1) === 2 && (value & 12) === 4, "fonts are not emulated: plane 2 is not kept");
        this.#sequencer[this.#at(1)] = value;
        return;
      case 0x3c6:
        this.#i[7] = value;
        return;
      case 0x3c7:
      case 0x3c8:
        this.#i[port === 0x3c7 ? 4 : 5] = value * 3;
        this.#i[9] = port === 0x3c7 ? 3 : 0;
        return;
      case 0x3c9:
        this.#palette[this.#at(5)] = value & 0x3f;
        this.#i[5] = (this.#at(5) + 1) % 768;
        return;
      case 0x3ce:
        this.#i[2] = value & 15;
        return;
      case 0x3cf: {
        const k = this.#at(2);
        this.#notes.when(k === 6 && (value & 1) !== 0, "graphics modes are not emulated");
        this.#notes.when(k === 5 && (value & 3) !== 0, `write mode ${value & 3} is not emulated`);
        this.#notes.when(k === 3 && (value & 0x1f) !== 0, "rotation and logical operations are not emulated");
        this.#graphics[k] = value;
        return;
      }
    }
    if (port !== 0x3d4 && port !== 0x3d5 && port !== 0x3b4 && port !== 0x3b5 || !this.#here(port)) return;
    if ((port & 1) === 0) this.#i[0] = value & 0x3f;
    else if (this.#at(0) >= 8 || ((this.#crtc[0x11] ?? 0) & 0x80) === 0) this.#crtc[this.#at(0)] = value;
    else if (this.#at(0) === 7) this.#crtc[7] = ((this.#crtc[7] ?? 0) & ~0x10) | (value & 0x10);
  }
}

function window(bytes: Uint8Array): MmioHandler {
  const read = (at: number, width: number): number => {
    let value = 0;
    for (let k = 0; k < width / 8; k++) value |= (bytes[at + k] ?? 0xff) << (8 * k);
    return value >>> 0;
  };
  return {
    read,
    peek: read,
    write(at, value, width): void {
      for (let k = 0; k < width / 8; k++) bytes[at + k] = (value >>> (8 * k)) & 0xff;
    },
  };
}

/** Makes the text screen. */
export function vgaText(options: VgaTextOptions = {}): VgaText {
  return new Vga(options);
}
