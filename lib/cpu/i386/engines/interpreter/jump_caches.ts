/**
 * What code lies at an EIP, as the engine remembers it for jumps: pairs of EIP and record in the WebAssembly memory, one
 * cache for supervisor and one for user code. The generated code looks here first and asks TypeScript only when it finds
 * nothing. Warm.
 */
import { JUMP_CACHE_ENTRIES, jumpEntry } from "./jump_entry.ts";
import type { InterpreterSettings } from "./options.ts";
import { Places } from "./places.ts";

/** Bytes of one cache. */
const CACHE_BYTES = JUMP_CACHE_ENTRIES * 8;
/** Bytes of both. */
export const JUMP_CACHES_BYTES: number = 2 * CACHE_BYTES;

/** The caches of one CPU. */
export class JumpCaches {
  readonly #at: number;
  readonly #words: Int32Array;
  readonly #settings: InterpreterSettings;
  /** Places that were filled since they were last emptied: jumps to global pages, and others. */
  readonly #used: Places = new Places();
  readonly #localUsed: Places = new Places();
  /** Which of two places that are taken gives way next. */
  #turn = 0;

  /** @param memory The machine's memory. @param at Byte address of the caches. @param settings Switches. */
  constructor(memory: WebAssembly.Memory, at: number, settings: InterpreterSettings) {
    this.#at = at;
    this.#words = new Int32Array(memory.buffer, at, JUMP_CACHES_BYTES >>> 2);
    this.#settings = settings;
  }

  /** Byte address of the cache for supervisor or user code. */
  address(user: boolean): number {
    return this.#at + (user ? CACHE_BYTES : 0);
  }

  /** Remembers a record; `isLocal`: its page is not global. */
  remember(eip: number, record: number, user: boolean, isLocal: boolean): void {
    const { jumpCache, globalJumps } = this.#settings;
    if (!jumpCache) return;
    const slot = this.#place(jumpEntry(eip) * 2 + (user ? CACHE_BYTES >>> 2 : 0), eip);
    (isLocal || !globalJumps ? this.#localUsed : this.#used).add(slot);
    this.#words[slot] = eip;
    this.#words[slot + 1] = record;
  }

  /** The first place of an EIP unless another one has it and the second place is free, or its own. */
  #place(first: number, eip: number): number {
    const w = this.#words, second = first ^ 2;
    if (w[first] === eip || w[first + 1] === 0) return first;
    if (w[second] === eip || w[second + 1] === 0) return second;
    return this.#turn++ % 2 === 0 ? first : second;
  }

  /** Forgets all. */
  forget(): void {
    this.#empty(this.#used);
    this.#empty(this.#localUsed);
  }

  /** Forgets the jumps to pages that are not global. */
  forgetLocal(): void {
    if (this.#localUsed.isFull) this.#empty(this.#used);
    this.#empty(this.#localUsed);
  }

  #empty(used: Places): void {
    if (used.isFull) this.#words.fill(0);
    else for (let i = 0; i < used.count; i++) this.#words[used.at[i]] = this.#words[used.at[i] + 1] = 0;
    used.clear();
  }
}
