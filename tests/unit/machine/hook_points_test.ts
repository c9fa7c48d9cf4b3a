/** Which hooks an instruction meets, and what they may do: see hook_points.ts. */
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { alike, bare, note } from "./hook_points.ts";

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

Deno.test("a hook that adds and removes another one at each visit", () => {
  alike((e) => bare(e, LOOP), (m, log) => {
    m.onCode(0x7c0a, (e) => {
      note(m, log)(e);
      m.hooks.onCode(0x7c09, () => {})();
    });
  });
});
