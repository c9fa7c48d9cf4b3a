/**
 * Moves, exchanges, bit instructions, decimal adjustment, flag instructions.
 */
import { Prng } from "../../../../lib/base/prng.ts";
import { Flag, Reg, Vector } from "../../../../lib/spec/i386_regs.ts";
import { arithmetic, setArithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FakeContext } from "./fake_context.ts";
import { registers, step } from "./step.ts";

const { cf: CF, af: AF, zf: ZF } = Flag;

function withRegs(...values: number[]): FakeContext {
  const c = new FakeContext();
  values.forEach((v, n) => c.state.setReg32(n, v));
  return c;
}

Deno.test("MOV, MOVZX, MOVSX, LEA at their sizes", () => {
  const c = withRegs(0x11223344, 0xaabbcc80, 0, 0x1000);
  step(c, [0x88, 0xcc]); // mov ah, cl
  assertEquals(c.state.reg32(0), 0x11228044);
  step(c, [0x0f, 0xbe, 0xd1]); // movsx edx, cl
  assertEquals(c.state.reg32(2), -128);
  step(c, [0x66, 0x0f, 0xb6, 0xd1]); // movzx dx, cl
  assertEquals(c.state.reg32(2), 0xffff0080 | 0);
  step(c, [0x0f, 0xb7, 0xd1]); // movzx edx, cx
  assertEquals(c.state.reg32(2), 0xcc80);
  step(c, [0x8d, 0x44, 0x8b, 0x04]); // lea eax, [ebx+ecx*4+4]
  assertEquals(c.state.reg32(0), (0x1000 + 0xaabbcc80 * 4 + 4) | 0);
  step(c, [0x67, 0x8d, 0x47, 0xff]); // lea eax, [bx-1]
  assertEquals(c.state.reg32(0), 0xfff);
  step(c, [0xc7, 0x43, 0x10, 1, 2, 3, 4]); // mov dword [ebx+16], 0x04030201
  assertEquals(c.mem.read32(0x1010), 0x04030201);
  step(c, [0xa1, 0x11, 0x10, 0, 0]); // mov eax, [0x1011]
  assertEquals(c.state.reg32(0), 0x00040302);
});

Deno.test("XCHG, XADD, BSWAP, conversions", () => {
  const c = withRegs(0x11223344, 0x55667788);
  step(c, [0x91]);
  assertEquals(registers(c).slice(0, 2), [0x55667788, 0x11223344]);
  step(c, [0x86, 0xe0]); // xchg al, ah
  assertEquals(c.state.reg32(0), 0x55668877);
  step(c, [0x0f, 0xc1, 0xc8]); // xadd eax, ecx
  assertEquals(registers(c).slice(0, 2), [0x6688bbbb, 0x55668877]);
  step(c, [0x0f, 0xc1, 0xc0]); // xadd eax, eax
  assertEquals(c.state.reg32(0), (0x6688bbbb * 2) | 0);
  step(c, [0x0f, 0xc9]);
  assertEquals(c.state.reg32(1), 0x77886655);
  c.state.setReg32(0, 0x80);
  step(c, [0x66, 0x98]);
  assertEquals(c.state.reg32(0), 0xff80);
  step(c, [0x98]);
  assertEquals(c.state.reg32(0), -128);
  step(c, [0x66, 0x99]);
  assertEquals(c.state.reg16(2), 0xffff);
  step(c, [0x99]);
  assertEquals(c.state.reg32(2), -1);
});

Deno.test("CMPXCHG and CMPXCHG8B exchange only on equality", () => {
  const c = withRegs(5, 9);
  c.mem.write32(0x100, 5);
  step(c, [0x0f, 0xb1, 0x0d, 0, 1, 0, 0]);
  assertEquals([c.mem.read32(0x100), c.state.reg32(0), arithmetic(c.state) & ZF], [9, 5, ZF]);
  step(c, [0x0f, 0xb1, 0x0d, 0, 1, 0, 0]);
  assertEquals([c.mem.read32(0x100), c.state.reg32(0), arithmetic(c.state) & ZF], [9, 9, 0]);
  const d = withRegs(1, 0x33, 2, 0x44);
  d.mem.write32(0xffc, 1);
  d.mem.write32(0x1000, 2);
  setArithmetic(d.state, CF | AF);
  step(d, [0x0f, 0xc7, 0x0d, 0xfc, 0x0f, 0, 0]);
  assertEquals([d.mem.read32(0xffc), d.mem.read32(0x1000), arithmetic(d.state)], [0x44, 0x33, CF | AF | ZF]);
  step(d, [0x0f, 0xc7, 0x0d, 0xfc, 0x0f, 0, 0]);
  assertEquals([d.state.reg32(0), d.state.reg32(2), arithmetic(d.state)], [0x44, 0x33, CF | AF]);
});

Deno.test("read-modify-write faults change neither registers, flags nor memory", () => {
  const at = [0x05, 0xfe, 0x0f, 0, 0]; // [0xffe]: reaches into a read-only page
  const forms: number[][] = [[0x01], [0x11], [0x87], [0xff], [0xf7], [0x0f, 0xb1], [0x0f, 0xc1], [0x0f, 0xab], [0xd3]];
  for (const opcode of forms) {
    const c = withRegs(1, 2, 3, 4);
    c.state.setReg32(Reg.eax, 0);
    c.mem.readOnly.add(1);
    setArithmetic(c.state, CF);
    const before = registers(c), memory = c.mem.bytes.slice(0xff0, 0x1010);
    const modrm = opcode[0] === 0xf7 ? 0x18 : 0; // neg, else reg field 0
    const bytes = [...opcode, at[0] | modrm, ...at.slice(1)];
    assertEquals(c.faultOf(() => step(c, bytes)), Vector.pf, `${opcode}`);
    assertEquals(registers(c), before, `${opcode}`);
    assertEquals(c.mem.bytes.slice(0xff0, 0x1010), memory, `${opcode}`);
  }
  const c = withRegs(0, 2, 0, 4);
  c.mem.readOnly.add(1);
  assertEquals(c.faultOf(() => step(c, [0x0f, 0xc7, 0x0d, 0xfc, 0x0f, 0, 0])), Vector.pf);
  assertEquals(c.mem.read32(0xffc), 0);
});

Deno.test("bit tests reach beyond the operand in memory, not in registers", () => {
  const r = new Prng(11);
  const ops: [number, (bit: number) => number][] = [[0xa3, (v) => v], [0xab, () => 1], [0xb3, () => 0], [
    0xbb,
    (v) => v ^ 1,
  ]];
  for (const size of [16, 32]) {
    for (const [opcode, change] of ops) {
      for (let i = 0; i < 40; i++) {
        const c = withRegs(0x2000, size === 32 ? r.below(4000) - 2000 : (r.below(4000) - 2000) & 0xffff);
        c.mem.bytes.set(r.bytes(1024), 0x1e00);
        const n = size === 32 ? c.state.reg32(1) : (c.state.reg16(1) << 16) >> 16;
        const byte = 0x2000 + (n >> 3), bit = n & 7;
        const want = c.mem.bytes.slice();
        const old = (want[byte] >> bit) & 1;
        want[byte] = (want[byte] & ~(1 << bit)) | (change(old) << bit);
        setArithmetic(c.state, ZF | (old ^ 1));
        step(c, [...(size === 16 ? [0x66] : []), 0x0f, opcode, 0x08]);
        assertEquals(arithmetic(c.state), ZF | old);
        assertEquals(c.mem.bytes.every((v, j) => v === want[j]), true, `${opcode} ${n}`);
      }
    }
  }
  const c = withRegs(0, 33);
  step(c, [0x0f, 0xab, 0xc8]); // bts eax, ecx
  assertEquals(c.state.reg32(0), 2);
  step(c, [0x0f, 0xba, 0xf8, 0x21]); // btc eax, 33
  assertEquals([c.state.reg32(0), arithmetic(c.state) & CF], [0, CF]);
});

Deno.test("BSF and BSR find bits and leave the destination for 0", () => {
  for (const w of [16, 32]) {
    const prefix = w === 16 ? [0x66] : [];
    for (let n = 0; n < w; n++) {
      const c = withRegs(77, (1 << n) | (1 << (w - 1)));
      step(c, [...prefix, 0x0f, 0xbc, 0xc1]);
      assertEquals([c.state.reg16(0), arithmetic(c.state) & ZF], [n, 0]);
      c.state.setReg32(1, n === 0 ? 1 : (1 << n) | 1);
      step(c, [...prefix, 0x0f, 0xbd, 0xc1]);
      assertEquals(c.state.reg16(0), n);
    }
    const c = withRegs(77, 0);
    step(c, [...prefix, 0x0f, 0xbc, 0xc1]);
    assertEquals([c.state.reg32(0), arithmetic(c.state) & ZF], [77, ZF]);
  }
});

/** The manual's pseudocode of DAA and DAS. */
function decimal(al: number, flags: number, subtract: boolean): [number, number] {
  const oldAl = al, oldCf = flags & CF;
  let cf = 0, af = 0;
  if ((al & 15) > 9 || (flags & AF) !== 0) {
    const next = subtract ? al - 6 : al + 6;
    cf = oldCf | (next < 0 || next > 255 ? 1 : 0);
    al = next & 0xff;
    af = AF;
  }
  if (oldAl > 0x99 || oldCf !== 0) {
    al = (subtract ? al - 0x60 : al + 0x60) & 0xff;
    cf = 1;
  } else if (!subtract) cf = 0;
  return [al, cf | af];
}

Deno.test("decimal adjustment follows the manual for every AL, CF and AF", () => {
  const c = new FakeContext();
  for (let al = 0; al < 256; al++) {
    for (const flags of [0, CF, AF, CF | AF]) {
      for (const subtract of [false, true]) {
        c.state.setReg32(0, 0x500 | al);
        setArithmetic(c.state, flags);
        step(c, [subtract ? 0x2f : 0x27]);
        const [want, f] = decimal(al, flags, subtract);
        assertEquals(c.state.reg16(0), 0x500 | want, `${al} ${flags} ${subtract}`);
        assertEquals(arithmetic(c.state) & (CF | AF), f, `${al} ${flags} ${subtract}`);
        assertEquals((arithmetic(c.state) & ZF) !== 0, want === 0);
        c.state.setReg32(0, 0x500 | al);
        setArithmetic(c.state, flags);
        step(c, [subtract ? 0x3f : 0x37]);
        const adjust = (al & 15) > 9 || (flags & AF) !== 0;
        const ax = adjust ? 0x500 + al + (subtract ? -0x106 : 0x106) : 0x500 | al;
        assertEquals(c.state.reg16(0), ax & 0xff0f);
        assertEquals(arithmetic(c.state) & (CF | AF), adjust ? CF | AF : 0);
      }
    }
    c.state.setReg32(0, al);
    step(c, [0xd4, 10]);
    assertEquals(c.state.reg16(0), (Math.floor(al / 10) << 8) | (al % 10));
    c.state.setReg32(0, (al << 8) | 7);
    step(c, [0xd5, 10]);
    assertEquals(c.state.reg16(0), (al * 10 + 7) & 0xff);
  }
  c.state.setReg32(0, 0x1234);
  assertEquals(c.faultOf(() => step(c, [0xd4, 0])), Vector.de);
  assertEquals(c.state.reg32(0), 0x1234);
});

Deno.test("flag instructions, LAHF, SAHF, SALC, XLAT", () => {
  const c = withRegs(0x0100, 0, 0, 0x2000);
  setArithmetic(c.state, Flag.of | ZF);
  step(c, [0xf9]);
  assertEquals(arithmetic(c.state), Flag.of | ZF | CF);
  step(c, [0xf5]);
  assertEquals(arithmetic(c.state), Flag.of | ZF);
  step(c, [0x9f]);
  assertEquals(c.state.reg8(4), ZF | 2);
  c.state.setReg8(4, 0xff);
  step(c, [0x9e]);
  assertEquals(arithmetic(c.state), 0x8d5);
  step(c, [0xd6]);
  assertEquals(c.state.reg8(0), 0xff);
  c.mem.bytes[0x20ff] = 0x5a;
  step(c, [0xd7]);
  assertEquals(c.state.reg8(0), 0x5a);
  step(c, [0xf8]);
  assertEquals(arithmetic(c.state) & CF, 0);
});

Deno.test("real mode uses 16-bit sizes, SS for BP and faults beyond 64 KiB", () => {
  const c = withRegs(0, 0, 0, 0x10);
  c.realMode([0x3000, 0, 0x5000, 0x2000, 0, 0]);
  c.state.setReg32(Reg.ebp, 0x20);
  c.mem.write16(0x2014, 0x1111);
  c.mem.write16(0x5024, 0x2222);
  step(c, [0x8b, 0x47, 0x04]); // mov ax, [bx+4]
  step(c, [0x8b, 0x4e, 0x04]); // mov cx, [bp+4]
  assertEquals([c.state.reg32(0), c.state.reg32(1)], [0x1111, 0x2222]);
  step(c, [0x3e, 0x8b, 0x4e, 0xf4]); // mov cx, [ds:bp-12]
  assertEquals(c.state.reg32(1), 0x1111);
  c.state.setReg16(3, 0xffff);
  assertEquals(c.faultOf(() => step(c, [0x8b, 0x07])), Vector.gp);
  c.state.setReg32(Reg.ebp, 0xffff);
  assertEquals(c.faultOf(() => step(c, [0x8b, 0x46, 0x00])), Vector.ss);
});
