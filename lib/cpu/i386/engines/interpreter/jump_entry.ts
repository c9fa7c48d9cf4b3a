/**
 * Where an EIP is in a jump cache, as TypeScript computes it and as WebAssembly does. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";

/** Entries of one jump cache: (EIP, record) pairs of 8 bytes. */
export const JUMP_CACHE_ENTRIES: number = 1 << 16;

/**
 * Place of an EIP in a jump cache: the upper bits of a product. Functions begin at multiples of 16, so that bits as they
 * stand would leave most places empty and let a kernel's functions drive one another out, over and over. A fork and exec
 * under Linux jumps to some ten thousand places: 16384 entries missed 1.4 million times in 800 of them, 65536 0.4 million,
 * and with a second place for each EIP, the entry beside the first one, few are left.
 */
const SPREAD = 0x9e3779b1 | 0;
/** What is left of the product. */
const SPREAD_SHIFT = 32 - Math.log2(JUMP_CACHE_ENTRIES);

/** Number of the entry of an EIP. */
export function jumpEntry(eip: number): number {
  return Math.imul(eip, SPREAD) >>> SPREAD_SHIFT;
}

/**
 * Sets local `to` to the address of the entry of an EIP, less a constant: the first one, or the one beside it if another EIP
 * is there. `base` adds to an address on the stack.
 */
export function emitJumpEntry(f: FunctionBody, eip: number, to: number, constant: number, base: () => void): void {
  f.get(eip);
  f.i32(SPREAD);
  f.num("i32.mul");
  f.i32(SPREAD_SHIFT);
  f.num("i32.shr_u");
  f.i32(3);
  f.num("i32.shl");
  base();
  f.tee(to);
  f.get(to);
  f.mem("i32.load", constant);
  f.get(eip);
  f.num("i32.ne");
  f.i32(3);
  f.num("i32.shl");
  f.num("i32.xor");
  f.set(to);
}
