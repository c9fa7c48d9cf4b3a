/**
 * Little-endian reading and writing of structures in byte arrays, with bounds that are checked before anything is
 * touched: for headers of images, tables for guests and snapshots. Cold.
 */

/** Reads fields of a structure. Nothing is copied. */
export class ByteReader {
  /** What is read. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;

  /** Begins at the first byte. @param bytes Not copied. @param what Named in errors, e.g. `ELF header`. */
  constructor(bytes: Uint8Array, what: string) {
    this.bytes = bytes;
    this.#what = what;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Number of bytes. */
  get length(): number {
    return this.bytes.length;
  }

  /** Are there `size` bytes at `at`? */
  has(at: number, size: number): boolean {
    return at >= 0 && size >= 0 && at + size <= this.bytes.length;
  }

  /** u8. @throws {RangeError} Outside. */
  u8(at: number): number {
    this.#check(at, 1);
    return this.bytes[at];
  }

  /** u16. @throws {RangeError} Outside. */
  u16(at: number): number {
    this.#check(at, 2);
    return this.#view.getUint16(at, true);
  }

  /** u32. @throws {RangeError} Outside. */
  u32(at: number): number {
    this.#check(at, 4);
    return this.#view.getUint32(at, true);
  }

  /** A view of `size` bytes. @throws {RangeError} Outside. */
  slice(at: number, size: number): Uint8Array {
    this.#check(at, size);
    return this.bytes.subarray(at, at + size);
  }

  /** Latin-1 text up to a zero byte, `limit` bytes or the end. */
  text(at: number, limit: number): string {
    let out = "";
    for (let i = at; i < Math.min(at + limit, this.length) && this.bytes[i] !== 0; i++) {
      out += String.fromCharCode(this.bytes[i]);
    }
    return out;
  }

  #check(at: number, size: number): void {
    if (this.has(at, size)) return;
    throw new RangeError(`${this.#what} is cut off: ${size} bytes at offset ${at} of ${this.length}`);
  }
}

/** Writes fields into a fixed number of zeroed bytes. */
export class ByteWriter {
  /** What has been written. */
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  /** Begins at the first byte. @param size Bytes. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Writes the low byte. */
  u8(at: number, value: number): this {
    this.#view.setUint8(at, value);
    return this;
  }

  /** Writes the low 16 bits. */
  u16(at: number, value: number): this {
    this.#view.setUint16(at, value, true);
    return this;
  }

  /** Writes 32 bits. */
  u32(at: number, value: number): this {
    this.#view.setUint32(at, value, true);
    return this;
  }

  /** Writes 64 bits of a non-negative integer below 2^53. */
  u64(at: number, value: number): this {
    return this.u32(at, value % 2 ** 32).u32(at + 4, Math.floor(value / 2 ** 32));
  }

  /** Copies bytes. */
  put(at: number, bytes: Uint8Array): this {
    this.bytes.set(bytes, at);
    return this;
  }
}

/** Latin-1 bytes of a text, with a zero byte after it if `zero`. */
export function latin1(text: string, zero = false): Uint8Array {
  const out = new Uint8Array(text.length + (zero ? 1 : 0));
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}
