/**
 * The shape of a row of the opcode table. Decoder, engines, assembler, disassembler and test generators read the same
 * rows; nothing about an encoding stands anywhere else. Cold data.
 */

/** What a CPU model must have for a row to exist; otherwise the encoding is #UD. */
export type CpuFeature =
  | "386"
  | "tr" // test registers, 386 and 486 only
  | "486"
  | "586"
  | "x87"
  | "cpuid"
  | "tsc"
  | "msr"
  | "cx8"
  | "sep"
  | "cmov"
  | "mmx"
  | "fxsr"
  | "sse"
  | "sse2"
  | "clflush"
  | "vmx";

/**
 * Operand codes, the letters of SDM-2D appendix A.
 *
 * E: r/m general; G: ModRM.reg general; Z: register in the low three opcode bits; M: r/m that must be memory;
 * R: r/m that must be a register; I: immediate; sI: immediate sign-extended to the operand size; J: relative target;
 * A: far pointer immediate; O: moffs; X: DS:(E)SI with override; Y: ES:(E)DI; S: segment register by ModRM.reg;
 * C, D, T: control, debug, test register by reg; P: MMX by reg; Q: MMX or memory by r/m; N: MMX by r/m, register only;
 * V: XMM by reg; W: XMM or memory by r/m; U: XMM by r/m, register only.
 * Second letter: b 8, w 16, d 32, q 64, dq 128, v 16 or 32 by operand size, z immediate of 16 or 32 by operand size,
 * p far pointer 16:16 or 16:32, a pair of v (BOUND), s 6-byte pseudo-descriptor, none: no size (LEA, INVLPG).
 * "Zv" and "Zb" are registers; fixed operands are written as the register's name.
 * "m32fp m64fp m80fp m16int m32int m64int m80bcd m2byte m14/28byte m94/108byte m512byte" are x87 and FXSAVE memory.
 */
export type Operand =
  | "Eb"
  | "Ew"
  | "Ed"
  | "Ev"
  | "Gb"
  | "Gw"
  | "Gd"
  | "Gv"
  | "Zb"
  | "Zv"
  | "M"
  | "Mb"
  | "Mw"
  | "Md"
  | "Mv"
  | "Mq"
  | "Mdq"
  | "Mp"
  | "Ma"
  | "Ms"
  | "Rd"
  | "Rv"
  | "Rw"
  | "EwRv" // EwRv: 16-bit memory or v-wide register (SLDT, MOV r/m,Sreg)
  | "RdMw"
  | "RdMb" // 32-bit register or 16- or 8-bit memory
  | "Ib"
  | "Iw"
  | "Iz"
  | "sIb"
  | "1"
  | "3"
  | "Jb"
  | "Jz"
  | "Ap"
  | "Ob"
  | "Ov"
  | "Xb"
  | "Xw"
  | "Xv"
  | "Xd"
  | "Yb"
  | "Yw"
  | "Yv"
  | "Yd"
  | "Sw"
  | "Cd"
  | "Dd"
  | "Td"
  | "Pq"
  | "Pd"
  | "Qq"
  | "Qd"
  | "Nq"
  | "Vdq"
  | "Vq"
  | "Vd"
  | "Wdq"
  | "Wq"
  | "Wd"
  | "Udq"
  | "Uq"
  | "al"
  | "cl"
  | "ah"
  | "ax"
  | "dx"
  | "eax"
  | "rAX" // rAX: AX or EAX by operand size
  | "es"
  | "cs"
  | "ss"
  | "ds"
  | "fs"
  | "gs"
  | "st0"
  | "sti"
  | "m32fp"
  | "m64fp"
  | "m80fp"
  | "m16int"
  | "m32int"
  | "m64int"
  | "m80bcd"
  | "m2byte"
  | "m14/28byte"
  | "m94/108byte"
  | "m512byte";

/** One encoding of one instruction. */
export interface OpRow {
  /** Opcode byte, 0x00 to 0xff; 0x0f00 added for the two-byte map. Rows with Z operands or cc stand once per opcode. */
  readonly opcode: number;
  /** Lower-case mnemonic as the manual and nasm write it; string instructions with their size letter where it is fixed. */
  readonly mnemonic: string;
  /** Operands in Intel order, destination first. */
  readonly operands: readonly Operand[];
  /** Name of what it does: a tree in `cpu/i386/semantics` or a function in `cpu/i386/{system,x87,simd}`. */
  readonly sem: string;
  /** ModRM.reg that selects this row of a group; absent: not a group. */
  readonly digit?: number;
  /** Mandatory prefix (SSE rows): 0 means none of 66 F2 F3. Absent: 66, F2, F3 keep their ordinary meaning. */
  readonly prefix?: 0 | 0x66 | 0xf2 | 0xf3;
  /** r/m must be memory or must be a register; absent: as the operands say. */
  readonly mod?: "reg" | "mem";
  /** Exact ModRM byte (x87 register forms without operand, 0F 01 C1 and the like). */
  readonly modrm?: number;
  /** True if a ModRM byte follows although no operand names it. */
  readonly hasModrm?: boolean;
  /** Width of the operation in bits; "v" is the operand size; 0 where it means nothing. */
  readonly width: 0 | 8 | 16 | 32 | 64 | 80 | 128 | "v";
  /** Only with this operand size (CWDE and the like have a mnemonic per size); absent: both. */
  readonly opSize?: 16 | 32;
  /** Only with this address size (JCXZ, JECXZ); absent: both. */
  readonly addrSize?: 16 | 32;
  /** Feature the model needs. */
  readonly feature: CpuFeature;
  /** Arithmetic EFLAGS bits given a defined value. */
  readonly sets: number;
  /** Arithmetic EFLAGS bits the manual leaves undefined: masked when compared with hardware. */
  readonly undef: number;
  /** Last instruction of a block: transfers control or changes the mode. */
  readonly ends: boolean;
  /** LOCK is allowed with a memory destination. */
  readonly lock: boolean;
  /** "rep": REP repeats; "repz": REPE and REPNE repeat with a condition; absent: F2 and F3 are ignored. */
  readonly rep?: "rep" | "repz";
  /** Condition code 0-15 of Jcc, SETcc, CMOVcc. */
  readonly cc?: number;
  /** Privileged or IOPL-sensitive: documentation, the semantics check. */
  readonly note?: string;
}
