/**
 * Arithmetic, logic, shifts, multiplication, division against the manual's definitions written out with BigInt.
 */
import { Prng } from "../../../../lib/base/prng.ts";
import { arithmetic, setArithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FakeContext } from "./fake_context.ts";
import { registers, step } from "./step.ts";

type Width = 8 | 16 | 32;
const WIDTHS: readonly Width[] = [8, 16, 32];
const CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800;

/** Boundary and random operands. */
function operands(w: Width, seed: number): bigint[] {
  const top = 1n << BigInt(w);
  const edge = [0n, 1n, 2n, 9n, 15n, 16n, 0x7fn, 0x80n, top / 2n - 1n, top / 2n, top / 2n + 1n, top - 2n, top - 1n];
  const r = new Prng(seed);
  return [...edge, ...Array.from({ length: 8 }, () => BigInt(r.u32()))].map((v) => v % top);
}

function signed(v: bigint, w: number): bigint {
  return BigInt.asIntN(w, v);
}

function szp(v: bigint, w: number): number {
  let ones = 0;
  for (let i = 0n; i < 8n; i++) ones += Number((v >> i) & 1n);
  return (v === 0n ? ZF : 0) | ((v >> BigInt(w - 1)) & 1n ? SF : 0) | (ones % 2 === 0 ? PF : 0);
}

/** Encodes `op r/m, reg` or one operand with EAX-class r/m and ECX-class reg at a width. */
function code(w: Width, opcode8: number, modrm: number): number[] {
  return w === 8 ? [opcode8, modrm] : w === 16 ? [0x66, opcode8 + 1, modrm] : [opcode8 + 1, modrm];
}

function put(c: FakeContext, n: number, w: Width, v: bigint): void {
  if (w === 8) c.state.setReg8(n, Number(v));
  else if (w === 16) c.state.setReg16(n, Number(v));
  else c.state.setReg32(n, Number(v) | 0);
}

function get(c: FakeContext, n: number, w: Width): bigint {
  const s = c.state;
  return BigInt(w === 8 ? s.reg8(n) : w === 16 ? s.reg16(n) : s.reg32(n) >>> 0);
}

const ALU = ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp"];

function aluExpected(name: string, a: bigint, b: bigint, carry: bigint, w: Width): { r: bigint; flags: number } {
  const mask = (1n << BigInt(w)) - 1n;
  if (name === "and" || name === "or" || name === "xor") {
    const r = name === "and" ? a & b : name === "or" ? a | b : a ^ b;
    return { r, flags: szp(r, w) };
  }
  const c = name === "adc" || name === "sbb" ? carry : 0n;
  const plus = name === "add" || name === "adc";
  const full = plus ? a + b + c : a - b - c;
  const exact = plus ? signed(a, w) + signed(b, w) + c : signed(a, w) - signed(b, w) - c;
  const low = plus ? (a & 15n) + (b & 15n) + c : (a & 15n) - (b & 15n) - c;
  const r = full & mask;
  let flags = szp(r, w);
  if (full !== r) flags |= CF;
  if (exact !== signed(r, w)) flags |= OF;
  if (low < 0n || low > 15n) flags |= AF;
  return { r: name === "cmp" ? a : r, flags };
}

Deno.test("ALU instructions give result and flags of the manual at every width", () => {
  const c = new FakeContext();
  ALU.forEach((name, n) => {
    for (const w of WIDTHS) {
      for (const a of operands(w, 1)) {
        for (const b of operands(w, 2)) {
          for (const carry of [0, 1]) {
            setArithmetic(c.state, carry);
            c.state.setReg32(0, 0x12345678);
            put(c, 0, w, a);
            put(c, 1, w, b);
            step(c, code(w, n * 8, 0xc8));
            const want = aluExpected(name, a, b, BigInt(carry), w);
            const label = `${name}${w} ${a} ${b} ${carry}`;
            assertEquals(get(c, 0, w), want.r, label);
            assertEquals(arithmetic(c.state), want.flags, label);
            if (w < 32) assertEquals(c.state.reg32(0) >>> 16, 0x1234, label);
          }
        }
      }
    }
  });
});

Deno.test("ALU instructions take immediates, sign-extended bytes and memory", () => {
  const c = new FakeContext();
  c.state.setReg32(0, 5);
  step(c, [0x83, 0xc0, 0xff]); // add eax, -1
  assertEquals(c.state.reg32(0), 4);
  step(c, [0x66, 0x83, 0xe8, 0xfe]); // sub ax, -2
  assertEquals(c.state.reg32(0), 6);
  assertEquals(arithmetic(c.state) & (CF | ZF | OF), CF);
  c.mem.write32(0x100, 0xffffffff | 0);
  step(c, [0x81, 0x05, 0, 1, 0, 0, 1, 0, 0, 0]); // add dword [0x100], 1
  assertEquals(c.mem.read32(0x100), 0);
  assertEquals(arithmetic(c.state), CF | ZF | PF | AF);
  c.mem.write32(0x200, 7);
  step(c, [0x03, 0x05, 0, 2, 0, 0]); // add eax, [0x200]
  assertEquals(c.state.reg32(0), 13);
});

Deno.test("INC, DEC, NEG, NOT at every width; INC and DEC keep CF", () => {
  const c = new FakeContext();
  for (const w of WIDTHS) {
    const mask = (1n << BigInt(w)) - 1n;
    for (const a of operands(w, 3)) {
      for (const carry of [0, 1]) {
        for (
          const [name, opcode, modrm, r] of [
            ["inc", 0xfe, 0xc0, (a + 1n) & mask],
            ["dec", 0xfe, 0xc8, (a - 1n) & mask],
            ["neg", 0xf6, 0xd8, (-a) & mask],
            ["not", 0xf6, 0xd0, a ^ mask],
          ] as const
        ) {
          setArithmetic(c.state, carry);
          put(c, 0, w, a);
          step(c, code(w, opcode, modrm));
          assertEquals(get(c, 0, w), r, name);
          const other = name === "inc"
            ? aluExpected("add", a, 1n, 0n, w)
            : name === "dec"
            ? aluExpected("sub", a, 1n, 0n, w)
            : aluExpected("sub", 0n, a, 0n, w);
          const flags = name === "not" ? carry : name === "neg" ? other.flags : (other.flags & ~CF) | carry;
          assertEquals(arithmetic(c.state), flags, `${name}${w} ${a} ${carry}`);
        }
      }
    }
  }
});

/** One bit at a time, as the manual's loops do. */
function shiftExpected(name: string, a: bigint, count: number, flags: number, w: Width): { r: bigint; flags: number } {
  const n = count & 31, mask = (1n << BigInt(w)) - 1n, msb = BigInt(w - 1);
  let r = a, cf = flags & CF, of = 0;
  if (n === 0) return { r, flags };
  const turns = name === "rcl" || name === "rcr" ? n % (w + 1) : n;
  if (turns === 0 && w < 32) return { r, flags };
  for (let i = 0; i < turns; i++) {
    const before = r, top = Number(r >> msb), low = Number(r & 1n);
    switch (name) {
      case "shl":
        r = (r << 1n) & mask;
        cf = top;
        break;
      case "shr":
        r >>= 1n;
        cf = low;
        break;
      case "sar":
        r = (signed(r, w) >> 1n) & mask;
        cf = low;
        break;
      case "rol":
        r = ((r << 1n) & mask) | BigInt(top);
        cf = top;
        break;
      case "ror":
        r = (r >> 1n) | (BigInt(low) << msb);
        cf = low;
        break;
      case "rcl":
        r = ((r << 1n) & mask) | BigInt(cf);
        cf = top;
        break;
      default: // rcr
        r = (r >> 1n) | (BigInt(cf) << msb);
        cf = low;
    }
    of = before >> msb !== r >> msb ? OF : 0;
  }
  const rotates = name[0] === "r";
  return { r, flags: rotates ? (flags & ~(CF | OF)) | cf | of : szp(r, w) | cf | of };
}

Deno.test("shifts and rotates agree with single-bit steps for every count", () => {
  const c = new FakeContext();
  ["rol", "ror", "rcl", "rcr", "shl", "shr", "sal", "sar"].forEach((text, n) => {
    const name = text === "sal" ? "shl" : text;
    for (const w of WIDTHS) {
      for (const a of operands(w, 4)) {
        for (let count = 0; count < 35; count++) {
          const before = count % 2 === 0 ? CF | ZF | AF : OF | SF;
          const want = shiftExpected(name, a, count, before, w);
          const label = `${name}${w} ${a} by ${count}`;
          for (const form of ["cl", "imm", "one"]) {
            if (form === "one" && count !== 1) continue;
            setArithmetic(c.state, before);
            put(c, 0, w, a);
            c.state.setReg32(1, count);
            const modrm = 0xc0 | (n << 3);
            if (form === "cl") step(c, code(w, 0xd2, modrm));
            else if (form === "imm") step(c, [...code(w, 0xc0, modrm), count]);
            else step(c, code(w, 0xd0, modrm));
            assertEquals(get(c, 0, w), want.r, label);
            assertEquals(arithmetic(c.state), want.flags, label);
          }
        }
      }
    }
  });
});

Deno.test("SHLD and SHRD move bits from the second operand", () => {
  const c = new FakeContext(), r = new Prng(5);
  for (const w of [16, 32] as const) {
    const mask = (1n << BigInt(w)) - 1n;
    for (let i = 0; i < 60; i++) {
      const a = BigInt(r.u32()) & mask, b = BigInt(r.u32()) & mask;
      for (let n = 0; n <= (w === 16 ? 16 : 31); n++) {
        for (const left of [true, false]) {
          setArithmetic(c.state, 0);
          put(c, 0, w, a);
          put(c, 1, w, b);
          step(c, [...(w === 16 ? [0x66] : []), 0x0f, left ? 0xa4 : 0xac, 0xc8, n]);
          const k = BigInt(n), size = BigInt(w);
          const both = left ? (((a << size) | b) << k) >> size : ((b << size) | a) >> k;
          assertEquals(get(c, 0, w), both & mask, `${left} ${w} ${a} ${b} ${n}`);
          const cf = n === 0 ? 0n : left ? (a >> (size - k)) & 1n : (a >> (k - 1n)) & 1n;
          assertEquals(BigInt(arithmetic(c.state) & CF), cf);
          if (n === 1) {
            const of = (a >> (size - 1n)) !== ((both & mask) >> (size - 1n)) ? OF : 0;
            assertEquals(arithmetic(c.state) & OF, of);
          }
        }
      }
    }
  }
});

Deno.test("MUL and IMUL give the double product, CF and OF when the upper half matters", () => {
  const c = new FakeContext();
  for (const w of WIDTHS) {
    const size = BigInt(w), mask = (1n << size) - 1n;
    for (const a of operands(w, 6)) {
      for (const b of operands(w, 7)) {
        for (const s of [false, true]) {
          put(c, 0, w, a);
          put(c, 1, w, b);
          step(c, code(w, 0xf6, s ? 0xe9 : 0xe1));
          const p = s ? signed(a, w) * signed(b, w) : a * b;
          const high = w === 8 ? get(c, 4, 8) : get(c, 2, w);
          const label = `${s ? "imul" : "mul"}${w} ${a} ${b}`;
          assertEquals(get(c, 0, w), p & mask, label);
          assertEquals(high, (p >> size) & mask, label);
          const over = s ? signed(p, w) !== p : p > mask;
          assertEquals(arithmetic(c.state) & (CF | OF), over ? CF | OF : 0, label);
        }
        if (w === 8) continue;
        const prefix = w === 16 ? [0x66] : [];
        put(c, 0, w, a);
        put(c, 1, w, b);
        step(c, [...prefix, 0x0f, 0xaf, 0xc1]);
        const p = signed(a, w) * signed(b, w);
        assertEquals(get(c, 0, w), p & mask);
        assertEquals(arithmetic(c.state) & (CF | OF), signed(p, w) !== p ? CF | OF : 0);
        step(c, [...prefix, 0x6b, 0xc1, 0xfd]); // times -3
        assertEquals(get(c, 0, w), (signed(b, w) * -3n) & mask);
      }
    }
  }
});

Deno.test("DIV and IDIV give quotient and remainder, or #DE and no change", () => {
  const c = new FakeContext(), r = new Prng(8);
  let faults = 0, fits = 0;
  for (const w of WIDTHS) {
    const size = BigInt(w), mask = (1n << size) - 1n;
    const highs = [0n, mask, mask >> 1n, (mask >> 1n) + 1n, 3n, BigInt(r.u32()) & mask];
    for (const high of highs) {
      for (const low of operands(w, 9)) {
        for (const d of operands(w, 10)) {
          for (const s of [false, true]) {
            put(c, 0, w, low);
            put(c, w === 8 ? 4 : 2, w, high);
            put(c, 1, w, d);
            const before = registers(c).slice(0, 8);
            const n = s ? signed((high << size) | low, 2 * w) : (high << size) | low;
            const y = s ? signed(d, w) : d;
            const vector = c.faultOf(() => step(c, code(w, 0xf6, s ? 0xf9 : 0xf1)));
            const q = y === 0n ? 0n : n / y;
            const over = y === 0n || (s ? signed(q, w) !== q : q > mask);
            const label = `${s ? "idiv" : "div"}${w} ${n} ${y}`;
            assertEquals(vector, over ? 0 : -1, label);
            if (over) {
              assertEquals(registers(c).slice(0, 8), before, label);
              faults++;
            } else {
              assertEquals(get(c, 0, w), q & mask, label);
              assertEquals(w === 8 ? get(c, 4, 8) : get(c, 2, w), (n % y) & mask, label);
              fits++;
            }
          }
        }
      }
    }
  }
  assertEquals(faults > 1000 && fits > 1000, true);
});
