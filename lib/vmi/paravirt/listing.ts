/**
 * The listing of a paravirtual ROM: each slot with its call, the answer to GetRelocationInfo and its code, as data and as
 * text. Cold.
 */
import { PARAVIRT_RELOC_NAMES } from "../../spec/paravirt_rom.ts";
import type { ParavirtRom } from "./rom.ts";

/** One line of the listing. */
export interface RomListingRow {
  /** Linear address. */
  readonly address: number;
  /** Bytes of the instruction; empty where the guest gets no code. */
  readonly bytes: readonly number[];
  /** Mnemonic; empty where the guest gets no code. */
  readonly text: string;
  /** Number of the call; the two entries count on. */
  readonly no: number;
  /** Name of the call. */
  readonly call: string;
  /** The answer to GetRelocationInfo, e.g. `CALL_REL`. */
  readonly reloc: string;
}

/** The listing as data; `at` is the address of the ROM's first byte. */
export function listParavirtRom(rom: ParavirtRom, at: number = 0): RomListingRow[] {
  return rom.slots.flatMap((slot) => {
    const head = { no: slot.no, call: slot.name, reloc: PARAVIRT_RELOC_NAMES[slot.reloc] ?? "" };
    if (slot.lines.length === 0) return [{ ...head, address: at + slot.at, bytes: [], text: "" }];
    return slot.lines.map((l) => ({ ...head, address: at + l.at, bytes: l.bytes, text: l.text }));
  });
}

/** The listing as text, one instruction a line, a heading for each call. */
export function formatParavirtRom(rom: ParavirtRom, at: number = 0): string {
  const lines: string[] = [];
  let last = -1;
  for (const row of listParavirtRom(rom, at)) {
    if (row.no !== last) lines.push(`${String(row.no).padStart(2)} ${row.call} ${row.reloc}`);
    last = row.no;
    if (row.bytes.length === 0) continue;
    const bytes = row.bytes.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    lines.push(`   ${row.address.toString(16).padStart(8, "0")}  ${bytes.padEnd(24)}  ${row.text}`);
  }
  return lines.join("\n") + "\n";
}
