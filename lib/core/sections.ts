/**
 * Sections as bytes and as numbers: the encoding that snapshots are saved in, and a hash of state.
 *
 * Encoding: one tag byte per value, lengths as u32, numbers as i32 where exact and as doubles otherwise, names as UTF-8;
 * objects keep their order of fields. The hash is FNV-1a over 32-bit words in two lanes, which is 64 bits wide. Cold.
 */
import type { FieldValue, Section } from "./component.ts";
import { ConfigError } from "./errors.ts";

const Tag = { null: 0, false: 1, true: 2, i32: 3, f64: 4, text: 5, bigint: 6, bytes: 7, list: 8, object: 9 } as const;

/** Bytes that grow. */
export class ByteSink {
  #bytes: Uint8Array = new Uint8Array(1024);
  #view: DataView = new DataView(this.#bytes.buffer);
  #length = 0;

  /** Appends one byte. */
  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  /** Appends 32 bits, little-endian. */
  u32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  /** Appends a double, little-endian. */
  f64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** Appends bytes. */
  put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Appends a text with its length. */
  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u32(bytes.length);
    this.put(bytes);
  }

  /** What has been written; a copy. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what {@linkcode ByteSink} wrote; every read checks the end. */
export class ByteSource {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** @param bytes Not copied. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** u8. */
  u8(): number {
    return this.#bytes[this.#take(1)];
  }

  /** u32. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** Double. */
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }

  /** A copy of `size` bytes. */
  bytes(size: number): Uint8Array {
    const at = this.#take(size);
    return this.#bytes.slice(at, at + size);
  }

  /** Text with its length. */
  text(): string {
    return new TextDecoder().decode(this.bytes(this.u32()));
  }

  #take(size: number): number {
    if (size > this.left) {
      throw new ConfigError(
        "snapshot-corrupt",
        `Snapshot is cut off or damaged: ${size} bytes wanted at offset ${this.#at}, ${this.left} are left`,
      );
    }
    const at = this.#at;
    this.#at += size;
    return at;
  }
}

/** Appends one value. */
function writeValue(sink: ByteSink, value: FieldValue): void {
  if (value === null) sink.u8(Tag.null);
  else if (typeof value === "boolean") sink.u8(value ? Tag.true : Tag.false);
  else if (typeof value === "number") writeNumber(sink, value);
  else if (typeof value === "string") {
    sink.u8(Tag.text);
    sink.text(value);
  } else if (typeof value === "bigint") {
    sink.u8(Tag.bigint);
    sink.text(value.toString(16));
  } else if (value instanceof Uint8Array) {
    sink.u8(Tag.bytes);
    sink.u32(value.length);
    sink.put(value);
  } else if (Array.isArray(value)) {
    sink.u8(Tag.list);
    sink.u32(value.length);
    for (const item of value) writeValue(sink, item);
  } else {
    const entries = Object.entries(value as { readonly [name: string]: FieldValue });
    sink.u8(Tag.object);
    sink.u32(entries.length);
    for (const [name, item] of entries) {
      sink.text(name);
      writeValue(sink, item);
    }
  }
}

function writeNumber(sink: ByteSink, value: number): void {
  if ((value | 0) === value && !Object.is(value, -0)) {
    sink.u8(Tag.i32);
    sink.u32(value >>> 0);
  } else {
    sink.u8(Tag.f64);
    sink.f64(value);
  }
}

/** Reads one value. @throws {ConfigError} snapshot-corrupt */
function readValue(source: ByteSource, depth = 0): FieldValue {
  if (depth > 64) throw new ConfigError("snapshot-corrupt", "Snapshot is damaged: values are nested too deeply");
  const tag = source.u8();
  switch (tag) {
    case Tag.null:
      return null;
    case Tag.false:
      return false;
    case Tag.true:
      return true;
    case Tag.i32:
      return source.u32() | 0;
    case Tag.f64:
      return readDouble(source.f64());
    case Tag.text:
      return source.text();
    case Tag.bigint:
      return readBigint(source.text());
    case Tag.bytes:
      return source.bytes(source.u32());
    case Tag.list: {
      const out: FieldValue[] = [];
      for (let n = source.u32(); n > 0; n--) out.push(readValue(source, depth + 1));
      return out;
    }
    case Tag.object: {
      const out: { [name: string]: FieldValue } = Object.create(null);
      for (let n = source.u32(); n > 0; n--) {
        const name = source.text();
        out[name] = readValue(source, depth + 1);
      }
      return out;
    }
  }
  throw new ConfigError("snapshot-corrupt", `Snapshot is damaged: unknown value tag ${tag}`);
}

function readDouble(value: number): number {
  if (Number.isNaN(value)) throw new ConfigError("snapshot-corrupt", "Snapshot is damaged: not a number");
  return value;
}

function readBigint(text: string): bigint {
  if (!/^-?[0-9a-f]+$/.test(text)) throw new ConfigError("snapshot-corrupt", "Snapshot is damaged: not a number");
  return text.startsWith("-") ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
}

/** A section that shares no array or object with this one. */
export function copySection(section: Section): Section {
  if (!Object.values(section.fields).some((value) => typeof value === "object")) return section;
  return { version: section.version, fields: copyValue(section.fields) as Section["fields"] };
}

function copyValue(value: FieldValue): FieldValue {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) return value.map(copyValue);
  const from = value as { readonly [name: string]: FieldValue };
  const into: { [name: string]: FieldValue } = {};
  for (const name in from) into[name] = copyValue(from[name]);
  return into;
}

/** Appends a section. */
export function writeSection(sink: ByteSink, section: Section): void {
  sink.u32(section.version);
  writeValue(sink, section.fields);
}

/** Reads a section. @throws {ConfigError} snapshot-corrupt */
export function readSection(source: ByteSource): Section {
  const version = source.u32();
  const fields = readValue(source);
  if (fields === null || typeof fields !== "object" || Array.isArray(fields) || fields instanceof Uint8Array) {
    throw new ConfigError("snapshot-corrupt", "Snapshot is damaged: a section has no fields");
  }
  return { version, fields: fields as { readonly [name: string]: FieldValue } };
}

/**
 * Takes saved values over into an object that has fields of the same names and kinds, and no others.
 *
 * @param into The object. @param from What was saved. @param names Fields that are; default: all it has.
 * @throws {ConfigError} snapshot-corrupt: a field is missing or of another kind.
 */
export function takeFields(into: object, from: unknown, names: readonly string[] = Object.keys(into)): void {
  const target = into as { [name: string]: unknown };
  const saved = typeof from === "object" && from !== null ? from as { readonly [name: string]: unknown } : {};
  for (const name of names) {
    if (typeof saved[name] !== typeof target[name]) {
      throw new ConfigError("snapshot-corrupt", `Snapshot is damaged: field "${name}" is missing or of another kind`);
    }
  }
  for (const name of names) target[name] = saved[name];
}

/** Running hash, 64 bits in two lanes. */
export class StateHash {
  #a = 0x811c9dc5 | 0;
  #b = 0xcbf29ce4 | 0;

  /** Mixes in one 32-bit word. */
  word(value: number): void {
    this.#a = Math.imul(this.#a ^ value, 0x01000193);
    this.#a ^= this.#a >>> 15;
    this.#b = Math.imul(this.#b ^ value, 0x85ebca6b);
    this.#b ^= this.#b >>> 13;
  }

  /** Mixes in bytes and their number. */
  bytes(bytes: Uint8Array): void {
    this.word(bytes.length);
    const whole = bytes.length & ~3;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < whole; i += 4) this.word(view.getInt32(i, true));
    for (let i = whole; i < bytes.length; i++) this.word(bytes[i]);
  }

  /** Sixteen hex digits. */
  digest(): string {
    const half = (v: number): string => (v >>> 0).toString(16).padStart(8, "0");
    return half(this.#a) + half(this.#b);
  }

  /** Both lanes as words, to be mixed into another hash. */
  words(): readonly [number, number] {
    return [this.#a, this.#b];
  }
}
