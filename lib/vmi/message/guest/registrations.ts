/**
 * A node's RAM as its commands may touch it, and the ranges of it that the guest has registered. Every range is checked
 * before anything is allocated, read or written. Warm.
 */
import { MessageStatus, SubmitFlag } from "../../../spec/message_abi.ts";
import type { Status } from "../../../spec/message_abi.ts";
import { type MemoryRegion, type Piece, RegistrationCache } from "../memory.ts";
import type { Submission } from "./entry.ts";

/** A node's RAM. */
export interface GuestRam {
  /** Does the whole range lie in RAM? */
  has(at: number, length: number): boolean;
  /** Copies memory; false: not all of the range is RAM, and nothing was copied. */
  read(at: number, into: Uint8Array): boolean;
  /** Changes memory; false: not all of the range is RAM, and nothing was changed. */
  write(at: number, bytes: Uint8Array): boolean;
}

/** Registrations a node may hold. */
export const MAX_REGISTRATIONS = 4096;
/** Elements of a list. */
const MAX_PIECES = 256;

/** Registered ranges of one node. */
export class Registrations {
  readonly #ram: GuestRam;
  readonly #limit: number;
  readonly #cache: RegistrationCache = new RegistrationCache();
  readonly #regions: Map<number, { readonly base: number; readonly region: MemoryRegion }> = new Map();

  /** Makes one. @param ram The node's RAM. @param limit Longest range; bytes. */
  constructor(ram: GuestRam, limit: number) {
    this.#ram = ram;
    this.#limit = limit;
  }

  /** Copies a range; undefined: not RAM. */
  bytes(at: number, length: number): Uint8Array | undefined {
    if (length === 0) return new Uint8Array(0);
    if (!this.#ram.has(at, length)) return undefined;
    const out = new Uint8Array(length);
    return this.#ram.read(at, out) ? out : undefined;
  }

  /** A range as a region with one reference; undefined: not RAM, or too long. */
  region(at: number, length: number): MemoryRegion | undefined {
    const ram = this.#ram;
    if (length > this.#limit || !ram.has(at, length)) return undefined;
    return this.#cache.register(`${at}:${length}`, length, () => ({
      read: (offset, into) => ram.read(at + offset, into),
      write: (offset, bytes) => ram.write(at + offset, bytes),
    }));
  }

  /** Registers a range under a handle. */
  register(handle: number, at: number, length: number): Status {
    if (this.#regions.size >= MAX_REGISTRATIONS) return MessageStatus.noResource;
    const region = this.region(at, length);
    if (region === undefined) return MessageStatus.access;
    this.#regions.set(handle, { base: at, region });
    return MessageStatus.success;
  }

  /** Forgets a handle. */
  deregister(handle: number): Status {
    const known = this.#regions.get(handle);
    if (known === undefined) return MessageStatus.invalidHandle;
    this.#regions.delete(handle);
    known.region.release();
    return MessageStatus.success;
  }

  /** A piece of registered memory at a guest-physical address. */
  piece(address: number, length: number, handle: number): Piece | Status {
    const known = this.#regions.get(handle);
    if (known === undefined) return MessageStatus.invalidHandle;
    const { base, region } = known;
    const offset = address - base;
    return offset >= 0 && offset + length <= region.length ? { region, offset, length } : MessageStatus.access;
  }

  /** The pieces an entry means: one range, or a list of {u64 address, u32 length, u32 registration}. */
  pieces(s: Submission): Piece[] | Status {
    if ((s.flags & SubmitFlag.list) === 0) {
      const one = this.piece(s.address, s.length, s.registration);
      return typeof one === "number" ? one : [one];
    }
    if (s.count > MAX_PIECES) return MessageStatus.invalidArgument;
    const list = this.bytes(s.address, 16 * s.count);
    if (list === undefined) return MessageStatus.access;
    const v = new DataView(list.buffer);
    const out: Piece[] = [];
    for (let i = 0; i < s.count; i++) {
      const at = v.getUint32(16 * i, true) + v.getUint32(16 * i + 4, true) * 2 ** 32;
      const piece = this.piece(at, v.getUint32(16 * i + 8, true), v.getUint32(16 * i + 12, true));
      if (typeof piece === "number") return piece;
      out.push(piece);
    }
    return out;
  }
}
