/**
 * The JIT and the interpreter on programs that are made for what the JIT does: code that changes, calls that are none,
 * code over two pages, strings, tables. Random programs are in tests/lockstep.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { i386 } from "../../../../../lib/cpu/i386/factory.ts";
import { asm } from "../../../../../lib/cpu/i386/asm/template.ts";
import { machine } from "../../../../../lib/machine/machine.ts";
import { ram } from "../../../../../lib/memory/region.ts";
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { MODES, Rig, setMode } from "../rig.ts";

Deno.test("jit() keeps CF alone of the single flags below an INC or DEC", () => {
  // ROL and BT set flags of their own over those of the XOR; INC and DEC keep CF of them, and OF is theirs.
  for (const step of ["inc ebx", "dec ebx", "inc bx", "dec bl"]) {
    for (const single of ["rol edi, 1", "rcr edi, 1", "bt edi, 3"]) {
      const { bytes } = assemble(
        `
        again: ${single}
               ${step}
               pushfd
               pop eax
               xor ecx, eax
               lea edi, [edi+ecx*4+1]
               jmp again`,
        { origin: 0x4000 },
      );
      const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 }))];
      for (const { cpu, space } of rigs) {
        space.writePhysical(0x4000, bytes);
        setMode(cpu, MODES[0]);
        cpu.set("esp", 0x7000);
        cpu.set("edi", 0x4000_0001);
        cpu.set("eip", 0x4000);
      }
      for (let slice = 0; slice < 12; slice++) {
        const [x, y] = rigs.map((rig) => rig.outcome(rig.cpu.run(101 + slice)));
        assertEquals(y, x, `${single}, ${step}, slice ${slice}`);
      }
    }
  }
});

Deno.test("jit() agrees with the interpreter on thousands of small blocks that are rewritten all the time", () => {
  // Each round changes the immediate of one of 512 little functions in two pages and calls it.
  const { bytes } = assemble(
    `
    again: mov eax, edx
           and eax, 511
           shl eax, 4
           add eax, 0x8000
           mov [eax+1], edx
           add edx, 7
           call eax
           add esi, ebx
           jmp again`,
    { origin: 0x4000 },
  );
  const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 }))];
  for (const { cpu, space } of rigs) {
    space.writePhysical(0x4000, bytes);
    for (let n = 0; n < 512; n++) space.writePhysical(0x8000 + n * 16, Uint8Array.of(0xbb, n, 0, 0, 0, 0x43, 0xc3));
    setMode(cpu, MODES[0]);
    cpu.state.setReg32(4, 0x7000);
    cpu.set("eip", 0x4000);
  }
  for (let slice = 0; slice < 20; slice++) {
    const [x, y] = rigs.map((rig) => rig.outcome(rig.cpu.run(10_007)));
    assertEquals(y, x, `slice ${slice}`);
  }
});

Deno.test("jit() agrees with the interpreter on calls and returns whose return address is replaced", () => {
  // As compilers write indirect calls and jumps against guessing, the address of the code itself, and a call that is dropped.
  const { bytes } = assemble(
    `
    again: mov eax, [0x9000+ecx*4]
           call thunk
           inc ebx
           call here
    here:  pop edx
           call drop
           ud2
    on:    mov edx, [0x9000+ecx*4+8]
           call twice
           inc ecx
           and ecx, 1
           jmp again
    thunk: call set
    trap:  pause
           jmp trap
    set:   mov [esp], eax
           ret
    drop:  add esp, 4
           jmp on
    twice: call over
           ret
    over:  mov [esp], edx
           ret
    one:   add esi, 3
           ret
    two:   xor esi, ebx
           lea edi, [edi+esi]
           ret`,
    { origin: 0x4000 },
  );
  const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 })), new Rig(jit({ threshold: 2, calls: false }))];
  for (const { cpu, space } of rigs) {
    space.writePhysical(0x4000, bytes);
    const at = bytes.length + 0x4000 - 10;
    for (const [n, to] of [at, at + 4, at, at + 4].entries()) {
      space.writePhysical(0x9000 + 4 * n, Uint8Array.of(to & 0xff, to >> 8, 0, 0));
    }
    setMode(cpu, MODES[0]);
    cpu.state.setReg32(1, 0);
    cpu.state.setReg32(4, 0x7000);
    cpu.set("eip", 0x4000);
  }
  for (let slice = 0; slice < 40; slice++) {
    const [x, ...others] = rigs.map((rig) => rig.outcome(rig.cpu.run(1_003)));
    assertEquals((x as { exit: string }).exit, "count", `slice ${slice}`);
    for (const y of others) assertEquals(y, x, `slice ${slice}`);
  }
});

Deno.test("jit() follows code over two pages when the second one is mapped elsewhere", () => {
  // Identity mapping with tables at 0x1000 and 0x2000. The loop at 0x8ffc lies on two pages; an addition in the second
  // one is 1 in page 9 and 3 in page 10. Each round swaps what linear page 9 is.
  const setup = asm`
           mov eax, 0x1000
           mov cr3, eax
           mov eax, cr0
           or eax, 0x80000000
           mov cr0, eax
           xor edx, edx
    round: mov ecx, 40
           call 0x8ff8
           xor dword [0x2024], 0x3000 ; page 9 becomes 10 and back
           invlpg [0x9000]
           inc edx
           jmp round`;
  const loop = (by: number): Uint8Array => {
    // 8ff8: 4 nops; 8ffc: lea eax,[eax+ecx*4+0] (7 bytes, over the end); 9003: add ebx, by; dec ecx; jnz 8ff8; ret
    const bytes = [0x90, 0x90, 0x90, 0x90, 0x8d, 0x84, 0x88, 0, 0, 0, 0, 0x83, 0xc3, by, 0x49, 0x75, 0xef, 0xc3];
    return Uint8Array.from(bytes);
  };
  const machines = ([["interpreter", {}], ["jit", { threshold: 8 }]] as const).map(([engine, options]) => {
    const m = machine({ cpu: i386({ engine, jit: options }), memory: [ram({ at: 0, size: 0x10000 })] });
    m.load(0x4000, setup);
    const table = new Uint32Array(16).map((_, i) => i << 12 | 3);
    m.load(0x1000, new Uint8Array(Uint32Array.of(0x2003).buffer));
    m.load(0x2000, new Uint8Array(table.buffer));
    m.load(0x8ff8, loop(1));
    m.load(0xa000, loop(3).subarray(8));
    m.cpu.set("eip", 0x4000);
    m.cpu.set("esp", 0x7000);
    return m;
  });
  for (let slice = 0; slice < 60; slice++) {
    const [x, y] = machines.map((m) => {
      m.run({ instructions: 331 });
      return ["eax", "ebx", "ecx", "edx", "esp", "eip", "eflags"].map((name) => m.cpu.get(name));
    });
    assertEquals(y, x, `slice ${slice}`);
  }
  assertEquals(Number(machines[1].cpu.get("edx")) > 20, true);
});

Deno.test("jit() agrees with the interpreter on long repeated string instructions", () => {
  const names = ["rep movsd", "rep movsb", "rep movsw", "rep stosd", "rep stosb", "rep stosw"];
  names.push("repne scasb", "repe scasd", "repe cmpsb", "repe cmpsd", "repne cmpsw", "rep lodsd");
  names.forEach((name, seed) => {
    const { bytes } = assemble(
      `
    again: mov esi, [ebp]
           mov edi, [ebp+4]
           mov ecx, [ebp+8]
           mov eax, [ebp+12]
           add ebp, 16
           and ebp, 0x5fff
           ${name}
           adc ebx, ecx
           jmp again`,
      { origin: 0x4000 },
    );
    const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 }))];
    for (const { cpu, space } of rigs) {
      const r = new Prng(seed + 1);
      space.writePhysical(0x4000, bytes);
      const table = new Uint32Array(1024);
      for (let n = 0; n < table.length; n += 4) {
        const aligned = r.below(5) === 0 ? 0 : 3;
        const from = (0x8000 + r.below(0x2000)) & ~aligned;
        const to = r.below(3) === 0 ? from + r.pick([0, 1, 4, 8, 64]) : (0xa000 + r.below(0x2000)) & ~aligned;
        table.set([from, to, r.pick([0, 1, 7, r.below(100), r.below(2000)]), r.pick([0, 0x41414141, r.u32()])], n);
      }
      space.writePhysical(0x5000, new Uint8Array(table.buffer));
      space.writePhysical(0x8000, Uint8Array.from(r.bytes(0x8000), (v) => v < 240 ? 0 : v));
      setMode(cpu, MODES[0]);
      cpu.set("ebp", 0x5000);
      cpu.set("eip", 0x4000);
    }
    const r = new Prng(seed);
    for (let slice = 0; slice < 60; slice++) {
      const limit = 1 + r.below(r.pick([50, 3000]));
      const [x, y] = rigs.map((rig) => rig.outcome(rig.cpu.run(limit)));
      assertEquals(y, x, `${name}, slice ${slice} of ${limit} instructions`);
    }
  });
});

Deno.test("jit() agrees with the interpreter on jumps through a table that is changed on the way", () => {
  const { bytes, labels } = assemble(
    `
    next:  imul ebx, ebx, 69069
           inc ebx
           mov eax, ebx
           shr eax, 24
           and eax, 7
           jmp [table+eax*4]
    a:     add ecx, ebx
           jmp next
    b:     rol ecx, 3
           jc next
           jmp a
    c:     xor ecx, esi
           loop next
           inc esi
           jmp next
    d:     push ecx
           pop esi
           jmp next
    table: dd a, b, c, d, a, b, c, d`,
    { origin: 0x4fd0 },
  );
  const rigs = [new Rig(interpreter), new Rig(jit({ threshold: 2 }))];
  for (const { cpu, space } of rigs) {
    space.writePhysical(0x4fd0, bytes);
    setMode(cpu, MODES[0]);
    cpu.set("esp", 0x7000);
    cpu.set("eip", 0x4fd0);
  }
  const r = new Prng(7), names = ["a", "b", "c", "d", "next"];
  for (let slice = 0; slice < 200; slice++) {
    const limit = 1 + r.below(700), entry = r.below(8);
    const target = Uint32Array.of((labels.get(r.pick(names)) ?? 0) >>> 0);
    const [x, y] = rigs.map((rig) => {
      if (slice > 20) rig.space.writePhysical((labels.get("table") ?? 0) + 4 * entry, new Uint8Array(target.buffer));
      return rig.outcome(rig.cpu.run(limit));
    });
    assertEquals(y, x, `slice ${slice} of ${limit} instructions`);
  }
});
