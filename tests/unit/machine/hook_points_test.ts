/**
 * Hooks before instructions, on all engines and with the run cut into pieces: every way must give the same log of
 * events (address, instructions so far, registers), the same stop and the same state.
 */
import { asm, asm16, type AsmSource } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { Prng } from "../../../lib/base/prng.ts";
import { type Machine, machine } from "../../../lib/machine/machine.ts";
import { pc } from "../../../lib/machine/presets.ts";
import { ram } from "../../../lib/memory/region.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
type Engine = typeof ENGINES[number];
/** Instructions a call of run(); 0: all at once. */
const CUTS = [0, 1, 3, 7];
const AT = 0x7c00;

/** The JIT translates what is executed twice. */
function cpu(engine: Engine): ReturnType<typeof i386> {
  return i386({ engine, ...(engine === "jit" ? { jit: { threshold: 2 } } : {}) });
}

function bare(engine: Engine, code: AsmSource): Machine {
  return machine({ cpu: cpu(engine), memory: [ram({ at: 0, size: 0x100000 })] }).load(AT, code);
}

/** Runs to the end (HLT) in pieces. */
function finish(m: Machine, cut: number, limit = 20_000): string {
  for (let n = 0; n < limit;) {
    const piece = cut === 0 ? limit : cut;
    const stop = m.run({ instructions: piece });
    if (stop.kind !== "budget") return stop.kind;
    n += piece;
  }
  return "budget";
}

/** Interrupt table at 0x12000 with a gate for #DB to 0x9000, a descriptor table for its code segment; LIDT finds 0x7f00. */
function debugTable(m: Machine): void {
  m.load(0x7f00, Uint8Array.of(0xff, 7, 0, 0x20, 1, 0));
  m.write(0x12000 + 8, 0x00089000);
  m.write(0x12000 + 12, 0x00008e00);
  m.write(0x13008, 0x0000ffff);
  m.write(0x1300c, 0x00cf9b00);
  m.start({ mode: "flat32", entry: AT, stack: 0x7000, gdt: { base: 0x13000, limit: 0x1f } });
}

type Log = (string | number)[];

/**
 * Every engine and cut must give what the first gives; it is returned. `arm` adds hooks that write to the log;
 * `make` builds the machine.
 */
function alike(make: (engine: Engine) => Machine, arm: (m: Machine, log: Log) => void, limit?: number): Log {
  let first: Log | undefined;
  for (const engine of ENGINES) {
    for (const cut of CUTS) {
      const m = make(engine), log: Log = [];
      arm(m, log);
      log.push(finish(m, cut, limit), m.cpu.instructions, m.hash());
      first ??= log;
      assertEquals(log, first, `${engine}, pieces of ${cut}`);
    }
  }
  return first as Log;
}

/** A hook that notes where and when it was met. */
function note(m: Machine, log: Log): (e: { linear: number }) => void {
  return (e) => log.push(`${e.linear.toString(16)} after ${m.cpu.instructions} eax ${m.cpu.eax.toString(16)}`);
}

const LOOP = asm`
  mov ecx, 5
  again: add eax, ecx
  push ecx
  pop edx
  loop again
  hlt`;

Deno.test("onCode() meets each visit of its address, at the exact instruction", () => {
  const log = alike((e) => bare(e, LOOP), (m, log) => void m.onCode(0x7c05, note(m, log)));
  assertEquals(
    log.slice(0, 5),
    [1, 5, 9, 13, 17].map((n, i) => `7c05 after ${n} eax ${[0, 5, 9, 12, 14][i].toString(16)}`),
  );
});

Deno.test("onCode() over a range, onBlock() and onInstruction() keep their order", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode({ at: 0x7c05, size: 3 }, note(m, log));
    m.onBlock((e) => log.push(`block ${e.linear.toString(16)}`));
    m.onInstruction("pop", (e) => log.push(`${e.mnemonic} ${e.linear.toString(16)}`));
    m.onInstruction((x) => x.startsWith("l"), (e) => log.push(`${e.mnemonic} ${e.linear.toString(16)}`));
  });
});

Deno.test("a code hook may move EIP at every visit of a place that direct jumps and calls lead to", () => {
  const code = asm`
    mov ecx, 9
    again: jmp there
    nop
    there: inc eax
    jmp joined
    other: inc edx
    joined: call there2
    loop again
    hlt
    there2: inc ebx
    ret
    other2: inc esi
    ret`;
  const at = (name: string): number => code.at(0x7c00).labels.get(name) ?? 0;
  for (const every of [1, 2]) {
    const log = alike((e) => bare(e, code), (m, log) => {
      let visits = 0;
      for (const [from, to] of [["there", "other"], ["there2", "other2"]]) {
        m.onCode(at(from), () => {
          log.push(`${from} after ${m.cpu.instructions}`);
          if (++visits % every === 0) m.cpu.set("eip", at(to));
        });
      }
    });
    assertEquals(log.length, 2 * 9 + 3);
  }
});

Deno.test("onBlock() meets the target of each jump, also into the middle of known code", () => {
  const log = alike((e) =>
    bare(
      e,
      asm`
      inc eax
      inc eax
      middle: inc eax
      cmp eax, 9
      jb middle
      cmp eax, 20
      jb middle
      hlt`,
    ), (m, log) => void m.onBlock((e) => log.push(e.linear)));
  assertEquals(log.slice(0, 3), [0x7c00, 0x7c02, 0x7c02]);
});

Deno.test("a hook that sets EIP replaces the instruction and costs no tick", () => {
  const log = alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c07, (e) => {
      note(m, log)(e);
      m.cpu.set("eip", 0x7c09);
    });
  });
  assert(log.length > 5);
});

Deno.test("a hook that sets EIP to itself by way of another hook does not loop", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    let once = true;
    m.onCode(0x7c08, (e) => {
      note(m, log)(e);
      if (once) m.cpu.set("eip", 0x7c07);
      once = false;
    });
    m.onCode(0x7c07, note(m, log));
  });
});

Deno.test("a hook may change registers, flags and memory", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c05, (e) => {
      note(m, log)(e);
      m.cpu.set("eax", m.cpu.eax + 0x100);
      m.cpu.set("eflags", m.cpu.eflags ^ 1);
      m.write(0x9000, m.cpu.eax);
    });
  });
});

Deno.test("a hook may remove itself and add others; the instruction is not met twice", () => {
  const log = alike((e) => bare(e, LOOP), (m, log) => {
    const remove = m.onCode(0x7c07, (e) => {
      note(m, log)(e);
      remove();
      m.onCode(0x7c08, (f) => log.push(`late ${f.linear.toString(16)}`));
      m.onCode(0x7c05, (f) => log.push(`late ${f.linear.toString(16)}`));
    });
  });
  assertEquals(log.slice(1, 4), ["late 7c08", "late 7c05", "late 7c08"]);
});

Deno.test("a hook that adds a hook at its own address each time ends", () => {
  const log = alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c05, () => {
      log.push(m.cpu.instructions);
      m.onCode(0x7c07, () => log.push("more"));
    });
  });
  assertEquals(log.slice(0, 6), [1, "more", 5, "more", "more", 9]);
});

Deno.test("stop() ends the run before the instruction; the next run does not meet it again", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c07, (e) => {
      note(m, log)(e);
      e.stop("here");
    });
    for (let i = 0; i < 5; i++) {
      const stop = m.run({ instructions: 1000 });
      log.push(stop.kind, stop.eip, m.cpu.instructions, m.hash());
    }
  });
});

Deno.test("a REP instruction is met at each iteration", () => {
  const log = alike((e) =>
    bare(
      e,
      asm`
      mov edi, 0x9000
      mov ecx, 4
      rep stosd
      mov ecx, 3
      mov edi, 0xaffe
      rep stosb
      hlt`,
    ), (m, log) => {
    m.onCode(0x7c0a, note(m, log));
    m.onInstruction("stosb", note(m, log));
  });
  assertEquals(log.filter((x) => String(x).startsWith("7c0a")).length, 4);
});

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

Deno.test("a hook that adds and removes another one at each visit", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c0a, (e) => {
      note(m, log)(e);
      m.hooks.onCode(0x7c09, () => {})();
    });
  });
});

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
      asm`inc edx
      iret`,
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
      asm`inc edx
      iret`,
    );
    debugTable(m);
    assertEquals([m.run().kind, m.cpu.edx, m.cpu.ebx, m.cpu.instructions], ["halt", 100, 100, 608], engine);
  }
});

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
