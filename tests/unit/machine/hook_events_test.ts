/** Hooks among interrupts, traps and shadows, and random ones: see hook_points.ts. */
import { asm, asm16 } from "../../../lib/cpu/i386/asm/template.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { pc } from "../../../lib/machine/presets.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { alike, AT, bare, note } from "./hook_points.ts";

Deno.test("hooks in real-mode code, under the trap flag and in interrupt shadows", () => {
  alike((e) =>
    bare(
      e,
      asm16`
      mov ax, 0x1000
      mov es, ax
      mov word [4], trap
      mov word [6], 0
      mov sp, 0x7000
      pushf
      pop ax
      or ax, 0x100
      push ax
      popf
      inc bx
      mov ax, 0
      mov ss, ax
      inc bx
      sti
      inc bx
      push 0x0002
      popf
      mov cx, 3
      mov di, 0
      rep stosw
      hlt
      trap: inc dx
      iret`,
    ), (m, log) => {
    m.onInstruction("inc", note(m, log));
    m.onInstruction("stosw", note(m, log));
    m.onBlock((e) => log.push(`block ${e.linear.toString(16)}`));
  });
});

Deno.test("a hook that raises an interrupt: it is taken first, then the instruction is met again", () => {
  const log = alike((engine) => {
    const m = pc({ engine, memory: 0x200000 });
    m.load(
      AT,
      asm16`
      cli
      mov al, 0x11
      out 0x20, al
      mov al, 8
      out 0x21, al
      mov al, 4
      out 0x21, al
      mov al, 1
      out 0x21, al
      mov al, 0
      out 0x21, al
      mov word [9 * 4], handler
      mov word [9 * 4 + 2], 0
      mov sp, 0x7000
      sti
      nop
      nop
      inc bx
      nop
      cli
      hlt
      handler: inc dx
      mov al, 0x20
      out 0x20, al
      iret`,
    );
    return m;
  }, (m, log) => {
    let once = true;
    m.onInstruction("inc", (e) => {
      note(m, log)(e);
      if (!once) return;
      once = false;
      m.irq(1, true);
    });
  }, 2000);
  assertEquals(log.filter((x) => String(x).includes("eax")).length, 3);
});

Deno.test("random hooks on random loops: both engines, any cut", () => {
  const r = new Prng(20);
  for (let round = 0; round < 12; round++) {
    const seed = r.u32();
    alike((e) =>
      bare(
        e,
        asm`
        mov ecx, 40
        mov esi, 0x7c00
        mov edi, 0x9000
        again: test cl, 3
        jz skip
        add eax, ecx
        rol eax, 3
        skip: call leaf
        xor ebx, eax
        movsb
        loop again
        hlt
        leaf: push eax
        test al, 1
        jnz odd
        pop edx
        ret
        odd: pop ebp
        ret`,
      ), (m, log) => {
      const p = new Prng(seed);
      for (let i = 0; i < 4; i++) m.onCode(0x7c00 + p.below(0x38), note(m, log));
      if (p.below(2) === 0) m.onCode({ at: 0x7c00 + p.below(0x20), size: p.below(0x10) + 1 }, note(m, log));
      if (p.below(2) === 0) m.onBlock((e) => log.push(`block ${e.linear}`));
      if (p.below(2) === 0) m.onInstruction(p.pick(["ret", "loop", "movsb", "test"]), note(m, log));
      let left = p.below(6);
      m.onCode(0x7c00 + p.below(0x38), (e) => {
        note(m, log)(e);
        if (left-- > 0) m.onCode(0x7c00 + p.below(0x38), (f) => void log.push(`new ${f.linear}`));
        if (left === 1) m.cpu.set("eax", p.u32());
      });
    }, 2000);
  }
});

Deno.test("POPF, STI and IRET let a waiting interrupt in at the exact instruction", () => {
  const log = alike(
    (engine) => {
      const m = pc({ engine, memory: 0x200000 });
      m.load(
        AT,
        asm16`
      cli
      mov al, 0x11
      out 0x20, al
      mov al, 8
      out 0x21, al
      mov al, 4
      out 0x21, al
      mov al, 1
      out 0x21, al
      mov al, 0
      out 0x21, al
      mov word [8 * 4], handler
      mov word [8 * 4 + 2], 0
      mov sp, 0x7000
      mov al, 0x34
      out 0x43, al
      mov al, 12
      out 0x40, al
      mov al, 0
      out 0x40, al
      mov cx, 400
      again: cli
      inc bx
      pushf
      inc bx
      sti
      inc bx
      inc bx
      cli
      push word 0x202
      popf
      inc bx
      pushf
      push cs
      call back
      inc bx
      popf
      sti
      loop again
      cli
      hlt
      back: iret
      handler: inc dx
      mov [si + 0x1000], bx
      add si, 2
      mov al, 0x20
      out 0x20, al
      iret`,
      );
      return m;
    },
    (m, log) => void m.hooks.onInterrupt(8, () => log.push(`${m.cpu.instructions} ${m.cpu.eip}`)),
    12_000,
  );
  assert(log.length > 5, "the timer fires");
});
