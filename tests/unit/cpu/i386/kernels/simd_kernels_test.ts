/**
 * Kernels of MMX and SSE against the TypeScript functions: on generated states a kernel either does exactly what the
 * function does, or nothing at all. The functions themselves are judged by the host CPU in the oracle.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { deriveFlags, FlagsKind, readEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { kernels, placeOf } from "../../../../../lib/cpu/i386/kernels/index.ts";
import { FLAGS_SET, type Kernel, SLOW } from "../../../../../lib/cpu/i386/kernels/kernel.ts";
import { KernelTable } from "../../../../../lib/cpu/i386/kernels/module.ts";
import { Layout, STATE_BYTES } from "../../../../../lib/cpu/i386/state.ts";
import { SIMD_ROWS } from "../../../../../lib/spec/i386_ops_simd.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";
import type { FakeContext } from "../fake_context.ts";
import { assertSame, assertSameState } from "./compare_state.ts";
import { execute, sseContext } from "../simd/harness.ts";

const STATE_AT = 4096, OPERAND = 0x4000, LINEAR = 0x2000;

/** Sixteen bytes: doubles, singles, integers, and now and then anything. */
function operand(r: Prng): Uint8Array {
  const bytes = r.bytes(16).slice(), v = new DataView(bytes.buffer);
  const number = (): number => {
    switch (r.below(8)) {
      case 0:
        return (r.below(2) === 0 ? -1 : 1) * 2 ** (r.below(600) - 300);
      case 1:
        return r.below(3) - 1;
      case 2:
        return (r.u32() | 0) * 2 ** -r.below(40);
      case 3:
        return r.u32() * 2 ** (r.below(140) - 70);
      case 4:
        return r.pick([
          Infinity,
          -Infinity,
          NaN,
          2 ** -1022,
          2 ** -1074,
          2 ** -126,
          2 ** -149,
          2 ** 31,
          -(2 ** 31) - 1,
        ]);
      default:
        return (r.below(20001) - 10000) / r.pick([1, 1, 2, 997]);
    }
  };
  switch (r.below(4)) {
    case 0:
      for (let n = 0; n < 16; n += 8) v.setFloat64(n, number(), true);
      break;
    case 1:
      for (let n = 0; n < 16; n += 4) v.setFloat32(n, number(), true);
      break;
    case 2:
      for (let n = 0; n < 16; n += 4) v.setInt32(n, r.pick([r.below(70), -r.below(70), r.u32(), 0x7fff8000, 0]), true);
      break;
  }
  return bytes;
}

function prepare(c: FakeContext, r: Prng): void {
  const s = c.state;
  for (let n = 0; n < 8; n++) {
    s.u8.set(operand(r), Layout.xmm + 16 * n);
    s.u8.set(operand(r).subarray(0, 8), Layout.fpr + 16 * n);
    s.set(Layout.fpr + 16 * n + 8, r.below(0x10000));
    s.setReg32(n, r.pick([r.u32(), r.below(100), -r.below(100), 1 << 24]) | 0);
  }
  s.set(Layout.mxcsr, r.below(6) === 0 ? r.below(0x10000) : 0x1f80 | (r.below(3) === 0 ? 0 : 0x20));
  s.set(Layout.ftop, r.below(8));
  s.set(Layout.fempty, r.below(256));
  s.set(Layout.fsw, r.below(8) === 0 ? r.u32() & 0xc7ff : 0);
  s.set(Layout.cr0, r.below(16) === 0 ? r.below(16) : 0x11);
}

const CASES = Number(Deno.env.get("VMIKIT_KERNEL_CASES") ?? 300);

function judge(kernel: Kernel): void {
  const c = sseContext(), r = new Prng(kernels().indexOf(kernel) + 1);
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 }), bytes = new Uint8Array(memory.buffer);
  const words = new Int32Array(memory.buffer);
  const kernelFunction = new KernelTable(memory, STATE_AT).get(kernels().indexOf(kernel));
  const row = SIMD_ROWS.find((one) => one.sem === kernel.sem);
  assert(row !== undefined);
  let done = 0;
  for (let n = 0; n < CASES; n++) {
    prepare(c, r);
    const reg = r.below(8),
      rm = r.below(4) === 0 ? reg : r.below(8),
      imm = r.below(3) === 0 ? r.below(256) : r.below(20);
    const isMem = kernel.memory !== undefined, value = operand(r), what = `${kernel.sem} case ${n}`;
    c.mem.bytes.set(value, LINEAR);
    bytes.set(c.state.u8, STATE_AT);
    bytes.set(value, OPERAND);
    const before = words.slice(), eflags = readEflags(c.state);
    const place = { row, isMem, reg, rm };
    const src = isMem ? OPERAND : placeOf(kernel.src, place, STATE_AT);
    const answer = kernelFunction(placeOf(kernel.reg, place, STATE_AT), src, imm);
    if (answer === SLOW) {
      assertSame(words, before, `${what}: left something behind`);
      continue;
    }
    done++;
    const vector = execute(c, kernel.sem, isMem ? { reg, at: LINEAR, imm } : { reg, rm, imm });
    assertEquals(vector, -1, `${what}: the function faults`);
    assertSameState(words.subarray(STATE_AT >>> 2, (STATE_AT + STATE_BYTES) >>> 2), c.state.i32, what);
    assertEquals(bytes.slice(OPERAND, OPERAND + 32), c.mem.bytes.slice(LINEAR, LINEAR + 32), `${what}: memory`);
    const flags = (answer & FLAGS_SET) !== 0 ? deriveFlags(FlagsKind.word, answer, 0, 0) : eflags & 0x8d5;
    assertEquals(flags, readEflags(c.state) & 0x8d5, `${what}: EFLAGS`);
  }
  assert(done > CASES / 50, `only ${done} of ${CASES} cases were done by the kernel`);
}

for (const kernel of kernels().filter((one) => SIMD_ROWS.some((row) => row.sem === one.sem))) {
  const form = kernel.memory === undefined ? "registers" : "memory";
  Deno.test(`kernel ${kernel.sem}, ${form}, does what the function does`, () => judge(kernel));
}
