/**
 * Snapshots of a machine: named sections of its components, and memory by page, shared between snapshots.
 *
 * A snapshot stores only pages that were written since the one before it (its parent) and finds the others along the
 * chain; a page that no snapshot in the chain has is as it was at power-on. Pages are never changed once stored, so
 * going back costs one copy per page that differs. Cold.
 */
import type { Section } from "../core/component.ts";
import { ConfigError } from "../core/errors.ts";
import { ByteSink, ByteSource, readSection, StateHash, writeSection } from "../core/sections.ts";
import { PAGE } from "../memory/region.ts";
import { PAGES, SHADOW_PAGES } from "../memory/shadow.ts";

/** Format of {@linkcode Snapshot.toBytes}. */
export const SNAPSHOT_FORMAT = 1;

const MAGIC = 0x4b494d56; // "VMIK"
const ZERO: Uint8Array = new Uint8Array(PAGE);
const hashes: WeakMap<Uint8Array, readonly [number, number]> = new WeakMap();

/** Complete state of a machine at an instruction boundary. */
export class Snapshot {
  /** What kind of machine it belongs to: CPUs, Regions, components. A machine with another text refuses it. */
  readonly shape: string;
  /** State by component name. */
  readonly sections: ReadonlyMap<string, Section>;
  /** Pages stored here, by page number: those written since the parent. */
  readonly own: ReadonlyMap<number, Uint8Array>;
  /** The snapshot this one builds on. */
  readonly parent: Snapshot | undefined;
  #flat: ReadonlyMap<number, Uint8Array> | undefined;

  /** Puts one together. @param shape Text. @param sections State. @param own Pages, kept. @param parent Chain. */
  constructor(
    shape: string,
    sections: ReadonlyMap<string, Section>,
    own: ReadonlyMap<number, Uint8Array>,
    parent: Snapshot | undefined,
  ) {
    this.shape = shape;
    this.sections = sections;
    this.own = own;
    this.parent = parent;
  }

  /** Bytes of a page, or undefined: as at power-on. Not to be changed. */
  page(pfn: number): Uint8Array | undefined {
    if (this.#flat !== undefined) return this.#flat.get(pfn);
    const own = this.own.get(pfn);
    if (own !== undefined || this.parent === undefined) return own;
    return this.pages().get(pfn);
  }

  /** All pages that differ from power-on, by page number. */
  pages(): ReadonlyMap<number, Uint8Array> {
    if (this.#flat !== undefined) return this.#flat;
    const flat = new Map<number, Uint8Array>();
    for (const s of lineage(this).reverse()) for (const [pfn, page] of s.own) flat.set(pfn, page);
    this.#flat = flat;
    return flat;
  }

  /** Numbers of the pages in which this snapshot may differ from another of the same machine. */
  differing(other: Snapshot): Set<number> {
    const out = new Set<number>();
    if (other === this) return out;
    const [mine, others] = [new Set(lineage(this)), new Set(lineage(other))];
    for (const s of mine) if (!others.has(s)) { for (const pfn of s.own.keys()) out.add(pfn); }
    for (const s of others) if (!mine.has(s)) { for (const pfn of s.own.keys()) out.add(pfn); }
    return out;
  }

  /** Sixteen hex digits over all sections and memory; equal states give equal hashes, on every engine and host. */
  hash(): string {
    const hash = new StateHash();
    for (const [name, section] of [...this.sections].sort(([a], [b]) => a < b ? -1 : 1)) {
      const sink = new ByteSink();
      sink.text(name);
      writeSection(sink, section);
      hash.bytes(sink.take());
    }
    for (const [pfn, page] of [...this.pages()].sort(([a], [b]) => a - b)) {
      const [a, b] = pageHash(page);
      if (a === 0 && b === 0) continue;
      hash.word(pfn);
      hash.word(a);
      hash.word(b);
    }
    return hash.digest();
  }

  /** The snapshot as bytes, complete, without its parents. */
  toBytes(): Uint8Array {
    const sink = new ByteSink();
    sink.u32(MAGIC);
    sink.u32(SNAPSHOT_FORMAT);
    sink.text(this.shape);
    sink.u32(this.sections.size);
    for (const [name, section] of this.sections) {
      sink.text(name);
      writeSection(sink, section);
    }
    const pages = [...this.pages()].sort(([a], [b]) => a - b);
    sink.u32(pages.length);
    for (const [pfn, page] of pages) {
      sink.u32(pfn);
      sink.put(page);
    }
    return sink.take();
  }

  /**
   * Reads what {@linkcode Snapshot.toBytes} gave.
   * @throws {ConfigError} snapshot-format, snapshot-version, snapshot-corrupt
   */
  static fromBytes(bytes: Uint8Array): Snapshot {
    const source = new ByteSource(bytes);
    if (bytes.length < 8 || source.u32() !== MAGIC) {
      throw new ConfigError(
        "snapshot-format",
        "These bytes are no snapshot: the signature is missing; was the file mixed up",
      );
    }
    checkVersion("Snapshot format", source.u32(), SNAPSHOT_FORMAT, SNAPSHOT_FORMAT);
    const shape = source.text();
    const sections = new Map<string, Section>();
    for (let n = source.u32(); n > 0; n--) {
      const name = source.text();
      sections.set(name, readSection(source));
    }
    const pages = new Map<number, Uint8Array>();
    for (let n = source.u32(); n > 0; n--) {
      const pfn = source.u32();
      if (pfn >= PAGES + SHADOW_PAGES) {
        throw new ConfigError("snapshot-corrupt", `Snapshot is damaged: page number ${pfn}`);
      }
      pages.set(pfn, source.bytes(PAGE));
    }
    if (source.left !== 0) {
      throw new ConfigError("snapshot-corrupt", `Snapshot is damaged: ${source.left} bytes too many at the end`);
    }
    return new Snapshot(shape, sections, pages, undefined);
  }
}

/** A snapshot and all it builds on, itself first. */
function lineage(snapshot: Snapshot): Snapshot[] {
  const out: Snapshot[] = [];
  for (let s: Snapshot | undefined = snapshot; s !== undefined; s = s.parent) out.push(s);
  return out;
}

/**
 * Refuses versions outside a range, old and new with different words.
 * @throws {ConfigError} snapshot-version
 */
export function checkVersion(what: string, version: number, oldest: number, newest: number): void {
  if (version < oldest) {
    throw new ConfigError(
      "snapshot-version",
      `${what} version ${version} is too old, this library reads ${oldest} to ${newest}; make the snapshot anew`,
    );
  }
  if (version > newest) {
    throw new ConfigError(
      "snapshot-version",
      `${what} version ${version} is too new, this library reads ${oldest} to ${newest}; use a newer vmikit`,
    );
  }
}

/** Hash of a page, remembered; a page of zeros has 0, 0. */
function pageHash(page: Uint8Array): readonly [number, number] {
  const known = hashes.get(page);
  if (known !== undefined) return known;
  let words: readonly [number, number] = [0, 0];
  if (!isZero(page)) {
    const hash = new StateHash();
    hash.bytes(page);
    words = hash.words();
  }
  hashes.set(page, words);
  return words;
}

function isZero(page: Uint8Array): boolean {
  for (let i = 0; i < page.length; i++) if (page[i] !== ZERO[i]) return false;
  return true;
}
