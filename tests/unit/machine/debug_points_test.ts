/** Breakpoints of the debug registers, by instruction and by data: see hook_points.ts. */
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { assertEquals } from "../../../scripts/deps/std.ts";
import { alike, bare, debugTable, ENGINES, note } from "./hook_points.ts";

/** A handler of instruction breakpoints: counts, and sets RF in the image that it returns to. */
const resume = asm`
  inc edx
  or dword [esp+8], 0x10000
  iret`;

Deno.test("instruction breakpoints of the debug registers are faults before the instruction", () => {
  const log = alike((e) => {
    const m = bare(
      e,
      asm`
      lidt [0x7f00]
      mov eax, target
      mov dr0, eax
      mov eax, 1
      mov dr7, eax
      mov ecx, 4
      again: inc ebx
      target: nop
      loop again
      hlt`,
    );
    m.load(
      0x9000,
      resume,
    );
    debugTable(m);
    return m;
  }, (m, log) => {
    m.onCode({ at: 0x9000, size: 2 }, note(m, log));
    m.onInstruction("nop", note(m, log));
  });
  assertEquals(log.filter((x) => String(x).startsWith("9000 ")).length, 4);
  assertEquals(log.filter((x) => String(x).startsWith("7c")).length, 4);
});

Deno.test("without hooks, instruction breakpoints alone are met as often", () => {
  for (const engine of ENGINES) {
    const m = bare(
      engine,
      asm`
      lidt [0x7f00]
      mov eax, target
      mov dr1, eax
      mov eax, 4
      mov dr7, eax
      mov ecx, 100
      mov edx, 0
      again: inc ebx
      target: nop
      loop again
      hlt`,
    );
    m.load(
      0x9000,
      resume,
    );
    debugTable(m);
    assertEquals([m.run().kind, m.cpu.edx, m.cpu.ebx, m.cpu.instructions], ["halt", 100, 100, 708], engine);
  }
});

Deno.test("data breakpoints of the debug registers trap after the very instruction", () => {
  const log = alike((e) => {
    const m = bare(
      e,
      asm`
      lidt [0x7f00]
      mov eax, 0xa000
      mov dr1, eax
      mov eax, 0xf00004
      mov dr7, eax
      mov [0xa000], eax
      inc ebx
      inc ebx
      add ecx, [0xa002]
      inc ebx
      mov [0xa004], ecx
      push dword [0xa000]
      inc ebx
      hlt`,
    );
    debugTable(m);
    m.load(
      0x9000,
      asm`
      mov esi, ebx
      shl edx, 8
      or edx, ebx
      iret`,
    );
    return m;
  }, (m, log) => {
    m.hooks.onInterrupt(undefined, () => log.push("interrupt"));
    log.push("begin");
  });
  assertEquals(log[1], "halt");
  for (const engine of ENGINES) {
    const m = bare(
      engine,
      asm`
      lidt [0x7f00]
      mov edx, 0
      mov eax, 0xa000
      mov dr1, eax
      mov eax, 0xf00004
      mov dr7, eax
      mov [0xa000], eax
      inc ebx
      inc ebx
      add ecx, [0xa002]
      inc ebx
      mov [0xa004], ecx
      push dword [0xa000]
      inc ebx
      hlt`,
    );
    debugTable(m);
    m.load(
      0x9000,
      asm`
      shl edx, 8
      or edx, ebx
      iret`,
    );
    assertEquals([m.run().kind, m.cpu.edx, m.cpu.ebx], ["halt", 0x000203, 4], engine);
  }
});
