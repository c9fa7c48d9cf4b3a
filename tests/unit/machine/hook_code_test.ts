/** Hooks on code that lies, changes or is mapped unusually: see hook_points.ts. */
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { alike, AT, bare, cpu, note } from "./hook_points.ts";

Deno.test("instructions over a page end, and hooks on their second page, are met", () => {
  alike((e) =>
    machine({ cpu: cpu(e), memory: [ram({ at: 0, size: 0x100000 })] }).load(
      0x8ffa,
      asm`
      mov ebx, 3
      again: mov eax, 0x11223344
      dec ebx
      jnz again
      hlt`,
    ), (m, log) => {
    m.onCode(0x8fff, note(m, log));
    m.onCode(0x9000, () => log.push("never: no instruction begins here"));
    m.onCode(0x9004, note(m, log));
  });
});

Deno.test("hooks on code that rewrites itself, and hooks that rewrite it", () => {
  alike((e) =>
    bare(
      e,
      asm`
      mov ecx, 6
      again: mov al, 1
      inc byte [0x7c06]
      nop
      xor byte [0x7c0d], 0xd0
      loop again
      hlt`,
    ), (m, log) => {
    m.onCode(0x7c05, note(m, log));
    m.onCode(0x7c0d, (e) => {
      note(m, log)(e);
      if (m.cpu.ecx === 3) m.poke(0x7c06, Uint8Array.of(0x77));
      if (m.cpu.ecx === 4) m.poke(0x7c0d, Uint8Array.of(0x40)); // inc eax, in place of what was about to run
    });
  });
});

Deno.test("code mapped twice: hooks are at linear addresses", () => {
  // Page tables at 0x10000: identity, and linear 0x20000-0x20fff to physical 0x8000 as well.
  const log = alike((e) => {
    const m = bare(
      e,
      asm`
      mov eax, 0x10000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov ecx, 3
      again: mov edx, 0x8000
      call edx
      mov edx, 0x20000
      call edx
      loop again
      hlt`,
    );
    for (let i = 0; i < 256; i++) m.write(0x11000 + 4 * i, (i << 12) | 3);
    m.write(0x11000 + 4 * 0x20, 0x8003);
    m.write(0x10000, 0x11003);
    m.load(
      0x8000,
      asm`inc eax
      inc eax
      ret`,
    );
    return m;
  }, (m, log) => {
    m.onCode(0x20000, note(m, log));
    m.onCode(0x8001, note(m, log));
  });
  assertEquals(log.filter((x) => /^(20000|8001) /.test(String(x))).length, 6);
  assertEquals(log.filter((x) => /^(8000|20001) /.test(String(x))).length, 0);
});

Deno.test("a hook on code that is not present comes before the page fault, and again after it", () => {
  const log = alike((e) => {
    const m = bare(
      e,
      asm`
      lidt [0x7f00]
      mov eax, 0x10000
      mov cr3, eax
      mov eax, cr0
      or eax, 0x80000000
      mov cr0, eax
      mov edx, 0x20000
      call edx
      hlt`,
    );
    for (let i = 0; i < 256; i++) m.write(0x11000 + 4 * i, (i << 12) | 3);
    m.write(0x11000 + 4 * 0x20, 0x8002);
    m.write(0x10000, 0x11003);
    m.load(
      0x8000,
      asm`inc eax
      ret`,
    );
    // #PF: makes the page present; handler at 0x9000, gate 14 of the table at 0x12000.
    m.load(
      0x9000,
      asm`or dword [0x11080], 1
      add esp, 4
      iret`,
    );
    m.load(0x7f00, Uint8Array.of(0xff, 7, 0, 0x20, 1, 0));
    m.write(0x12000 + 14 * 8, 0x00089000);
    m.write(0x12000 + 14 * 8 + 4, 0x00008e00);
    // A descriptor table for the handler's code segment.
    m.write(0x13008, 0x0000ffff);
    m.write(0x1300c, 0x00cf9b00);
    m.start({ mode: "flat32", entry: AT, stack: 0x7000, gdt: { base: 0x13000, limit: 0x1f } });
    return m;
  }, (m, log) => {
    m.onCode(0x20000, note(m, log));
    m.onFault(14, (e) => log.push(`fault at ${e.linear.toString(16)}`));
  });
  assertEquals(log.slice(0, 3).map((x) => String(x).split(" after")[0]), ["20000", "fault at 20000", "20000"]);
  assertEquals(log[3], "halt");
});

Deno.test("hooks that come and go while other pages run hot are met at once", () => {
  const log = alike((e) => {
    const m = bare(
      e,
      asm`
      mov ecx, 300
      mov ebx, 0x9000
      again: add eax, ecx
      xor eax, 0x1234
      inner: inc edx
      test dl, 7
      jnz inner
      call ebx
      mov [0xa000], eax
      loop again
      hlt`,
    );
    m.load(
      0x9000,
      asm`
      rol eax, 5
      ret`,
    );
    return m;
  }, (m, log) => {
    let visits = 0;
    let remove = (): void => {};
    m.onCode(0x9002, (e) => log.push(`${e.linear.toString(16)} ${m.cpu.instructions}`));
    m.onCode(0x9000, () => {
      visits++;
      if (visits === 100) remove = m.onCode(0x7c11, (e) => log.push(`inner ${e.linear} ${m.cpu.instructions}`));
      if (visits === 110) remove();
    });
    // A write hook runs in the middle of an instruction: the hook it adds is met by the very next one.
    let writes = 0;
    m.onMemory({ at: 0xa000, size: 4, access: "write" }, () => {
      writes++;
      if (writes === 150) remove = m.onCode({ at: 0x7c00, size: 0x40 }, note(m, log));
      if (writes === 152) remove();
    });
  });
  assert(log.filter((x) => String(x).startsWith("inner")).length >= 10);
  assert(log.filter((x) => String(x).startsWith("7c")).length > 40);
});

Deno.test("a hook at the beginning of a page fires however hot the code is that runs into it, on every engine", () => {
  const results = (["reference", "interpreter", "jit"] as const).map((engine) => {
    const m = machine({ cpu: i386({ engine, jit: { threshold: 2 } }), memory: [ram({ at: 0, size: 1 << 20 })] });
    m.load(
      0x7c00,
      asm`
      again: call 0x30ffe
      inc ecx
      jmp again`,
    );
    m.poke(0x30ffe, Uint8Array.of(0xb3, 0x11, 0x01, 0xda, 0xc3)); // mov bl, 0x11; in the next page: add edx, ebx; ret
    m.cpu.set("esp", 0x7000);
    m.run({ instructions: 600 });
    let met = 0;
    const remove = m.onCode(0x31000, () => met++);
    m.run({ instructions: 600 });
    remove();
    m.run({ instructions: 600 });
    m.cpu.set("dr0", 0x31000);
    m.cpu.set("dr7", 0x401); // a breakpoint there, without a handler
    return [met, m.run({ instructions: 600 }).kind, m.now, m.hash()];
  });
  assertEquals(results[0].slice(0, 2), [100, "fault"]);
  assertEquals(results[1], results[0]);
  assertEquals(results[2], results[0]);
});
