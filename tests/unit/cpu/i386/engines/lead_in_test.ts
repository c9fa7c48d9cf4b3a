/**
 * The change from the lead-in to the real engine cannot be seen: wherever it falls (inside a repetition, before a fault,
 * in a single step, with a hook added meanwhile) the outcome is that of the interpreter.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { asm, type AsmSource } from "../../../../../lib/cpu/i386/asm/template.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { jitSettings } from "../../../../../lib/cpu/i386/engines/jit/options.ts";
import { i386 } from "../../../../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../../../../lib/machine/machine.ts";
import { ram } from "../../../../../lib/memory/region.ts";
import { assert, assertEquals } from "../../../../../scripts/deps/std.ts";
import { prepare } from "../random_program.ts";
import { MODES, Rig } from "../rig.ts";

for (const mode of MODES) {
  Deno.test(`LeadInEngine changes engines unseen at any instruction of random programs: ${mode.name}`, () => {
    for (let seed = 1; seed <= 40; seed++) {
      const r = new Prng(seed), limit = 2 + r.below(24);
      const judge = new Rig(interpreter);
      prepare(judge, mode, seed);
      const expected = judge.outcome(judge.cpu.run(limit));
      const rig = new Rig(jit({ threshold: 2, leadIn: 1 + r.below(limit) }));
      prepare(rig, mode, seed);
      assertEquals(rig.outcome(rig.cpu.run(limit)), expected, `${mode.name}, seed ${seed}, limit ${limit}`);
    }
  });
}

function make(leadIn: number | undefined): Machine {
  const cpu = leadIn === undefined ? i386({ engine: "interpreter" }) : i386({ jit: { threshold: 2, leadIn } });
  return machine({ cpu, memory: [ram({ at: 0, size: 0x100000 })] });
}

/** Runs `code` with every length of lead-in up to `longest`, in pieces, and compares with the interpreter. */
function alike(code: AsmSource, longest: number, arm: (m: Machine, log: string[]) => void = () => {}): string[] {
  const outcome = (leadIn: number | undefined, piece: number): string[] => {
    const m = make(leadIn), log: string[] = [];
    m.load(0x7c00, code);
    arm(m, log);
    for (let n = 0; n < 400 && m.run({ instructions: piece }).kind === "budget"; n++);
    log.push(String(m.cpu.instructions), m.hash());
    return log;
  };
  const first = outcome(undefined, 1000);
  for (let leadIn = 0; leadIn <= longest; leadIn++) {
    for (const piece of [1000, 3]) assertEquals(outcome(leadIn, piece), first, `lead-in ${leadIn}, pieces of ${piece}`);
  }
  return first;
}

Deno.test("LeadInEngine changes engines unseen inside a repetition and under the trap flag", () => {
  const code = asm`
    mov esp, 0x7000
    mov dword [4], handler
    mov edi, 0x9000
    mov ecx, 9
    rep stosb
    pushfd
    or dword [esp], 0x100
    popfd
    mov ecx, 3
    again: loop again
    hlt
    handler: inc edx
    iret`;
  alike(code, 34);
});

Deno.test("LeadInEngine meets hooks that are there from the start and those a port callback adds", () => {
  const code = asm`
    mov ecx, 6
    again: out 0x80, al
    here: inc eax
    loop again
    hlt`;
  const log = alike(code, 16, (m, log) => {
    let calls = 0;
    m.onPort(0x80, () => {
      if (++calls === 3) m.onCode(0x7c07, () => log.push(`here after ${m.cpu.instructions}`));
    });
  });
  assertEquals(log.slice(0, -2), ["here after 8", "here after 11", "here after 14", "here after 17"]);
});

Deno.test("jitSettings() has a lead-in unless a threshold is given", () => {
  assert(jitSettings().leadIn > 0);
  assertEquals(jitSettings({ threshold: 5 }).leadIn, 0);
  assertEquals(jitSettings({ threshold: 5, leadIn: 9 }).leadIn, 9);
});
