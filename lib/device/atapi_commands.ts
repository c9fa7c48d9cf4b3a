/**
 * SCSI commands of a CD drive: from a 12-byte packet to an answer. Pure; the drive moves the data.
 *
 * Sources: SCSI-2, MMC-2. Cold.
 *
 * Not emulated: audio, writing, multi-session discs (one data track), tray.
 */

/** What a packet leads to. */
export interface PacketAnswer {
  /** Bytes for the guest, cut to the allocation length. */
  readonly reply: Uint8Array;
  /** First sector of a read. */
  readonly lba: number;
  /** Sectors of a read; 0: none. */
  readonly count: number;
  /** Sense key; 0: good. */
  readonly sense: number;
  /** Additional sense code. */
  readonly asc: number;
}

const NONE = new Uint8Array(0);

function good(reply: Uint8Array, length: number): PacketAnswer {
  return { reply: reply.subarray(0, length), lba: 0, count: 0, sense: 0, asc: 0 };
}

function bad(sense: number, asc: number): PacketAnswer {
  return { reply: NONE, lba: 0, count: 0, sense, asc };
}

/** Answers a packet for a disc of `sectors` sectors; `sense` and `asc` are those of the last failure. */
export function packetCommand(packet: Uint8Array, sectors: number, sense: number, asc: number): PacketAnswer {
  const p = new DataView(packet.buffer, packet.byteOffset, 12);
  const bytes = (size: number, ...values: number[]): Uint8Array => {
    const out = new Uint8Array(size);
    out.set(values);
    return out;
  };
  switch (p.getUint8(0)) {
    case 0x00:
    case 0x1b:
    case 0x1e:
    case 0x35:
      return good(NONE, 0);
    case 0x03:
      return good(bytes(18, 0x70, 0, sense, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc), p.getUint8(4));
    case 0x12: {
      const reply = bytes(36, 5, 0x80, 0, 0x21, 31);
      const text = "VMIKIT  CD-ROM          1.0 ";
      for (let i = 0; i < text.length; i++) reply[8 + i] = text.charCodeAt(i);
      return good(reply, p.getUint8(4));
    }
    case 0x25: {
      const reply = new Uint8Array(8);
      new DataView(reply.buffer).setUint32(0, Math.max(0, sectors - 1));
      reply[6] = 8;
      return good(reply, 8);
    }
    case 0x28:
      return read(p.getUint32(2), p.getUint16(7), sectors);
    case 0xa8:
      return read(p.getUint32(2), p.getUint32(6), sectors);
    case 0x43:
      return toc(p, sectors);
    case 0x46: {
      const reply = bytes(16, 0, 0, 0, 12, 0, 0, 0, 8, 0, 0, 3, 4, 0, 8, 1, 0);
      return good(reply, p.getUint16(7));
    }
    case 0x4a:
      return good(bytes(8, 0, 6, 4, 0x10, 0, 2, 0, 0), p.getUint16(7));
    case 0x1a:
      return good(modePage(4, 0), p.getUint8(4));
    case 0x5a:
      return good(modePage(8, p.getUint8(2) & 0x3f), p.getUint16(7));
    default:
      return bad(5, 0x20);
  }
}

function read(lba: number, count: number, sectors: number): PacketAnswer {
  if (lba + count > sectors) return bad(5, 0x21);
  return { reply: NONE, lba, count, sense: 0, asc: 0 };
}

function modePage(header: number, page: number): Uint8Array {
  const body = page === 0x2a || page === 0x3f ? 20 : 0;
  const reply = new Uint8Array(header + body);
  reply[header === 8 ? 1 : 0] = reply.length - (header === 8 ? 2 : 1);
  if (body > 0) reply.set([0x2a, 18, 0, 0, 0, 0x60, 0x29, 0], header);
  return reply;
}

function toc(p: DataView, sectors: number): PacketAnswer {
  const msf = (p.getUint8(1) & 2) !== 0;
  const format = (p.getUint8(2) & 15) || (p.getUint8(9) >> 6);
  if (format > 1) return bad(5, 0x24);
  const tracks = format === 1 || p.getUint8(6) <= 1 ? [[1, 0] as const] : [];
  const entries = format === 1 ? tracks : [...tracks, [0xaa, sectors] as const];
  const reply = new Uint8Array(4 + 8 * entries.length);
  const view = new DataView(reply.buffer);
  view.setUint16(0, reply.length - 2);
  reply[2] = reply[3] = 1;
  entries.forEach(([track, lba], i) => {
    const at = 4 + 8 * i;
    reply[at + 1] = 0x14;
    reply[at + 2] = track;
    const frame = lba + 150;
    if (!msf) view.setUint32(at + 4, lba);
    else reply.set([0, Math.floor(frame / 4500) & 0xff, Math.floor(frame / 75) % 60, frame % 75], at + 4);
  });
  return good(reply, p.getUint16(7));
}
