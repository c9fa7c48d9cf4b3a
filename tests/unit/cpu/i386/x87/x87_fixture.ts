/** An x87 over the fake context, driven by ModRM bytes. */
import { X87_FNS } from "../../../../../lib/cpu/i386/x87/index.ts";
import { push, st } from "../../../../../lib/cpu/i386/x87/stack.ts";
import type { Op } from "../../../../../lib/cpu/i386/context.ts";
import { X87_ROWS } from "../../../../../lib/spec/i386_ops_x87.ts";
import type { FakeContext } from "../fake_context.ts";

/** Options of one instruction. */
export interface Form {
  /** Linear address and offset of the memory operand. */
  readonly at?: number;
  /** ST(i). */
  readonly i?: number;
  /** Operand size attribute. */
  readonly opSize?: 16 | 32;
}

/** Executes the instruction with this `sem`. */
export function execute(c: FakeContext, sem: string, form: Form = {}): void {
  const row = X87_ROWS.find((candidate) => candidate.sem === sem);
  const i = form.i ?? 1, at = form.at ?? 0x2000;
  const isMem = row?.mod === "mem";
  const modrm = row?.modrm ?? (((row?.digit ?? 0) << 3) | (isMem ? 6 : 0xc0 | i));
  const op: Partial<Op> = {
    opcode: row?.opcode ?? 0x9b,
    opSize: form.opSize ?? 32,
    seg: 3,
    rm: modrm & 7,
    isMem,
    modrm,
    offset: () => at,
    linear: () => at,
  };
  X87_FNS[sem](c, op as Op);
}

/** Pushes an extended number given as sign and exponent, and mantissa. */
export function load(c: FakeContext, exponent: number, mantissa: bigint): void {
  const w = c.state.i32, to = push(w);
  w[to] = Number(mantissa & 0xffffffffn);
  w[to + 1] = Number(mantissa >> 32n);
  w[to + 2] = exponent;
}

/** ST(n) as "exponent:mantissa" in hexadecimal. */
export function show(c: FakeContext, n: number): string {
  const w = c.state.i32, at = st(w, n);
  const words = [w[at + 2], w[at + 1], w[at]].map((word) => (word >>> 0).toString(16));
  return `${words[0].padStart(4, "0")}:${words[1].padStart(8, "0")}${words[2].padStart(8, "0")}`;
}
