/**
 * Stack, near transfers, loops: results, 16-bit stacks and sizes, and faults that must leave everything as it was.
 */
import { Flag, Reg, Vector } from "../../../../lib/spec/i386_regs.ts";
import { setArithmetic } from "../../../../lib/cpu/i386/flags.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FakeContext } from "./fake_context.ts";
import { registers, step } from "./step.ts";

/** Registers set to recognisable values, ESP at `esp`. */
function prepared(esp = 0x8000): FakeContext {
  const c = new FakeContext(), s = c.state;
  for (let n = 0; n < 8; n++) s.setReg32(n, 0x1111 * (n + 1) + 0xab0000);
  s.setReg32(Reg.esp, esp);
  s.set(Layout.eip, 0x1000);
  return c;
}

/** Executes and expects a fault that has changed neither registers nor memory. */
function expectFault(c: FakeContext, bytes: number[], vector: number, name: string): void {
  const before = registers(c), memory = c.mem.bytes.slice();
  assertEquals(c.faultOf(() => step(c, bytes)), vector, name);
  assertEquals(registers(c), before, name);
  assertEquals(c.mem.bytes.every((v, i) => v === memory[i]), true, name);
}

Deno.test("PUSH ESP stores the old value, POP ESP keeps the value popped", () => {
  const c = prepared();
  step(c, [0x54]);
  assertEquals(c.mem.read32(0x7ffc), 0x8000);
  assertEquals(c.state.reg32(Reg.esp), 0x7ffc);
  c.mem.write32(0x7ffc, 0x4321);
  step(c, [0x5c]);
  assertEquals(c.state.reg32(Reg.esp), 0x4321);
});

Deno.test("PUSH takes immediates and memory, at both operand sizes", () => {
  const c = prepared();
  step(c, [0x6a, 0xfe]);
  assertEquals(c.mem.read32(0x7ffc), -2);
  step(c, [0x66, 0x68, 0x34, 0x12]);
  assertEquals(c.state.reg32(Reg.esp), 0x7ffa);
  assertEquals(c.mem.read16(0x7ffa), 0x1234);
  step(c, [0xff, 0x74, 0x24, 0x02]); // push dword [esp+2]
  assertEquals(c.mem.read32(0x7ff6), -2);
});

Deno.test("POP to memory computes the address with the moved ESP", () => {
  const c = prepared();
  c.mem.write32(0x8000, 0x55667788);
  step(c, [0x8f, 0x44, 0x24, 0x08]); // pop dword [esp+8]
  assertEquals(c.mem.read32(0x800c), 0x55667788);
  assertEquals(c.state.reg32(Reg.esp), 0x8004);
});

Deno.test("a 16-bit stack wraps within 64 KiB and keeps the upper half of ESP", () => {
  const c = prepared(0x70002);
  c.segment(2, 16, 0x10000, 0xffff, false);
  step(c, [0x66, 0x50]);
  assertEquals(c.state.reg32(Reg.esp), 0x70000);
  step(c, [0x66, 0x51]);
  assertEquals(c.state.reg32(Reg.esp), 0x7fffe);
  assertEquals(c.mem.read16(0x1fffe), 0x2222);
  step(c, [0x66, 0x5b]);
  assertEquals(c.state.reg32(Reg.esp), 0x70000);
  assertEquals(c.state.reg16(Reg.ebx), 0x2222);
  expectFault(prepareWrap(), [0x50], Vector.ss, "dword across the end of a 16-bit stack");
});

function prepareWrap(): FakeContext {
  const c = prepared(2);
  c.segment(2, 16, 0x10000, 0xffff, false);
  return c;
}

Deno.test("PUSHA and POPA move all registers in order and skip ESP", () => {
  const c = prepared();
  step(c, [0x60]);
  assertEquals(c.state.reg32(Reg.esp), 0x8000 - 32);
  const stored = [...Array(8).keys()].map((n) => c.mem.read32(0x8000 - 4 * (n + 1)));
  assertEquals(stored, [0xab1111, 0xab2222, 0xab3333, 0xab4444, 0x8000, 0xab6666, 0xab7777, 0xab8888]);
  for (let n = 0; n < 8; n++) if (n !== Reg.esp) c.state.setReg32(n, 0);
  step(c, [0x61]);
  assertEquals(registers(c).slice(0, 8), [
    0xab1111,
    0xab2222,
    0xab3333,
    0xab4444,
    0x8000,
    0xab6666,
    0xab7777,
    0xab8888,
  ]);
});

Deno.test("ENTER builds nested frames, LEAVE takes them down", () => {
  const c = prepared();
  c.state.setReg32(Reg.ebp, 0x9000);
  c.mem.write32(0x8ffc, 0x111);
  c.mem.write32(0x8ff8, 0x222);
  step(c, [0xc8, 0x10, 0x00, 0x03]);
  assertEquals(c.mem.read32(0x7ffc), 0x9000);
  assertEquals([c.mem.read32(0x7ff8), c.mem.read32(0x7ff4), c.mem.read32(0x7ff0)], [0x111, 0x222, 0x7ffc]);
  assertEquals([c.state.reg32(Reg.ebp), c.state.reg32(Reg.esp)], [0x7ffc, 0x7fe0]);
  step(c, [0xc9]);
  assertEquals([c.state.reg32(Reg.ebp), c.state.reg32(Reg.esp)], [0x9000, 0x8000]);
  step(c, [0xc8, 0x08, 0x00, 0x00]);
  assertEquals([c.state.reg32(Reg.ebp), c.state.reg32(Reg.esp)], [0x7ffc, 0x7ff4]);
});

Deno.test("CALL and RET transfer and keep the stack exact", () => {
  const c = prepared();
  step(c, [0xe8, 0xfb, 0x00, 0x00, 0x00]);
  assertEquals([c.state.get(Layout.eip), c.mem.read32(0x7ffc)], [0x1100, 0x1005]);
  step(c, [0xc2, 0x08, 0x00]);
  assertEquals([c.state.get(Layout.eip), c.state.reg32(Reg.esp)], [0x1005, 0x8008]);
  c.state.setReg32(Reg.esp, 0x8000);
  c.mem.write32(0x7ffc, 0x3000);
  step(c, [0xff, 0x54, 0x24, 0xfc]); // call [esp-4]: the operand is read before the push
  assertEquals([c.state.get(Layout.eip), c.mem.read32(0x7ffc)], [0x3000, 0x1009]);
  step(c, [0x66, 0xe8, 0xfc, 0xff]); // 16-bit operand size cuts EIP
  assertEquals([c.state.get(Layout.eip), c.mem.read16(0x7ffa)], [0x3000, 0x3004]);
  step(c, [0xff, 0xe0]);
  assertEquals(c.state.get(Layout.eip), 0xab1111);
});

Deno.test("faults of stack and transfer instructions change nothing", () => {
  const absent = (esp: number, ...pages: number[]): FakeContext => {
    const c = prepared(esp);
    for (const page of pages) c.mem.absent.add(page);
    return c;
  };
  const forms: [string, number[]][] = [
    ["push", [0x50]],
    ["pusha", [0x60]],
    ["call", [0xe8, 0, 0, 0, 0]],
    ["call r", [0xff, 0xd0]],
    ["enter", [0xc8, 0, 0, 0]],
  ];
  for (const [name, bytes] of forms) expectFault(absent(0x8000, 7), bytes, Vector.pf, name);
  expectFault(absent(0x8010, 7), [0x60], Vector.pf, "pusha over a page end");
  expectFault(absent(0x7ff0, 8), [0x61], Vector.pf, "popa over a page end");
  expectFault(absent(0x8000, 8), [0x58], Vector.pf, "pop");
  expectFault(absent(0x8000, 8), [0xc3], Vector.pf, "ret");
  expectFault(absent(0x8000, 0xab6), [0xc9], Vector.pf, "leave");
  expectFault(absent(0x8000, 0x20), [0x8f, 0x05, 0, 0, 2, 0], Vector.pf, "pop m");
  expectFault(absent(0x8000, 9), [0x8f, 0x84, 0x24, 0xfc, 0x0f, 0, 0], Vector.pf, "pop [esp+0xffc]: moved ESP");
  const limited = (): FakeContext => {
    const c = prepared();
    c.segment(1, 8, 0, 0x1fff, true);
    return c;
  };
  for (
    const bytes of [[0xe8, 0, 0x10, 0, 0], [0xe9, 0, 0x10, 0, 0], [0xff, 0xe0], [0xff, 0xd0], [0xe2, 0x80], [
      0x75,
      0x80,
    ]]
  ) {
    const c = limited();
    if (bytes.length === 2 && bytes[1] === 0x80) c.state.set(Layout.eip, 0x10);
    expectFault(c, bytes, Vector.gp, `target beyond the limit: ${bytes}`);
  }
  const c = limited();
  c.mem.write32(0x8000, 0x2000);
  expectFault(c, [0xc3], Vector.gp, "ret beyond the limit");
  expectFault(prepareStackLimit(), [0x50], Vector.ss, "push beyond the stack");
});

function prepareStackLimit(): FakeContext {
  const c = prepared(0);
  c.segment(2, 16, 0, 0xffff, true);
  return c;
}

Deno.test("LOOP, LOOPE, LOOPNE, JCXZ count by address size and test ZF", () => {
  const run = (bytes: number[], ecx: number, zf: boolean): [number, number] => {
    const c = prepared();
    c.state.setReg32(Reg.ecx, ecx);
    setArithmetic(c.state, zf ? Flag.zf : 0);
    step(c, bytes);
    return [c.state.get(Layout.eip), c.state.reg32(Reg.ecx)];
  };
  assertEquals(run([0xe2, 0x10], 2, false), [0x1012, 1]);
  assertEquals(run([0xe2, 0x10], 1, false), [0x1002, 0]);
  assertEquals(run([0xe2, 0x10], 0, false), [0x1012, -1]);
  assertEquals(run([0x67, 0xe2, 0x10], 0x50001, false), [0x1003, 0x50000]);
  assertEquals(run([0x67, 0xe2, 0x10], 0x50000, false), [0x1013, 0x5ffff]);
  assertEquals(run([0xe1, 0x10], 2, true), [0x1012, 1]);
  assertEquals(run([0xe1, 0x10], 2, false), [0x1002, 1]);
  assertEquals(run([0xe0, 0x10], 2, true), [0x1002, 1]);
  assertEquals(run([0xe0, 0x10], 2, false), [0x1012, 1]);
  assertEquals(run([0xe3, 0x10], 0x10000, false), [0x1002, 0x10000]);
  assertEquals(run([0x67, 0xe3, 0x10], 0x10000, false), [0x1013, 0x10000]);
});

Deno.test("Jcc, SETcc and CMOVcc follow all sixteen conditions", () => {
  for (let flags = 0; flags < 32; flags++) {
    const cf = flags & 1, pf = (flags >> 1) & 1, zf = (flags >> 2) & 1, sf = (flags >> 3) & 1, of = (flags >> 4) & 1;
    const word = cf | (pf << 2) | (zf << 6) | (sf << 7) | (of << 11);
    const plain = [of, cf, zf, cf | zf, sf, pf, sf ^ of, (sf ^ of) | zf];
    for (let cc = 0; cc < 16; cc++) {
      const want = plain[cc >> 1] ^ (cc & 1);
      const c = prepared();
      setArithmetic(c.state, word);
      step(c, [0x0f, 0x90 | cc, 0xc0]);
      assertEquals(c.state.reg8(0), want);
      step(c, [0x0f, 0x40 | cc, 0xd9]); // cmov ebx, ecx
      assertEquals(c.state.reg32(Reg.ebx), want ? 0xab2222 : 0xab4444);
      c.state.set(Layout.eip, 0x1000);
      step(c, [0x70 | cc, 0x20]);
      assertEquals(c.state.get(Layout.eip), want ? 0x1022 : 0x1002);
    }
  }
});

Deno.test("ENTER checks the final stack pointer, frames and places before the first push", () => {
  const c = prepared();
  c.mem.readOnly.add(6);
  expectFault(c, [0xc8, 0x00, 0x10, 0x00], Vector.pf, "enter 0x1000, 0: the end of the frame is read-only");
  const d = prepared();
  d.state.setReg32(Reg.ebp, 0x9000);
  d.mem.absent.add(8);
  expectFault(d, [0xc8, 0x00, 0x00, 0x02], Vector.pf, "enter 0, 2: the outer frame is absent");
  const e = prepared(0x70010);
  e.segment(2, 16, 0x10000, 0xffff, false);
  e.state.setReg32(Reg.ebp, 0x51234);
  step(e, [0x66, 0xc8, 0x20, 0x00, 0x00]);
  assertEquals([e.mem.read16(0x1000e), e.state.reg32(Reg.ebp)], [0x1234, 0x5000e]);
  assertEquals(e.state.reg32(Reg.esp), 0x7ffee);
});
