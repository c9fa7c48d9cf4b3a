/** Text of a failing case: bytes, disassembly, what differs, both states. */
import type { Case, Outcome } from "./case.ts";

const NAMES = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];

function hex(bytes: ArrayLike<number>): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join(" ");
}

function word(v: number): string {
  return (v >>> 0).toString(16).padStart(8, "0");
}

function registers(regs: Uint32Array, eflags: number): string {
  return `${Array.from(regs, (v, i) => `${NAMES[i]} ${word(v)}`).join("  ")}  eflags ${word(eflags)}`;
}

/** Lines of the x87 and SSE state that is not trivial. */
function image(fx: Uint8Array): string[] {
  const number = (at: number, n: number): string =>
    Array.from(fx.subarray(at, at + n)).reverse().map((b) => b.toString(16).padStart(2, "0")).join("");
  const lines = [`fcw ${number(0, 2)}  fsw ${number(2, 2)}  ftw ${number(4, 1)}  mxcsr ${number(24, 4)}`];
  for (let i = 0; i < 8; i++) lines.push(`st${i} ${number(32 + 16 * i, 10)}  xmm${i} ${number(160 + 16 * i, 16)}`);
  return lines;
}

/** A failing case as text. `disassembly` is empty where there is none. */
export function reportCase(
  one: Case,
  differences: readonly string[],
  ours: Outcome,
  host: Outcome,
  disassembly: readonly string[],
): string {
  const floats = one.steps.some((s) => s.row.prefix !== undefined || (s.row.opcode >= 0xd8 && s.row.opcode <= 0xdf));
  const operands = one.steps.filter((s) => s.isMem).map((s) => {
    const at = s.address - 0x10000e00;
    return `memory at ${word(s.address)}: ${hex(one.memory.subarray(Math.max(0, at), Math.max(0, at) + 16))}`;
  });
  return [
    `${one.name}: ${hex(one.code)}`,
    ...disassembly,
    ...differences,
    `before  ${registers(one.regs, one.eflags)}`,
    `ours    ${registers(ours.regs, ours.eflags)}  vector ${ours.vector}`,
    `host    ${registers(host.regs, host.eflags)}  vector ${host.vector}`,
    ...operands,
    ...(floats ? image(one.fx) : []),
  ].join("\n    ");
}
