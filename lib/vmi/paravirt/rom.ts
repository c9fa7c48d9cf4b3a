/**
 * Builds the option ROM from the call table and a backend's plans.
 *
 * The image, from its start: header with the two entries, PCI and PnP structures, a table of relocation types, slots of
 * {@linkcode STRIDE} bytes (one a call, then Init, GetRelocationInfo and the place where injected calls return), strings,
 * and a last byte that makes the sum of all zero. GetRelocationInfo is real code: it finds itself with CALL and POP, so
 * the ROM works at whatever linear address the guest sees it. The number of a trapped call is its slot's:
 * (EIP - slots) / stride; no register is spent on it. Cold.
 *
 * Not emulated: 16-bit start code (a BIOS gets a lone RETF), several images in one ROM.
 */
import { ConfigError } from "../../core/errors.ts";
import { PARAVIRT_CALL_COUNT, type ParavirtName } from "../../spec/paravirt_calls.ts";
import {
  PARAVIRT_API_MAJOR,
  PARAVIRT_API_MINOR,
  PARAVIRT_DEVICE,
  PARAVIRT_SIGNATURE,
  PARAVIRT_VENDOR,
  ParavirtPciHeader,
  ParavirtPnpHeader,
  ParavirtReloc,
  ParavirtRomHeader,
  ROM_SIGNATURE,
} from "../../spec/paravirt_rom.ts";
import { PLANS } from "./arguments.ts";
import type { ParavirtBackend, SlotPlan } from "./backend.ts";
import { checkPlan, checkRomOptions } from "./rom_check.ts";
import { codeBytes, codeText } from "../../spec/paravirt_native.ts";

/** Bytes of a slot. */
export const STRIDE = 64;
/** The same as a power of two. */
export const STRIDE_LOG2 = 6;
const PCI_AT = ParavirtRomHeader.size;
const PNP_AT = PCI_AT + ParavirtPciHeader.bytes;
const TYPES_AT = 0x100;
const SLOTS_AT = 0x200;
/** Slot in which injected calls return to the host. */
const RETURN_SLOT: number = PARAVIRT_CALL_COUNT + 2;
const STRINGS_AT = SLOTS_AT + (RETURN_SLOT + 1) * STRIDE;
/** Its length is counted in units of 512 bytes, in a byte. */
const MOST_BYTES: number = 0xff * 512;
/** The hypercall instruction. */
const TRAP = "0f 01 c1 | vmcall";

/** What can be chosen about a ROM; everything has a default. */
export interface ParavirtRomOptions {
  /** Lowest linear address that the guest must leave to the hypervisor; 0: none. */
  readonly virtualTop?: number;
  /** Licence string; guests take `GPL` and `GPL v2` only. */
  readonly licence?: string;
  /** Manufacturer as the guest prints it. */
  readonly manufacturer?: string;
  /** Product as the guest prints it. */
  readonly product?: string;
  /** Version of the interface, major and minor; guests ask for major 3. */
  readonly api?: readonly [number, number];
  /** Version of the ROM, major and minor. */
  readonly version?: readonly [number, number];
}

/** A line of code in the ROM. */
export interface RomLine {
  /** Offset from the start of the ROM. */
  readonly at: number;
  /** Its bytes. */
  readonly bytes: readonly number[];
  /** Mnemonic. */
  readonly text: string;
}

/** A slot as built. */
export interface RomSlot {
  /** Number of the call; the entries count on. */
  readonly no: number;
  /** Name of the call. */
  readonly name: ParavirtName;
  /** One of {@linkcode ParavirtReloc}. */
  readonly reloc: number;
  /** True if it begins with a hypercall instruction. */
  readonly trap: boolean;
  /** Offset of its first byte. */
  readonly at: number;
  /** Code, in order; empty where the guest gets none. */
  readonly lines: readonly RomLine[];
  /** Offsets of its RET instructions. */
  readonly returns: readonly number[];
}

/** A ROM as built. */
export interface ParavirtRom {
  /** The image, a multiple of 2 KiB. */
  readonly bytes: Uint8Array;
  /** Slots by number: the calls, Init, GetRelocationInfo. */
  readonly slots: readonly RomSlot[];
  /** Offset of slot 0. */
  readonly slotsAt: number;
  /** Offset of the trap to which injected calls return. */
  readonly returnAt: number;
}

/** Builds the ROM of a backend. @throws {ConfigError} rom-option, rom-slot, rom-size */
export function buildParavirtRom(
  backend: Pick<ParavirtBackend, "name" | "slot">,
  options: ParavirtRomOptions = {},
): ParavirtRom {
  checkRomOptions(options);
  const slots = PLANS.map((plan) => {
    const relocation = plan.name === "GetRelocationInfo";
    const planned: SlotPlan = relocation
      ? { reloc: "call", trap: false, code: relocationCode(slotAt(plan.no)) }
      : backend.slot(plan.name);
    checkPlan(planned, plan.name, backend.name);
    return makeSlot(plan.no, plan.name, planned, backend.name);
  });
  const strings = [
    options.licence ?? "GPL",
    options.manufacturer ?? "vmikit",
    options.product ?? `${backend.name} backend`,
  ];
  const encoded = strings.map((s) => [...new TextEncoder().encode(s), 0]);
  const length = Math.ceil((STRINGS_AT + encoded.flat().length + 1) / 2048) * 2048;
  const lastString = STRINGS_AT + encoded.slice(0, -1).flat().length; // offsets of strings have 16 bits
  if (length > MOST_BYTES || lastString > 0xffff) {
    throw new ConfigError("rom-size", `The paravirtual ROM would have ${length} bytes; shorten its strings`);
  }
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const stringAt: number[] = [];
  let at = STRINGS_AT;
  for (const text of encoded) {
    stringAt.push(at);
    bytes.set(text, at);
    at += text.length;
  }
  writeHeader(view, options, stringAt[0] ?? 0);
  writePci(view, options);
  writePnp(view, stringAt[1] ?? 0, stringAt[2] ?? 0);
  bytes.fill(0xcc, SLOTS_AT, STRINGS_AT); // INT3 where no code is
  for (const slot of slots) {
    if (slot.no < PARAVIRT_CALL_COUNT) bytes[TYPES_AT + slot.no] = slot.reloc;
    for (const line of slot.lines) bytes.set(line.bytes, line.at);
  }
  bytes.set(codeBytes(TRAP), slotAt(RETURN_SLOT));
  bytes[length - 1] = -bytes.reduce((sum, b) => sum + b, 0) & 0xff;
  return { bytes, slots, slotsAt: SLOTS_AT, returnAt: slotAt(RETURN_SLOT) };
}

/** Is this the beginning of a paravirtual ROM? What else it says may have been changed since it was built. */
export function isRomHeader(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return view.getUint16(ParavirtRomHeader.romSignature, true) === ROM_SIGNATURE &&
    view.getUint32(ParavirtRomHeader.signature, true) === PARAVIRT_SIGNATURE;
}

function slotAt(no: number): number {
  return SLOTS_AT + no * STRIDE;
}

function makeSlot(no: number, name: ParavirtName, plan: SlotPlan, backend: string): RomSlot {
  const at = slotAt(no);
  if (plan.reloc === "none" || plan.reloc === "nop") {
    const reloc = plan.reloc === "nop" ? ParavirtReloc.nop : ParavirtReloc.none;
    return { no, name, reloc, trap: false, at, lines: [], returns: [] };
  }
  const lines: RomLine[] = [];
  let next = at;
  for (const line of plan.trap ? [TRAP, ...plan.code] : plan.code) {
    const bytes = codeBytes(line);
    lines.push({ at: next, bytes, text: codeText(line) });
    next += bytes.length;
  }
  if (next > at + STRIDE) {
    throw new ConfigError(
      "rom-slot",
      `Backend ${backend} plans ${next - at} bytes for ${name}; a slot has ${STRIDE}: call longer code by hypercall`,
    );
  }
  const returns = lines.filter((l) => l.text === "ret").map((l) => l.at);
  return {
    no,
    name,
    reloc: plan.reloc === "jump" ? ParavirtReloc.jumpRel : ParavirtReloc.callRel,
    trap: plan.trap,
    at,
    lines,
    returns,
  };
}

/** Call number in EAX; returns the slot's linear address in EAX, its relocation type in EDX. Uses ECX. */
function relocationCode(at: number): string[] {
  const here = at + 5; // what POP gets: the address after the CALL, as an offset
  const limit = PARAVIRT_CALL_COUNT.toString(16);
  return [
    "e8 00 00 00 00 | call $+5",
    "59 | pop ecx",
    `83 f8 ${limit} | cmp eax, 0x${limit}`,
    "73 13 | jae $+21",
    `0f b6 94 01 ${hex32(TYPES_AT - here)} | movzx edx, byte [ecx+eax-0x${(here - TYPES_AT).toString(16)}]`,
    `c1 e0 0${STRIDE_LOG2} | shl eax, ${STRIDE_LOG2}`,
    `8d 84 01 ${hex32(SLOTS_AT - here)} | lea eax, [ecx+eax-0x${(here - SLOTS_AT).toString(16)}]`,
    "c3 | ret",
    "31 c0 | xor eax, eax",
    "31 d2 | xor edx, edx",
    "c3 | ret",
  ];
}

/** Four bytes of a little-endian number, as hex. */
function hex32(value: number): string {
  return [0, 8, 16, 24].map((shift) => (value >> shift & 0xff).toString(16).padStart(2, "0")).join(" ");
}

function writeHeader(view: DataView, options: ParavirtRomOptions, licenceAt: number): void {
  const h = ParavirtRomHeader;
  view.setUint16(h.romSignature, ROM_SIGNATURE, true);
  view.setUint8(h.length, view.byteLength / 512);
  view.setUint8(h.biosEntry, 0xcb); // RETF
  view.setUint32(h.signature, PARAVIRT_SIGNATURE, true);
  view.setUint8(h.apiMajor, options.api?.[0] ?? PARAVIRT_API_MAJOR);
  view.setUint8(h.apiMinor, options.api?.[1] ?? PARAVIRT_API_MINOR);
  view.setUint8(h.jumpSlots, PARAVIRT_CALL_COUNT);
  view.setUint32(h.virtualTop, options.virtualTop ?? 0, true);
  view.setUint16(h.licence, licenceAt, true);
  view.setUint16(h.pci, PCI_AT, true);
  view.setUint16(h.pnp, PNP_AT, true);
  writeJump(view, h.init, slotAt(PARAVIRT_CALL_COUNT));
  writeJump(view, h.getReloc, slotAt(PARAVIRT_CALL_COUNT + 1));
}

/** JMP rel32 and three NOPs. */
function writeJump(view: DataView, at: number, target: number): void {
  view.setUint8(at, 0xe9);
  view.setInt32(at + 1, target - (at + 5), true);
  for (let i = 5; i < 8; i++) view.setUint8(at + i, 0x90);
}

function writePci(view: DataView, options: ParavirtRomOptions): void {
  const p = ParavirtPciHeader;
  writeText(view, PCI_AT + p.signature, "PCIR");
  view.setUint16(PCI_AT + p.vendor, PARAVIRT_VENDOR, true);
  view.setUint16(PCI_AT + p.device, PARAVIRT_DEVICE, true);
  view.setUint16(PCI_AT + p.size, p.bytes, true);
  view.setUint8(PCI_AT + p.class, 0x05); // memory controller
  view.setUint16(PCI_AT + p.chunks, view.byteLength / 512, true);
  view.setUint8(PCI_AT + p.romMajor, options.version?.[0] ?? 0);
  view.setUint8(PCI_AT + p.romMinor, options.version?.[1] ?? 1);
  view.setUint8(PCI_AT + p.lastImage, 0x80);
}

function writePnp(view: DataView, manufacturer: number, product: number): void {
  const p = ParavirtPnpHeader;
  writeText(view, PNP_AT + p.signature, "$PnP");
  view.setUint8(PNP_AT + p.revision, 1);
  view.setUint8(PNP_AT + p.size, p.bytes / 16);
  view.setUint16(PNP_AT + p.manufacturer, manufacturer, true);
  view.setUint16(PNP_AT + p.product, product, true);
  let sum = 0;
  for (let i = 0; i < p.bytes; i++) sum += view.getUint8(PNP_AT + i);
  view.setUint8(PNP_AT + p.checksum, -sum & 0xff);
}

function writeText(view: DataView, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) view.setUint8(at + i, text.charCodeAt(i));
}
