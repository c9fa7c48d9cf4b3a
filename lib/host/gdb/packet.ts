/**
 * Packets of GDB's remote protocol: `$text#checksum`, acknowledged by `+` or `-`, and the lone byte 0x03 that asks for a
 * stop. What comes in is bounded and checked before anybody looks at it. Sources: GDB manual, appendix E (remote serial
 * protocol). Cold.
 *
 * Not emulated: run-length encoding of what we send, notifications.
 */

/** Longest packet that is taken, in bytes between `$` and `#`. */
export const PACKET_SIZE = 0x4000;

/** What came in. */
export type Incoming =
  /** A packet with a right checksum; one character a byte, escapes resolved. */
  | { readonly kind: "packet"; readonly text: string }
  /** A packet with a wrong checksum, or one too long. */
  | { readonly kind: "damaged" }
  /** The peer asks for the last packet again. */
  | { readonly kind: "again" }
  /** Stop the guest. */
  | { readonly kind: "interrupt" };

const START = 0x24; // $
const END = 0x23; // #
const ESCAPE = 0x7d; // }
const AGAIN = 0x2d; // -
const INTERRUPT = 3;

/** Cuts a stream of bytes into packets. */
export class PacketReader {
  #inside = false;
  #body: number[] = [];
  #sum = "";
  #tooLong = false;
  #inSum = false;

  /** Takes bytes as they come; returns what is complete. */
  take(bytes: Uint8Array): Incoming[] {
    const out: Incoming[] = [];
    for (const byte of bytes) {
      const one = this.#inside ? this.#within(byte) : this.#between(byte);
      if (one !== undefined) out.push(one);
    }
    return out;
  }

  #between(byte: number): Incoming | undefined {
    if (byte === START) this.#begin();
    if (byte === INTERRUPT) return { kind: "interrupt" };
    return byte === AGAIN ? { kind: "again" } : undefined; // acknowledgements and noise are passed over
  }

  #begin(): void {
    this.#inside = true;
    this.#inSum = this.#tooLong = false;
    this.#body = [];
    this.#sum = "";
  }

  #within(byte: number): Incoming | undefined {
    if (this.#inSum) {
      this.#sum += String.fromCharCode(byte);
      return this.#sum.length < 2 ? undefined : this.#finish();
    }
    if (byte === START) this.#begin(); // the peer began anew
    else if (byte === END) this.#inSum = true;
    else if (this.#body.length < PACKET_SIZE) this.#body.push(byte);
    else this.#tooLong = true;
    return undefined;
  }

  #finish(): Incoming {
    this.#inside = false;
    const right = /^[0-9a-f]{2}$/i.test(this.#sum) && parseInt(this.#sum, 16) === checksum(this.#body);
    if (!right || this.#tooLong) return { kind: "damaged" };
    let text = "";
    for (let i = 0; i < this.#body.length; i++) {
      const byte = this.#body[i];
      text += String.fromCharCode(byte === ESCAPE && i + 1 < this.#body.length ? this.#body[++i] ^ 0x20 : byte);
    }
    return { kind: "packet", text };
  }
}

function checksum(bytes: readonly number[]): number {
  return bytes.reduce((sum, byte) => (sum + byte) & 0xff, 0);
}

/** A packet as it goes over the line. `text` has one character a byte; what needs it is escaped. */
export function encodePacket(text: string): Uint8Array {
  const body: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const byte = text.charCodeAt(i) & 0xff;
    if (byte === START || byte === END || byte === ESCAPE || byte === 0x2a) body.push(ESCAPE, byte ^ 0x20);
    else body.push(byte);
  }
  const sum = checksum(body).toString(16).padStart(2, "0");
  return Uint8Array.from([START, ...body, END, sum.charCodeAt(0), sum.charCodeAt(1)]);
}

/** Bytes as hex digits. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Hex digits as bytes, or `undefined` if they are none. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

/** An unsigned hex number of at most 32 bits, or `undefined`. */
export function hexNumber(text: string): number | undefined {
  return /^[0-9a-f]{1,8}$/i.test(text) ? parseInt(text, 16) : undefined;
}
