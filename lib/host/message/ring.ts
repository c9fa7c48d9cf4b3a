/**
 * A ring of bytes in shared memory with one writer and one reader: records of a length word, their bytes, and padding to
 * 8. The writer publishes its tail after the bytes, the reader its head after it has copied. A record that does not fit
 * in the ring goes in parts, each but the last marked in the top bit of its length. Hot.
 */

/** Words before the bytes: head and tail, 64 bytes apart. */
const HEAD = 0;
const TAIL = 16;
/** Bytes before the ring's own. */
export const RING_HEADER = 128;
/** More of the record follows. */
const MORE = 0x80000000;
/** The rest of the ring is unused; the next record is at its start. */
const WRAP = 0xffffffff;
/** Small records are read into shares of a chunk: memory of its own costs a small record more than its copy. */
const SMALL = 512;
const CHUNK = 8192;
/** Records so small are copied word by word. */
const WORDWISE = 192;

/** One direction between two processes. Both ends make one over the same memory. */
export class Ring {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #capacity: number;
  #parts: Uint8Array[] = [];
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkWords: Int32Array = new Int32Array(0);
  #used = 0;
  readonly #ringWords: Int32Array;

  /** Makes one. @param memory Shared memory. @param at First byte, a multiple of 64. @param capacity A power of two. */
  constructor(memory: SharedArrayBuffer, at: number, capacity: number) {
    this.#words = new Int32Array(memory, at, RING_HEADER / 4);
    this.#bytes = new Uint8Array(memory, at + RING_HEADER, capacity);
    this.#view = new DataView(memory, at + RING_HEADER, capacity);
    this.#ringWords = new Int32Array(memory, at + RING_HEADER, capacity >> 2);
    this.#capacity = capacity;
  }

  /** Is there something to read? */
  get hasData(): boolean {
    return Atomics.load(this.#words, HEAD) !== Atomics.load(this.#words, TAIL);
  }

  /** Largest part that is written at once. */
  get largestPart(): number {
    return this.#capacity / 2 - 16;
  }

  /** Writes bytes `from` on of a record as far as there is room; returns where to go on; `from`: no room. */
  write(record: Uint8Array, from: number): number {
    const size = Math.min(record.length - from, this.largestPart);
    const more = from + size < record.length;
    const part = size === record.length ? record : record.subarray(from, from + size);
    if (!this.#put(part, more)) return from;
    return from + size;
  }

  #put(part: Uint8Array, more: boolean): boolean {
    const capacity = this.#capacity;
    const head = Atomics.load(this.#words, HEAD);
    let tail = this.#words[TAIL];
    const need = (part.length + 11) & ~7;
    const free = capacity - ((tail - head) | 0);
    const at = tail & (capacity - 1);
    const toEnd = capacity - at;
    if (toEnd < need) {
      // A length word always fits: everything is a multiple of 8.
      if (free < toEnd + need) return false;
      this.#view.setUint32(at, WRAP, true);
      tail = (tail + toEnd) | 0;
    } else if (free < need) return false;
    const to = tail & (capacity - 1);
    this.#view.setUint32(to, (part.length | (more ? MORE : 0)) >>> 0, true);
    this.#bytes.set(part, to + 4);
    Atomics.store(this.#words, TAIL, (tail + need) | 0);
    return true;
  }

  /** Reads the next record into fresh memory; undefined: none is whole. */
  read(): Uint8Array | undefined {
    while (true) {
      const head = this.#words[HEAD];
      if (head === Atomics.load(this.#words, TAIL)) return undefined;
      const at = head & (this.#capacity - 1);
      const word = this.#view.getUint32(at, true);
      if (word === WRAP) {
        Atomics.store(this.#words, HEAD, (head + this.#capacity - at) | 0);
        continue;
      }
      const length = word & 0x7fffffff;
      const part = length <= SMALL ? this.#share(at + 4, length) : this.#bytes.slice(at + 4, at + 4 + length);
      Atomics.store(this.#words, HEAD, (head + ((length + 11) & ~7)) | 0);
      if ((word & MORE) !== 0) {
        this.#parts.push(part);
        continue;
      }
      return this.#parts.length === 0 ? part : this.#joined(part);
    }
  }

  #share(from: number, length: number): Uint8Array {
    if (this.#used + length + 4 > this.#chunk.length) {
      this.#chunk = new Uint8Array(CHUNK);
      this.#chunkWords = new Int32Array(this.#chunk.buffer);
      this.#used = 0;
    }
    const at = this.#used;
    this.#used = (at + length + 3) & ~3;
    if (length > WORDWISE) this.#chunk.set(this.#bytes.subarray(from, from + length), at);
    else {
      // Both begin at a multiple of four.
      const [to, end] = [this.#chunkWords, (length + 3) >> 2];
      for (let i = 0; i < end; i++) to[(at >> 2) + i] = this.#ringWords[(from >> 2) + i];
    }
    return this.#chunk.subarray(at, at + length);
  }

  #joined(last: Uint8Array): Uint8Array {
    const parts = [...this.#parts, last];
    this.#parts = [];
    const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const p of parts) {
      out.set(p, at);
      at += p.length;
    }
    return out;
  }
}
