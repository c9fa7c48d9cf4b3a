/** Random programs for the tests that compare engines. */
import { Prng } from "../../../../lib/base/prng.ts";
import { writeEflags } from "../../../../lib/cpu/i386/flags.ts";
import { TREES } from "../../../../lib/cpu/i386/semantics/index.ts";
import { OPS } from "../../../../lib/spec/i386_ops.ts";
import { type Mode, type Rig, setMode } from "./rig.ts";

const ROWS = OPS.filter((row) => TREES[row.sem] !== undefined || row.sem === "enter");

/** Bytes that mostly decode to tree instructions. */
export function program(r: Prng): number[] {
  return programOf(r, 12, new Set());
}

/** Bytes of `count` instructions whose semantics are none of `without`. */
export function programOf(r: Prng, count: number, without: ReadonlySet<string>): number[] {
  const rows = without.size === 0 ? ROWS : ROWS.filter((row) => !without.has(row.sem));
  const bytes: number[] = [];
  for (let i = 0; i < count; i++) {
    const row = r.pick(rows);
    if (r.below(6) === 0) bytes.push(r.pick([0x66, 0x67, 0x66, 0x26, 0x3e, 0x36, 0x2e]));
    if (row.rep !== undefined) bytes.push(r.pick([0xf2, 0xf3, 0x66]));
    if (row.opcode > 0xff) bytes.push(0x0f);
    bytes.push(row.opcode & 0xff);
    const modrm = r.u32() & 0xff;
    const withReg = row.digit === undefined ? modrm : (modrm & 0xc7) | (row.digit << 3);
    if (row.digit !== undefined || /[EGMR]/.test(row.operands.join())) {
      // Memory operands without SIB, so that instructions rarely run into each other.
      bytes.push((withReg & 7) === 4 && withReg < 0xc0 ? withReg ^ 3 : withReg);
      const mod = withReg >>> 6;
      if (mod === 1) bytes.push(r.u32() & 0x7f);
      if (mod === 2) bytes.push(r.u32() & 0xff, 0, 0, 0);
    }
    for (const o of row.operands) {
      if (/^(Ib|sIb|Jb)$/.test(o)) bytes.push(o === "Jb" ? r.below(8) : r.u32() & 0xff);
      if (/^Iw$/.test(o)) bytes.push(r.below(64), 0);
      if (/^(Iz|Jz|Ob|Ov)$/.test(o)) bytes.push(r.below(16), o === "Jz" ? 0 : r.below(0x7f), 0, 0);
    }
  }
  return bytes;
}

/** Memory, registers and a program from a seed. */
export function prepare(rig: Rig, mode: Mode, seed: number): void {
  const r = new Prng(seed), { cpu, space } = rig, s = cpu.state;
  cpu.reset();
  rig.bus.log.length = 0;
  space.writePhysical(0, r.bytes(0x4000));
  space.writePhysical(0x4000, r.bytes(0x4000));
  space.writePhysical(0x8000, new Uint8Array(0x8000));
  const start = r.below(3) === 0 ? 0x4ff8 : 0x4100; // linear
  space.writePhysical(start, Uint8Array.from(program(r)));
  setMode(cpu, mode);
  for (let n = 0; n < 8; n++) {
    s.setReg32(n, r.pick([r.below(64), 0x3000 + r.below(0x1000), start + r.below(32), r.u32() | 0]));
  }
  s.setReg32(4, 0x6000 + r.below(5));
  s.setReg32(5, r.pick([0x6000, 0x5ff0, r.below(0x8000)]));
  if (r.below(2) === 0) s.setReg32(1, r.below(5));
  writeEflags(s, (r.u32() & 0x8d5) | (r.below(4) === 0 ? 0x400 : 0) | 2);
  cpu.set("eip", start - mode.segments[0][0]);
}
