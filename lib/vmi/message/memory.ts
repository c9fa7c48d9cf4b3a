/**
 * Registered memory and its cache. Registration lends a range of memory to the interface; the cache remembers released
 * ranges so that registering one again costs nothing, and forgets the least recently released when it is full. Warm.
 *
 * Not emulated: pinning of pages (emulated memory does not move).
 */
import { ConfigError } from "../../core/errors.ts";

/** Where the bytes of a region live: host memory or a node's RAM. */
export interface Backing {
  /** Copies from `offset` into `into`; false: not all of it is memory. */
  read(offset: number, into: Uint8Array): boolean;
  /** Copies `bytes` to `offset`, ascending; false: not all of it is memory, and nothing was changed. */
  write(offset: number, bytes: Uint8Array): boolean;
}

/** A registered range. */
export interface MemoryRegion extends Backing {
  /** Unique in a node, from 1. */
  readonly id: number;
  /** Bytes. */
  readonly length: number;
  /** References held; 0: released, no longer usable. */
  readonly references: number;
  /** Drops one reference. */
  release(): void;
}

/** One contiguous piece of a gather or scatter list. */
export interface Piece {
  /** Registered memory. */
  readonly region: MemoryRegion;
  /** First byte in the region. */
  readonly offset: number;
  /** Bytes. */
  readonly length: number;
}

/** Counters of a cache. */
export interface CacheStats {
  /** Registrations answered from the cache. */
  readonly hits: number;
  /** Registrations that were new. */
  readonly misses: number;
  /** Released ranges forgotten. */
  readonly evictions: number;
  /** Regions with references. */
  readonly live: number;
  /** Regions kept without references. */
  readonly idle: number;
}

class Region implements MemoryRegion {
  references = 0;
  readonly id: number;
  readonly length: number;
  readonly #backing: Backing;
  readonly #released: (r: Region) => void;
  readonly key: string;

  constructor(id: number, key: string, length: number, backing: Backing, released: (r: Region) => void) {
    this.id = id;
    this.key = key;
    this.length = length;
    this.#backing = backing;
    this.#released = released;
  }

  read(offset: number, into: Uint8Array): boolean {
    return this.#inside(offset, into.length) && this.#backing.read(offset, into);
  }

  write(offset: number, bytes: Uint8Array): boolean {
    return this.#inside(offset, bytes.length) && this.#backing.write(offset, bytes);
  }

  release(): void {
    if (this.references === 0) {
      throw new ConfigError("message-region", "Region was released more often than registered");
    }
    if (--this.references === 0) this.#released(this);
  }

  #inside(offset: number, length: number): boolean {
    return this.references > 0 && Number.isInteger(offset) && offset >= 0 && offset + length <= this.length;
  }
}

/** Remembers registered ranges. */
export class RegistrationCache {
  readonly #capacity: number;
  readonly #live: Map<string, Region> = new Map();
  readonly #idle: Map<string, Region> = new Map();
  #next = 1;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  /** Makes one. @param capacity Released ranges kept; 0 turns the cache off. */
  constructor(capacity = 64) {
    this.#capacity = capacity;
  }

  /** Registers a range. @param key Tells ranges apart. @param make Its memory, asked for only if the range is new. */
  register(key: string, length: number, make: () => Backing): MemoryRegion {
    const known = this.#live.get(key) ?? this.#idle.get(key);
    if (known !== undefined) {
      this.#hits++;
      this.#idle.delete(key);
      this.#live.set(key, known);
      known.references++;
      return known;
    }
    this.#misses++;
    const region = new Region(this.#next++, key, length, make(), (r) => this.#released(r));
    region.references = 1;
    this.#live.set(key, region);
    return region;
  }

  /** Counters. */
  get stats(): CacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      evictions: this.#evictions,
      live: this.#live.size,
      idle: this.#idle.size,
    };
  }

  #released(region: Region): void {
    this.#live.delete(region.key);
    this.#idle.set(region.key, region);
    for (const key of this.#idle.keys()) {
      if (this.#idle.size <= this.#capacity) break;
      this.#idle.delete(key);
      this.#evictions++;
    }
  }
}

/** So few bytes are copied one by one: a view of them costs more. */
const SMALL = 32;

/** Memory of a host program. */
export function hostBacking(view: Uint8Array): Backing {
  return {
    read(offset, into): boolean {
      if (into.length > SMALL) into.set(view.subarray(offset, offset + into.length));
      else for (let i = 0; i < into.length; i++) into[i] = view[offset + i];
      return true;
    },
    write(offset, bytes): boolean {
      view.set(bytes, offset);
      return true;
    },
  };
}

/** Numbers buffers, so that a range of host memory has a key. */
export class BufferKeys {
  readonly #ids: WeakMap<ArrayBufferLike, number> = new WeakMap();
  #next = 0;

  /** Key of a view. */
  of(view: Uint8Array): string {
    let id = this.#ids.get(view.buffer);
    if (id === undefined) this.#ids.set(view.buffer, id = this.#next++);
    return `${id}:${view.byteOffset}:${view.byteLength}`;
  }
}

/** Total bytes of a list, or -1 if a piece does not lie in its region. */
export function totalBytes(pieces: readonly Piece[]): number {
  let total = 0;
  for (const { region, offset, length } of pieces) {
    const whole = Number.isInteger(offset) && Number.isInteger(length) && offset >= 0 && length >= 0;
    if (!whole || region.references === 0 || offset + length > region.length) return -1;
    total += length;
  }
  return total;
}

/** Copies `into.length` bytes from `at` of the concatenated pieces; false: a piece is not memory. */
export function gather(pieces: readonly Piece[], at: number, into: Uint8Array): boolean {
  return walk(
    pieces,
    at,
    into.length,
    (p, offset, from, n) => p.region.read(offset, n === into.length ? into : into.subarray(from, from + n)),
  );
}

/** Copies `bytes` to `at` of the concatenated pieces; false: a piece is not memory. */
export function scatter(pieces: readonly Piece[], at: number, bytes: Uint8Array): boolean {
  return walk(pieces, at, bytes.length, (p, offset, from, n) => p.region.write(offset, bytes.subarray(from, from + n)));
}

function walk(
  pieces: readonly Piece[],
  at: number,
  size: number,
  each: (piece: Piece, offset: number, from: number, n: number) => boolean,
): boolean {
  let skip = at;
  let done = 0;
  for (const piece of pieces) {
    if (done === size) break;
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    const n = Math.min(piece.length - skip, size - done);
    if (!each(piece, piece.offset + skip, done, n)) return false;
    done += n;
    skip = 0;
  }
  return done === size;
}
