/**
 * The fields that each frame type has besides its payload: a short list of numbers in the operation extension. Every
 * field is 64 bits wide on the wire, so that one reader and one writer serve all types. Warm.
 */
import { type Extension, type Frame, NumberExtension, OPERATION, putWord, SliceExtension, word } from "./frame.ts";

/** Packs fields. Bigints are taken modulo 2^64; numbers are non-negative integers below 2^53. */
export function packFields(...fields: readonly (number | bigint)[]): Extension {
  if (areNumbers(fields)) return new NumberExtension(fields);
  const data = new Uint8Array(8 * fields.length);
  for (let i = 0; i < fields.length; i++) {
    const f = BigInt(fields[i]);
    putWord(data, 8 * i, Number(BigInt.asUintN(32, f)));
    putWord(data, 8 * i + 4, Number(BigInt.asUintN(32, f >> 32n)));
  }
  return { type: OPERATION, data };
}

function areNumbers(fields: readonly (number | bigint)[]): fields is readonly number[] {
  for (const f of fields) if (typeof f !== "number") return false;
  return true;
}

/** Reads the fields of a frame: bytes, or numbers that never became bytes. */
export class Fields {
  readonly #data: Uint8Array | undefined;
  readonly #at: number;
  readonly #numbers: readonly number[];

  /** Reads from extension data. @param data Bytes, not copied. @param at First of them. @param numbers Instead of bytes. */
  constructor(data: Uint8Array | undefined, at = 0, numbers: readonly number[] = []) {
    this.#data = data;
    this.#at = at;
    this.#numbers = numbers;
  }

  /** Field `n` as a number. */
  number(n: number): number {
    const data = this.#data;
    if (data === undefined) return this.#numbers[n];
    const at = this.#at + 8 * n;
    return word(data, at) + word(data, at + 4) * 2 ** 32;
  }

  /** Field `n`, all 64 bits. */
  big(n: number): bigint {
    const data = this.#data;
    if (data === undefined) return BigInt(this.#numbers[n]);
    const at = this.#at + 8 * n;
    return BigInt(word(data, at)) | (BigInt(word(data, at + 4)) << 32n);
  }
}

/** Fields of a frame that must have `count` of them; undefined: malformed, or a number is too large. */
export function unpackFields(frame: Frame, count: number): Fields | undefined {
  if (frame.extensions.length !== 1) return undefined;
  const e = frame.extensions[0];
  if (e instanceof NumberExtension) return e.numbers.length === count ? new Fields(undefined, 0, e.numbers) : undefined;
  if (e instanceof SliceExtension) {
    return e.type === OPERATION && e.length === 8 * count ? new Fields(e.bytes, e.at) : undefined;
  }
  return e.type === OPERATION && e.data.length === 8 * count ? new Fields(e.data) : undefined;
}
