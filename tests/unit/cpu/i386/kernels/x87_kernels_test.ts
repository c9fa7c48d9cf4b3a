/**
 * Kernels of the x87 against the TypeScript functions: on generated states a kernel either does exactly what the
 * function does, or nothing at all. The functions themselves are judged by the host CPU in the oracle.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { deriveFlags, FlagsKind } from "../../../../../lib/cpu/i386/flags.ts";
import { kernels } from "../../../../../lib/cpu/i386/kernels/index.ts";
import { FLAGS_SET, type Kernel, SLOW } from "../../../../../lib/cpu/i386/kernels/kernel.ts";
import { KernelTable } from "../../../../../lib/cpu/i386/kernels/module.ts";
import { STATE_BYTES } from "../../../../../lib/cpu/i386/state.ts";
import { X87_ROWS } from "../../../../../lib/spec/i386_ops_x87.ts";
import type { OpRow } from "../../../../../lib/spec/i386_op_row.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";
import { CaseMaker, type X87Case } from "../../../../oracle/x87_cases.ts";
import { assertSame, assertSameState } from "./compare_state.ts";
import { GuestFault, OPERAND_AT, X87Machine } from "../../../../oracle/x87_machine.ts";

const STATE_AT = 4096, OPERAND = 0x4001;

/** Runs the TypeScript function; the fault's vector, or undefined. */
function execute(m: X87Machine, one: X87Case): number | undefined {
  try {
    m.execute(one.row, one.modrm);
    return undefined;
  } catch (error) {
    if (!(error instanceof GuestFault)) throw error;
    return error.vector;
  }
}

class Bench {
  readonly machine: X87Machine = new X87Machine();
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
  readonly bytes: Uint8Array = new Uint8Array(this.memory.buffer);
  readonly words: Int32Array = new Int32Array(this.memory.buffer);
  readonly kernels: KernelTable = new KernelTable(this.memory, STATE_AT);

  /** True if the kernel did the instruction. Throws if it did something else than the function. */
  judge(kernel: Kernel, one: X87Case, what: string): boolean {
    const { machine: m, bytes } = this;
    m.load(one.image, one.eflags);
    m.bytes.set(one.memory, OPERAND_AT);
    bytes.set(m.state.u8, STATE_AT);
    bytes.set(one.memory, OPERAND);
    const before = this.words.slice();
    const src = kernel.memory === undefined ? one.modrm & 7 : OPERAND;
    const answer = this.kernels.get(kernels().indexOf(kernel))(0, src, 0);
    if (answer === SLOW) {
      assertSame(this.words, before, `${what}: left something behind`);
      return false;
    }
    assertEquals(execute(m, one), undefined, `${what}: the function faults`);
    assertSameState(this.words.subarray(STATE_AT >>> 2, (STATE_AT + STATE_BYTES) >>> 2), m.state.i32, what);
    const size = one.memory.length;
    assertEquals(bytes.slice(OPERAND, OPERAND + size), m.bytes.slice(OPERAND_AT, OPERAND_AT + size), `${what}: memory`);
    const flags = (answer & FLAGS_SET) !== 0 ? deriveFlags(FlagsKind.word, answer, 0, 0) : one.eflags;
    assertEquals(flags, m.eflags & 0x8d5, `${what}: EFLAGS`);
    return true;
  }
}

function rowOf(kernel: Kernel): OpRow | undefined {
  return X87_ROWS.find((row) => row.sem === kernel.sem && (row.mod === "mem") === (kernel.memory !== undefined));
}

const CASES = Number(Deno.env.get("VMIKIT_KERNEL_CASES") ?? 800);

for (const kernel of kernels().filter((one) => rowOf(one) !== undefined)) {
  Deno.test(`kernel ${kernel.sem}${kernel.memory === undefined ? "" : " memory"} does what the function does`, () => {
    const bench = new Bench(), row = rowOf(kernel);
    assert(row !== undefined);
    let done = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const maker = new CaseMaker(seed);
      for (let n = 0; n < CASES / 4; n++) {
        const one = maker.make(row);
        // Half of the cases the usual way: everything masked, nothing pending, nothing empty but what a push needs.
        if (n % 2 === 0) calm(one, seed);
        if (bench.judge(kernel, one, `${kernel.sem} seed ${seed} case ${n}`)) done++;
      }
    }
    assert(done > CASES / 12, `only ${done} of ${CASES} cases were done by the kernel`);
  });
}

function calm(one: X87Case, seed: number): void {
  const v = one.image, pc = seed === 2 ? 0x200 : 0x300, rc = seed === 3 ? v.getUint16(0, true) & 0xc00 : 0;
  v.setUint16(0, 0x7f | pc | rc, true);
  v.setUint16(4, v.getUint16(4, true) & 0x7f00, true);
  v.setUint16(8, 3 << ((((v.getUint16(4, true) >>> 11) + 7) & 7) * 2), true);
}

Deno.test("kernels of FDIV and FDIVR are exact where a quotient is just below what its estimate says", () => {
  const bench = new Bench(), r = new Prng(5);
  for (const sem of ["fdiv", "fdivr"]) {
    const kernel = kernels().find((one) => one.sem === sem && one.memory === undefined), row = kernel && rowOf(kernel);
    assert(kernel !== undefined && row !== undefined);
    const maker = new CaseMaker(1);
    for (let n = 0; n < 400; n++) {
      const one = maker.make(row), v = one.image;
      calm(one, 1);
      // b * digit is a little more than a * 2^32.
      const b = BigInt(r.u32() | 0x80000000) << 32n & (1n << 64n) - 1n | BigInt(r.u32());
      const digit = (1n << 32n) - BigInt(r.below(1 << r.below(20)));
      const a = (digit * b - 1n) >> 32n;
      const other = one.modrm & 7;
      if (a >> 63n === 0n || other === 0 || other === 7) continue;
      const numbers = sem === "fdiv" ? [a, b] : [b, a];
      numbers.forEach((m, i) => {
        const at = 28 + 10 * i * other;
        v.setBigUint64(at, m, true);
        v.setUint16(at + 8, 0x3fff, true);
      });
      assert(bench.judge(kernel, one, `${sem} case ${n}: ${a.toString(16)} / ${b.toString(16)}`));
    }
  }
});
