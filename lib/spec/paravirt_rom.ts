/**
 * The option ROM in which a hypervisor publishes the paravirtual interface (VMware's VMI, ABI 3.0): offsets, signatures
 * and relocation types, as data.
 *
 * A guest looks at each 2 KiB step of physical 0xC0000-0xDFFFF for the two signatures, checks the version and the
 * licence string, then calls the two entries. Only these two have fixed places; everything else is found by asking
 * GetRelocationInfo. Sources: Linux 2.6.21-2.6.36 vmi.h, vmi.c; PCI Firmware Specification 3.0; Plug and Play BIOS
 * Specification 1.0A. Cold data.
 */

/** Fields of the ROM header by byte offset. */
export const ParavirtRomHeader = {
  /** u16 {@linkcode ROM_SIGNATURE}. */
  romSignature: 0x00,
  /** u8, units of 512 bytes. */
  length: 0x02,
  /** 4 bytes of 16-bit code, far-called by a BIOS. */
  biosEntry: 0x03,
  /** u32 {@linkcode PARAVIRT_SIGNATURE}. */
  signature: 0x08,
  /** u8. */
  apiMinor: 0x0c,
  /** u8 {@linkcode PARAVIRT_API_MAJOR}. */
  apiMajor: 0x0d,
  /** u8, number of slots; no known guest reads it. */
  jumpSlots: 0x0e,
  /** u32, lowest linear address owned by the hypervisor; 0: none. */
  virtualTop: 0x10,
  /** u16, offset of the licence string. */
  licence: 0x16,
  /** u16, offset of the PCI data structure. */
  pci: 0x18,
  /** u16, offset of the PnP expansion header. */
  pnp: 0x1a,
  /** Code, entered by a near CALL. */
  init: 0x80,
  /** Code, entered by a near CALL with the call number in EAX. */
  getReloc: 0x88,
  /** Bytes of the header. */
  size: 0x90,
} as const;

/** Fields of the PCI data structure by byte offset. */
export const ParavirtPciHeader = {
  signature: 0x00,
  vendor: 0x04,
  device: 0x06,
  size: 0x0a,
  interface: 0x0d,
  subclass: 0x0e,
  class: 0x0f,
  chunks: 0x10,
  romMinor: 0x12,
  romMajor: 0x13,
  codeType: 0x14,
  lastImage: 0x15,
  bytes: 0x18,
} as const;

/** Fields of the PnP expansion header by byte offset. */
export const ParavirtPnpHeader = {
  signature: 0x00,
  revision: 0x04,
  size: 0x05,
  next: 0x06,
  checksum: 0x09,
  deviceId: 0x0a,
  manufacturer: 0x0e,
  product: 0x10,
  bytes: 0x20,
} as const;

/** Bytes 55 AA. */
export const ROM_SIGNATURE = 0xaa55;
/** Bytes "cVmi". */
export const PARAVIRT_SIGNATURE = 0x696d5663;
/** The major version every mainline Linux asks for. */
export const PARAVIRT_API_MAJOR = 3;
/** The minor version of that interface. */
export const PARAVIRT_API_MINOR = 0;
/** PCI vendor of the ROM; another one only draws a warning. */
export const PARAVIRT_VENDOR = 0x15ad;
/** PCI device of the ROM. */
export const PARAVIRT_DEVICE = 0x0801;
/** Where a guest looks: first address, end (not included) and step, physical. */
export const ParavirtProbe = { from: 0xc0000, to: 0xe0000, step: 2048 } as const;

/** Relocation types, the answer of GetRelocationInfo in DL. */
export const ParavirtReloc = {
  /** No ROM implementation: use the native one. */
  none: 0,
  /** Reach the address with a CALL. */
  callRel: 1,
  /** Reach the address with a JMP; no return address is pushed. */
  jumpRel: 2,
  /** Nothing to do: erase the site. */
  nop: 3,
} as const;

/** Names of the relocation types by value. */
export const PARAVIRT_RELOC_NAMES: readonly string[] = ["NONE", "CALL_REL", "JUMP_REL", "NOP"];
