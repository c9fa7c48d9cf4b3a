/**
 * Filters that guard and change the contents of frames: `checksum`, `compress`, `encrypt`. What does not verify is
 * dropped and counted; place a reliable layer above them to have it sent again. Warm.
 */
import { MessageStatus } from "../../../spec/message_abi.ts";
import { open as unseal, seal } from "../chacha20_poly1305.ts";
import { crc32c } from "../crc32c.ts";
import { decodeExtensions, encodeExtensions, type Frame, setU64 } from "../frame.ts";
import { compressLz, decompressLz } from "../lz.ts";
import type { Link, LinkHost, MessageModule, ModuleHost, Parameters } from "../module.ts";
import { deriveKey } from "../sha256.ts";

/** Bytes that identify a frame and must not be changed on the way. */
function identity(frame: Frame): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(20);
  const view = new DataView(out.buffer);
  view.setUint8(0, frame.type);
  view.setUint8(1, frame.flags);
  view.setUint8(2, frame.chain);
  view.setUint32(4, frame.source, true);
  view.setUint32(8, frame.destination, true);
  setU64(view, 12, frame.sequence);
  return out;
}

/** CRC-32C over header, extensions and payload. */
export const checksum: MessageModule = {
  name: "checksum",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [{ name: "onError", type: "string", default: "drop", choices: ["drop", "fail"] }],
  create: (p) => ({
    open(host): Link {
      let [good, bad] = [0, 0];
      return {
        down(frame): void {
          const data = new Uint8Array(4);
          new DataView(data.buffer).setUint32(0, sum(frame), true);
          host.down(host.mark(frame, data));
        },
        up(marked): void {
          const own = host.unmark(marked);
          const { data } = own ?? { data: new Uint8Array(0) };
          const ok = data.length === 4 && own !== undefined &&
            new DataView(data.buffer, data.byteOffset, 4).getUint32(0, true) === sum(own.frame);
          if (ok && own !== undefined) {
            good++;
            return host.up(own.frame);
          }
          bad++;
          if (p["onError"] === "fail") host.fail(MessageStatus.corrupt);
        },
        control: (r) => r.kind === "query" ? { good, bad } : undefined,
      };
    },
  }),
};

function sum(frame: Frame): number {
  return crc32c(frame.payload, crc32c(encodeExtensions(frame.extensions), crc32c(identity(frame))));
}

/** Compresses payloads of at least `minimum` bytes, if they get smaller by it. */
export const compress: MessageModule = {
  name: "compress",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [{ name: "minimum", type: "number", default: 256, min: 0, max: 2 ** 30 }],
  create: (p) => ({
    open(host): Link {
      let [before, after, bad] = [0, 0, 0];
      return {
        down(frame): void {
          const { payload } = frame;
          const packed = payload.length >= Number(p["minimum"]) ? compressLz(payload) : payload;
          const smaller = packed.length < payload.length;
          before += payload.length;
          after += smaller ? packed.length : payload.length;
          const data = new Uint8Array(4);
          if (smaller) new DataView(data.buffer).setUint32(0, payload.length, true);
          host.down(host.mark(smaller ? { ...frame, payload: packed } : frame, data));
        },
        up(marked): void {
          const own = host.unmark(marked);
          if (own === undefined || own.data.length !== 4) return void bad++;
          const size = new DataView(own.data.buffer, own.data.byteOffset, 4).getUint32(0, true);
          if (size === 0) return host.up(own.frame);
          const payload = size > 2 ** 26 ? undefined : decompressLz(own.frame.payload, size);
          if (payload === undefined) return void bad++;
          host.up({ ...own.frame, payload });
        },
        control: (r) => r.kind === "query" ? { before, after, bad } : undefined,
      };
    },
  }),
};

/**
 * ChaCha20-Poly1305 over extensions and payload, with one key per direction made of the job key; the header is
 * authenticated. The key of a job must not be used for another job, because counters begin anew.
 */
export const encrypt: MessageModule = {
  name: "encrypt",
  abi: 1,
  holdsUp: false,
  kind: "filter",
  parameters: [{ name: "keyId", type: "string", default: "" }],
  create: (p, node) => ({ open: (host) => openEncrypt(p, node, host) }),
};

function openEncrypt(p: Parameters, node: ModuleHost, host: LinkHost): Link {
  const key = (from: number, to: number, chain: number): Uint8Array =>
    deriveKey(node.key, `encrypt ${p["keyId"]} ${chain} ${host.layer} ${from}>${to}`);
  const keys = new Map<string, Uint8Array>();
  const keyOf = (f: Frame): Uint8Array => {
    const name = `${f.source} ${f.chain}`;
    let k = keys.get(name);
    if (k === undefined) keys.set(name, k = key(f.source, f.destination, f.chain));
    return k;
  };
  let [count, bad] = [0, 0];
  const nonce = (n: Uint8Array): Uint8Array => {
    const out = new Uint8Array(12);
    out.set(n, 4);
    return out;
  };
  return {
    down(frame): void {
      const extensions = encodeExtensions(frame.extensions);
      const plain = new Uint8Array(4 + extensions.length + frame.payload.length);
      new DataView(plain.buffer).setUint32(0, extensions.length, true);
      plain.set(extensions, 4);
      plain.set(frame.payload, 4 + extensions.length);
      const n = new Uint8Array(8);
      setU64(new DataView(n.buffer), 0, ++count);
      const payload = seal(keyOf(frame), nonce(n), identity(frame), plain);
      host.down(host.mark({ ...frame, extensions: [], payload }, n));
    },
    up(marked): void {
      const own = host.unmark(marked);
      const fits = own !== undefined && own.data.length === 8 && own.frame.extensions.length === 0;
      const plain = fits
        ? unseal(keyOf(own.frame), nonce(own.data), identity(own.frame), own.frame.payload)
        : undefined;
      if (own === undefined || plain === undefined || plain.length < 4) return void bad++;
      const size = new DataView(plain.buffer, plain.byteOffset, plain.byteLength).getUint32(0, true);
      const extensions = 4 + size <= plain.length ? decodeExtensions(plain.subarray(4, 4 + size)) : undefined;
      if (extensions === undefined) return void bad++;
      host.up({ ...own.frame, extensions, payload: plain.subarray(4 + size) });
    },
    control: (r) => r.kind === "query" ? { sealed: count, bad } : undefined,
  };
}
