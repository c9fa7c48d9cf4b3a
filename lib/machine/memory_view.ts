/**
 * Guest memory in a script's hands. `peek` and `poke` look and change without side effects: no device register, hook or
 * translation notices. `read` and `write` do what the guest would do, device registers included. Cold.
 */
import type { Width } from "../core/bus.ts";
import { hex } from "../base/hex.ts";
import { ConfigError } from "../core/errors.ts";
import type { AddressSpace } from "../memory/address_space.ts";
import { PAGE } from "../memory/region.ts";

/** Memory by one kind of address. */
export class MemoryView {
  readonly #space: AddressSpace;
  readonly #translate: (address: number) => number;

  /**
   * Makes one.
   *
   * @param space Physical memory.
   * @param translate Address to physical address, u32; -1: nothing is mapped there.
   */
  constructor(space: AddressSpace, translate: (address: number) => number) {
    this.#space = space;
    this.#translate = translate;
  }

  /**
   * Copies `size` bytes; what is not RAM or ROM reads as 0xff.
   * @throws {ConfigError} memory-unmapped
   */
  peek(at: number, size: number): Uint8Array {
    if (!Number.isInteger(size) || size < 0 || size > 2 ** 31) {
      throw new ConfigError("memory-size", `Cannot peek ${size} bytes; give a whole number of bytes`);
    }
    const out = new Uint8Array(size);
    this.#pieces(at, size, (physical, from, n) => this.#space.readPhysical(physical, out.subarray(from, from + n)));
    return out;
  }

  /** u8 without side effects. */
  peek8(at: number): number {
    return this.peek(at, 1)[0];
  }

  /** u16 without side effects. */
  peek16(at: number): number {
    const b = this.peek(at, 2);
    return b[0] | (b[1] << 8);
  }

  /** u32 without side effects. */
  peek32(at: number): number {
    const b = this.peek(at, 4);
    return (b[0] | (b[1] << 8) | (b[2] << 16) | (b[3] << 24)) >>> 0;
  }

  /** Latin-1 text up to a zero byte or `limit` bytes. */
  peekText(at: number, limit = 256): string {
    let out = "";
    for (let i = 0; i < limit; i++) {
      const c = this.peek8(at + i);
      if (c === 0) break;
      out += String.fromCharCode(c);
    }
    return out;
  }

  /**
   * Changes RAM or ROM; returns the number of bytes that lay there.
   * @throws {ConfigError} memory-unmapped
   */
  poke(at: number, bytes: Uint8Array): number {
    let done = 0;
    this.#pieces(at, bytes.length, (physical, from, n) => {
      done += this.#space.poke(physical, bytes.subarray(from, from + n));
    });
    return done;
  }

  /** Changes four bytes, little-endian. */
  poke32(at: number, value: number): void {
    this.poke(at, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  /** Reads as the guest would, u32. @throws {ConfigError} memory-unmapped */
  read(at: number, width: Width = 32): number {
    checkWidth(width);
    if ((at % PAGE) + (width >>> 3) <= PAGE) return this.#space.read(this.#physical(at), width);
    let value = 0;
    for (let i = 0; i < width >>> 3; i++) value |= this.#space.read(this.#physical(at + i), 8) << (8 * i);
    return value >>> 0;
  }

  /** Writes as the guest would. @throws {ConfigError} memory-unmapped */
  write(at: number, value: number, width: Width = 32): void {
    checkWidth(width);
    if ((at % PAGE) + (width >>> 3) <= PAGE) {
      this.#space.write(this.#physical(at), value, width);
      return;
    }
    for (let i = 0; i < width >>> 3; i++) this.#space.write(this.#physical(at + i), (value >>> (8 * i)) & 0xff, 8);
  }

  #physical(at: number): number {
    const physical = Number.isInteger(at) && at >= 0 && at < 2 ** 32 ? this.#translate(at) : -1;
    if (physical < 0) {
      throw new ConfigError("memory-unmapped", `No memory is mapped at ${hex(at)}`);
    }
    return physical;
  }

  #pieces(at: number, size: number, one: (physical: number, from: number, n: number) => void): void {
    for (let done = 0; done < size;) {
      const n = Math.min(PAGE - ((at + done) % PAGE), size - done);
      one(this.#physical(at + done), done, n);
      done += n;
    }
  }
}

function checkWidth(width: number): void {
  if (width === 8 || width === 16 || width === 32) return;
  throw new ConfigError("memory-size", `An access has 8, 16 or 32 bits, not ${width}; use peek and poke for more`);
}
