/**
 * Engines side by side on random x87, MMX and SSE programs: the interpreter and the JIT run kernels, the reference engine the
 * TypeScript functions. Registers, memory, flags, the last-instruction fields, faults and counts must agree in every
 * mode, with every reason for a kernel to refuse: absent x87, pending errors, ends of segments and pages, misalignment.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { writeEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { kernels } from "../../../../../lib/cpu/i386/kernels/index.ts";
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import type { OpRow } from "../../../../../lib/spec/i386_op_row.ts";
import { OPS } from "../../../../../lib/spec/i386_ops.ts";
import { Cr4 } from "../../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { type Mode, MODES, Rig, setMode } from "../rig.ts";

const SEMS = new Set(kernels().map((k) => k.sem));
const ROWS: Readonly<Record<string, readonly OpRow[]>> = {
  x87: OPS.filter((row) => SEMS.has(row.sem) && row.feature !== "mmx" && !row.feature.startsWith("sse")),
  simd: OPS.filter((row) => SEMS.has(row.sem) && (row.feature === "mmx" || row.feature.startsWith("sse"))),
};

function program(r: Prng, rows: readonly OpRow[]): number[] {
  const bytes: number[] = [];
  for (let n = 0; n < 14; n++) {
    const row = r.pick(rows);
    if (r.below(8) === 0) bytes.push(r.pick([0x67, 0x26, 0x3e, 0x36, 0x2e]));
    if (row.prefix !== undefined && row.prefix !== 0) bytes.push(row.prefix);
    if (row.opcode > 0xff) bytes.push(0x0f);
    bytes.push(row.opcode & 0xff);
    const hasModrm = row.hasModrm === true || row.digit !== undefined ||
      row.operands.some((o) => /^[EGMRVWPQNU]/.test(o));
    if (row.modrm !== undefined) bytes.push(row.modrm);
    else if (hasModrm) {
      let modrm = r.u32() & 0xff;
      if (row.digit !== undefined) modrm = (modrm & 0xc7) | (row.digit << 3);
      if (row.mod === "mem") modrm &= 0x3f;
      if (row.mod === "reg") modrm |= 0xc0;
      if (modrm < 0xc0 && (modrm & 7) === 4) modrm ^= 3; // no SIB
      bytes.push(modrm);
      if (modrm >>> 6 === 1) bytes.push(r.below(16) * 8);
      if (modrm >>> 6 === 2) bytes.push(r.below(32) * 8, 0, 0, 0);
      if (modrm >>> 6 === 0 && (modrm & 7) === 5) bytes.push(r.u32() & 0xff, 0x30 + r.below(4), 0, 0);
    }
    if (row.operands.includes("Ib")) bytes.push(r.u32() & 0xff);
  }
  // Around again, so that translated code runs.
  if (bytes.length <= 126) bytes.push(0xeb, 0xfe - bytes.length);
  return bytes;
}

/** Doubles and singles near one, with some of everything in between. */
function numbers(r: Prng, size: number): Uint8Array {
  const view = new DataView(r.bytes(size).slice().buffer);
  for (let n = 0; n < size; n += 8) {
    if (r.below(4) !== 0) view.setFloat64(n, (r.below(2001) - 1000) / r.pick([1, 8, 997]), true);
    else if (r.below(3) === 0) view.setFloat32(n, (r.below(2001) - 1000) / r.pick([1, 8, 997]), true);
  }
  return new Uint8Array(view.buffer);
}

function prepare(rig: Rig, mode: Mode, seed: number, rows: readonly OpRow[]): void {
  const r = new Prng(seed), { cpu, space } = rig, s = cpu.state;
  cpu.reset();
  rig.bus.log.length = 0;
  space.writePhysical(0, numbers(r, 0x8000));
  space.writePhysical(0x8000, new Uint8Array(0x8000));
  const start = r.below(4) === 0 ? 0x4ff8 : 0x4100;
  space.writePhysical(start, Uint8Array.from(program(r, rows)));
  setMode(cpu, mode);
  for (let n = 0; n < 8; n++) {
    const near = 0x3000 + (r.below(4) === 0 ? r.below(0x1000) : r.below(0x200) * 8);
    s.setReg32(n, r.pick([near, near, 0x2ff0 + r.below(17), r.below(0x100) * 16, start + r.below(32)]));
  }
  s.set(Layout.cr0, s.get(Layout.cr0) | (r.below(12) === 0 ? r.below(8) << 1 : 0) | (r.below(3) === 0 ? 0x20 : 0));
  s.set(Layout.cr4, r.below(12) === 0 ? 0 : Cr4.osfxsr | Cr4.osxmmexcpt);
  s.set(Layout.fcw, 0x40 | r.pick([0x33f, 0x33f, 0x23f, 0x33f | (r.below(4) << 10), r.below(0x1000) & 0xf3f]));
  s.set(Layout.fsw, r.below(4) === 0 ? r.u32() & 0x4700 : 0);
  s.set(Layout.ftop, r.below(8));
  s.set(Layout.fempty, r.pick([r.below(256), r.below(256) & r.below(256), 0x0f, 0]));
  s.set(Layout.mxcsr, 0x1f80 | r.pick([0, 0x20, 0x20, r.below(0x10000) & 0xe07f]));
  s.u8.set(numbers(r, 128), Layout.xmm);
  for (let n = 0; n < 8; n++) {
    s.set(Layout.fpr + 16 * n, r.u32() | 0);
    s.set(Layout.fpr + 16 * n + 4, (r.u32() | 0x80000000) | 0);
    s.set(Layout.fpr + 16 * n + 8, (r.below(2) << 15) | (r.below(6) === 0 ? r.pick([0, 0x7fff]) : 16350 + r.below(66)));
  }
  writeEflags(s, (r.u32() & 0x8d5) | 2);
  cpu.set("eip", start - mode.segments[0][0]);
}

function outcome(rig: Rig, limit: number): unknown {
  const exit = rig.cpu.run(limit), s = rig.cpu.state;
  const scratch = (n: number): boolean => n >= Layout.fpScratch || (n >= Layout.scratch && n < Layout.fpScratch);
  const block = [...s.i32.subarray(Layout.fpr >>> 2, Layout.fpScratch >>> 2)].map((v, n) =>
    scratch(Layout.fpr + 4 * n) ? 0 : v
  );
  return { ...(rig.outcome(exit) as object), block };
}

const SEEDS = Number(Deno.env.get("VMIKIT_KERNEL_SEEDS") ?? 150);

for (const [kind, rows] of Object.entries(ROWS).filter(([, list]) => list.length > 0)) {
  for (const mode of MODES) {
    Deno.test(`engines agree on random ${kind} programs: ${mode.name}`, () => {
      const fast = new Rig(interpreter), eager = new Rig(jit({ threshold: 1 })), plain = new Rig(reference);
      for (let seed = 1; seed <= SEEDS; seed++) {
        const limit = 1 + new Prng(seed).below(48);
        for (const rig of [fast, eager, plain]) prepare(rig, mode, seed, rows);
        const expected = outcome(plain, limit), what = `${mode.name}, seed ${seed}, limit ${limit}`;
        assertEquals(outcome(fast, limit), expected, what);
        assertEquals(outcome(eager, limit), expected, `JIT: ${what}`);
      }
    });
  }
}
