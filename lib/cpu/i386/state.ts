/**
 * The CPU state block: one layout, in the machine's WebAssembly memory, seen by all engines.
 *
 * Every offset stands here and nowhere else: TypeScript reads it through {@linkcode CpuState}, generated WebAssembly
 * has the offsets as constants, snapshots walk it by name. A block is one 4 KiB page below 64 KiB, so that a record
 * can name a register by its 16-bit absolute address. Warm: plain typed-array access, no getters with work.
 */

/** Bytes of one CPU's state block. */
export const STATE_BYTES = 4096;

/** Byte offsets inside the state block. Fields are i32 unless said otherwise. */
export const Layout = {
  /** EAX ECX EDX EBX ESP EBP ESI EDI in SDM order, 4 bytes each; AL is byte 0, AH byte 1. */
  regs: 0,
  /** Always zero: stands for an absent base or index register. */
  zero: 32,
  /** Linear address computed by an address pre-record, for operands that are not flat 32-bit. */
  ea: 36,
  /** EIP: offset in CS of the next instruction, u32. Exact whenever TypeScript runs. */
  eip: 40,
  /** Lazy arithmetic flags, see flags.ts. */
  flagsKind: 44,
  flagsA: 48,
  flagsB: 52,
  flagsC: 56,
  /** EFLAGS without CF PF AF ZF SF OF (those are lazy); bit 1 is always set. */
  eflags: 60,
  /** Instructions left in this slice. */
  count: 64,
  /** Non-zero: leave to the run loop at the next instruction boundary. */
  attention: 68,
  /** Current privilege level 0-3. */
  cpl: 72,
  /** 1 after STI, MOV SS, POP SS: interrupts wait for one more instruction. */
  shadow: 76,
  /** 1 while halted (HLT) until an interrupt, NMI, SMI or INIT; 2 while waiting for a start-up message. */
  halted: 80,
  /** Mode bits of {@linkcode ModeBit}, recomputed on segment and CR changes; part of the tag of translated code. */
  mode: 84,
  /** 0xffff or 0xffffffff: mask of stack offsets, from SS.B. */
  stackMask: 88,
  /** 1 after MOV SS or POP SS: #DB too waits for one instruction; 2 after INT with TF set: no trap follows it. */
  noDebug: 92,
  /** Set by an engine when it leaves: why, see engine. */
  exit: 96,
  /** Record to start with, or 0: look EIP up. */
  rec: 100,
  /** Linear base of the TLB read table in use (depends on CPL), byte address in the wasm memory. */
  tlbRead: 104,
  /** Same for writes. */
  tlbWrite: 108,
  /** Segment caches ES CS SS DS FS GS LDTR TR, 32 bytes each, fields in {@linkcode Seg}. */
  segs: 128,
  cr0: 384,
  cr2: 388,
  cr3: 392,
  cr4: 396,
  /** DR0-DR3, then DR6, DR7. */
  dr: 400,
  dr6: 416,
  dr7: 420,
  gdtBase: 424,
  gdtLimit: 428,
  idtBase: 432,
  idtLimit: 436,
  /** PAE page-directory-pointer registers, 4 x 64 bit, loaded at MOV CR3. */
  pdptr: 448,
  /** IA32_EFER (NXE only on this model). */
  efer: 480,
  sysenterCs: 484,
  sysenterEsp: 488,
  sysenterEip: 492,
  /** IA32_APIC_BASE, low and high. */
  apicBase: 496,
  /** Pending fault of the CPU: vector, error code, 1 if there is a code, linear address. */
  faultVector: 512,
  faultCode: 516,
  faultHasCode: 520,
  faultLinear: 524,
  /** Debug conditions met by the instruction being executed: bits for DR6, raised as a trap after it. */
  pendingDebug: 528,
  /** 1 while an NMI handler runs (until IRET). */
  nmiBlocked: 532,
  /** 1 when an NMI waits. */
  nmiPending: 536,
  /** Added to virtual time by RDTSC, 64 bit: set by WRMSR. */
  tscLow: 540,
  tscHigh: 544,
  /** EIP of the first byte of the linear page that code is running in; EIP is this plus a record's page offset. */
  codeBase: 548,
  /** Byte address of the jump cache in use (depends on CPL). */
  jumpCache: 552,
  /** Byte address of the map of code, see interpreter/code_map.ts. */
  codeMap: 556,
  /** Byte address of the TLB table for supervisor reads; the other three tables follow it. */
  tlbSystem: 560,
  /**
   * Not 0: no monitor, no cost model and no hook wants to hear of system instructions and events. 2: there are hooks on
   * memory, who see the state in the middle of an instruction.
   */
  plain: 564,
  /** 0: nothing waits to be delivered at an instruction boundary, whatever IF says; 1: something may. */
  due: 568,
  /** Bits of EFLAGS that POPF and IRET may change at any privilege. */
  freeFlags: 572,
  /** Byte addresses of the jump caches of supervisor and user code. */
  jumpSystem: 576,
  jumpUser: 580,
  /** Virtual time at which `count` would be 0 if nothing else moved it, 64 bit; `timeKnown` is 0 where that cannot be said. */
  timeLow: 584,
  timeHigh: 588,
  timeKnown: 592,
  /** 1: GDT and LDT are read by physical address; a monitor keeps them where the guest's page tables do not reach. */
  tablesPhysical: 640,
  /** x87: eight registers R0-R7 (physical, not ST-relative), 16 bytes each: mantissa low, mantissa high, sign and exponent. */
  fpr: 1024,
  /** x87 control word, status word without TOP, TOP (0-7), tag bits (bit n = 1: Rn empty). */
  fcw: 1152,
  fsw: 1156,
  ftop: 1160,
  fempty: 1164,
  /** Last x87 opcode (11 bits), instruction pointer and selector, operand pointer and selector. */
  fop: 1168,
  fip: 1172,
  fcs: 1176,
  fdp: 1180,
  fds: 1184,
  mxcsr: 1188,
  /** XMM0-XMM7, 16 bytes each. */
  xmm: 1280,
  /** 64 bytes where an engine may put an operand that is not in RAM. */
  scratch: 1408,
  /** 64 bytes for memory operands and results of x87 and SIMD instructions in TypeScript; dead between instructions. */
  fpScratch: 1472,
} as const;

/** Byte offsets inside one segment cache. */
export const Seg = {
  selector: 0,
  base: 4,
  /** Limit in bytes, u32, granularity applied. */
  limit: 8,
  /** Bits 8-23 of the descriptor's high dword in place (type, S, DPL, P, AVL, D/B, G); 0 when null. */
  access: 12,
  /** First and last valid offset; lo > hi (unsigned): no offset is valid (null or unusable). Expand-down is lo = limit+1. */
  lo: 16,
  hi: 20,
  /** Bit 0: readable, bit 1: writable, bit 2: usable (not null). */
  rights: 24,
} as const;

/** Bytes of one segment cache. */
export const SEG_BYTES = 32;

/** Bits of {@linkcode Layout.mode}. */
export const ModeBit = {
  /** CS.D: default operand and address size 32. */
  code32: 1,
  /** SS.B: stack offsets are 32-bit. */
  stack32: 2,
  /** DS, ES and SS are flat: base 0, limit 4 GiB, readable and writable, expand-up. */
  flatData: 4,
  /** CS is flat: base 0, limit 4 GiB. */
  flatCode: 8,
  /** CPL is 3: accesses use the user tables. */
  user: 16,
  /** CR0.PE with EFLAGS.VM. */
  v86: 32,
  /** CR0.PE. */
  protected: 64,
  /** CS is readable data too (needed for CS overrides); not part of any decision now. */
  spare: 128,
} as const;

/** Typed-array views over one CPU's state block. Index i32 by `Layout.x >>> 2`. */
export class CpuState {
  /** Byte address of the block in the WebAssembly memory; a multiple of {@linkcode STATE_BYTES}. */
  readonly base: number;
  /** The whole block as i32. */
  readonly i32: Int32Array;
  /** The whole block as bytes. */
  readonly u8: Uint8Array;
  /** The whole block as u16. */
  readonly u16: Uint16Array;

  /** @param memory The machine's memory. @param base Byte address of the block. */
  constructor(memory: WebAssembly.Memory, base: number) {
    this.base = base;
    this.i32 = new Int32Array(memory.buffer, base, STATE_BYTES >>> 2);
    this.u8 = new Uint8Array(memory.buffer, base, STATE_BYTES);
    this.u16 = new Uint16Array(memory.buffer, base, STATE_BYTES >>> 1);
  }

  /** Field at a byte offset, i32. */
  get(offset: number): number {
    return this.i32[offset >>> 2];
  }

  /** Sets the field at a byte offset. */
  set(offset: number, value: number): void {
    this.i32[offset >>> 2] = value;
  }

  /** General register 0-7 (SDM order), i32. */
  reg32(n: number): number {
    return this.i32[n];
  }

  /** Sets general register 0-7. */
  setReg32(n: number, value: number): void {
    this.i32[n] = value;
  }

  /** 16-bit register 0-7, u16. */
  reg16(n: number): number {
    return this.u16[n << 1];
  }

  /** Sets 16-bit register 0-7, leaving the upper half. */
  setReg16(n: number, value: number): void {
    this.u16[n << 1] = value;
  }

  /** 8-bit register AL CL DL BL AH CH DH BH, u8. */
  reg8(n: number): number {
    return this.u8[((n & 3) << 2) | (n >>> 2)];
  }

  /** Sets 8-bit register AL CL DL BL AH CH DH BH. */
  setReg8(n: number, value: number): void {
    this.u8[((n & 3) << 2) | (n >>> 2)] = value;
  }

  /** Field of a segment cache: `n` is 0-7 (ES CS SS DS FS GS LDTR TR), `field` an offset of {@linkcode Seg}. */
  seg(n: number, field: number): number {
    return this.i32[(Layout.segs + n * SEG_BYTES + field) >>> 2];
  }

  /** Sets a field of a segment cache. */
  setSeg(n: number, field: number, value: number): void {
    this.i32[(Layout.segs + n * SEG_BYTES + field) >>> 2] = value;
  }

  /** True if the instruction executes in protected mode (including virtual-8086). */
  get isProtected(): boolean {
    return (this.i32[Layout.cr0 >>> 2] & 1) !== 0;
  }

  /** True in virtual-8086 mode. */
  get isV86(): boolean {
    return (this.i32[Layout.cr0 >>> 2] & 1) !== 0 && (this.i32[Layout.eflags >>> 2] & 0x20000) !== 0;
  }
}
