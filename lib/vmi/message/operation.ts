/**
 * The fields that each frame type has besides its payload: a short list of numbers in the operation extension. Every
 * field is 64 bits wide on the wire, so that one reader and one writer serve all types. Warm.
 */
import { type Extension, type Frame, OPERATION, putWord, word } from "./frame.ts";

/** Packs fields. Bigints are taken modulo 2^64; numbers are non-negative integers below 2^53. */
export function packFields(...fields: readonly (number | bigint)[]): Extension {
  // Bytes one by one: a view of so small an array costs more than they do.
  const data = new Uint8Array(8 * fields.length);
  for (let i = 0; i < fields.length; i++) {
    const f = fields[i];
    if (typeof f === "bigint") {
      putWord(data, 8 * i, Number(BigInt.asUintN(32, f)));
      putWord(data, 8 * i + 4, Number(BigInt.asUintN(32, f >> 32n)));
    } else {
      putWord(data, 8 * i, f % 2 ** 32);
      putWord(data, 8 * i + 4, Math.floor(f / 2 ** 32));
    }
  }
  return { type: OPERATION, data };
}

/** Reads the fields of a frame. */
export class Fields {
  readonly #data: Uint8Array;

  /** Reads from extension data. @param data Bytes, not copied. */
  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Field `n` as a number. */
  number(n: number): number {
    return word(this.#data, 8 * n) + word(this.#data, 8 * n + 4) * 2 ** 32;
  }

  /** Field `n`, all 64 bits. */
  big(n: number): bigint {
    return BigInt(word(this.#data, 8 * n)) | (BigInt(word(this.#data, 8 * n + 4)) << 32n);
  }
}

/** Fields of a frame that must have `count` of them; undefined: malformed, or a number is too large. */
export function unpackFields(frame: Frame, count: number): Fields | undefined {
  if (frame.extensions.length !== 1) return undefined;
  const [extension] = frame.extensions;
  if (extension.type !== OPERATION || extension.data.length !== 8 * count) return undefined;
  return new Fields(extension.data);
}
