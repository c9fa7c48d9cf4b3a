/**
 * A predecoded instruction: 32 bytes in the WebAssembly memory, read by the generated interpreter with constant offsets.
 * Register fields are absolute byte addresses in the state block, so that a handler reads any register alike. Hot layout.
 */

/** Bytes of a record. */
export const RECORD_BYTES = 32;

/** Byte offsets inside a record. */
export const Rec = {
  /** u16: which case of the interpreter. */
  handler: 0,
  /** u8: shift of the index register; in a record that refreshes 1 for the target of a jump. */
  scale: 2,
  /** u8: length in bytes (in an address record: bytes accessed). */
  length: 3,
  /** u16: address of the register by ModRM.rm; in an address record that of the segment cache. */
  rm: 4,
  /** u16: address of the register by ModRM.reg; in an address record the rights needed. */
  reg: 6,
  /** u16: address of the base register, or of the zero field. */
  base: 8,
  /** u16: address of the index register, or of the zero field. */
  index: 10,
  /** i32: displacement; of a counter, the translator's own; in a record that refreshes the mask of the constant. */
  disp: 12,
  /** i32: first immediate; in an address record the mask of the offset; in counters the page; of a region the entry. */
  imm: 16,
  /** i32: second immediate, or the record a direct jump leads to (0: not known yet); when refreshing the sign bit or 0. */
  link: 20,
  /** i32: offset of the instruction in its page; may be 4096 and more in the record that leaves a page. */
  offset: 24,
  /**
   * i32: index into the engine's list of TypeScript instructions or hook plans; of a counter the count, of a region its
   * slot; in a record of a tree how far back the instruction's first record is (more than 0 where it has hooks).
   */
  op: 28,
  /** Kernel records, u16: number of the kernel in the table. `reg` is its first parameter; `rm` the state field with the TLB table. */
  kernel: 16,
  /** u8: immediate operand. */
  immediate: 18,
  /** u8: number of the memory operand's segment. */
  segment: 19,
  /** u16: second parameter; for a memory operand the last offset in a page that it may begin at. */
  second: 20,
  /** u16: the last-opcode field of an x87 instruction; else the address bits that must be clear. */
  aux: 22,
} as const;

/** Fixed handlers; trees follow from {@linkcode FIRST_TREE}. */
export const Handler = {
  /** No longer valid, or the end of the page: look EIP up. Zeroed memory reads as this. */
  lookup: 0,
  /** A kernel without memory operand. */
  kernel: 1,
  /** A kernel with a memory operand. */
  kernelMemory: 2,
  /** An x87 kernel without memory operand that is remembered as the last one. */
  kernelX87: 3,
  /** An x87 kernel with a memory operand that is remembered as the last one. */
  kernelX87Memory: 4,
  /** As `address`, before a kernel: what fails there is left to TypeScript. The kernels' slow path is the next one. */
  kernelAddress: 5,
  /** A system kernel; what it refuses is left to TypeScript. */
  system: 6,
  /** An instruction in TypeScript. */
  call: 7,
  /** Computes a segmented or 16-bit address for the record that follows. */
  address: 8,
  /** The instruction that follows crosses a page: check the second page. */
  crossing: 9,
  /** Counts executions of the block that follows and offers it to the translator when its count is used up. */
  counter: 10,
  /** The block that follows is translated: calls its region. */
  region: 11,
  /** The instruction that follows has hooks or breakpoints. */
  hook: 12,
  /** Reads a constant of the instruction that follows from memory: `imm` its host address, `op` where it goes. */
  refresh: 13,
} as const;

/** Number of the first handler made from a tree. */
export const FIRST_TREE = 14;
