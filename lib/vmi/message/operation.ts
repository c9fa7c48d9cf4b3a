/**
 * The fields that each frame type has besides its payload: a short list of numbers in the operation extension. Every
 * field is 64 bits wide on the wire, so that one reader and one writer serve all types. Warm.
 */
import { type Extension, type Frame, OPERATION } from "./frame.ts";

/** Packs fields. Bigints are taken modulo 2^64; numbers are non-negative integers below 2^53. */
export function packFields(...fields: readonly (number | bigint)[]): Extension {
  const data = new Uint8Array(8 * fields.length);
  const view = new DataView(data.buffer);
  fields.forEach((f, i) => {
    if (typeof f === "bigint") view.setBigUint64(8 * i, BigInt.asUintN(64, f), true);
    else {
      view.setUint32(8 * i, f % 2 ** 32, true);
      view.setUint32(8 * i + 4, Math.floor(f / 2 ** 32), true);
    }
  });
  return { type: OPERATION, data };
}

/** Reads the fields of a frame. */
export class Fields {
  readonly #view: DataView;

  /** Reads from extension data. @param data Bytes, not copied. */
  constructor(data: Uint8Array) {
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** Field `n` as a number. */
  number(n: number): number {
    return this.#view.getUint32(8 * n, true) + this.#view.getUint32(8 * n + 4, true) * 2 ** 32;
  }

  /** Field `n`, all 64 bits. */
  big(n: number): bigint {
    return this.#view.getBigUint64(8 * n, true);
  }
}

/** Fields of a frame that must have `count` of them; undefined: malformed, or a number is too large. */
export function unpackFields(frame: Frame, count: number): Fields | undefined {
  if (frame.extensions.length !== 1) return undefined;
  const [extension] = frame.extensions;
  if (extension.type !== OPERATION || extension.data.length !== 8 * count) return undefined;
  return new Fields(extension.data);
}
