/**
 * Code whose constants and opcodes are rewritten over and over, by writes of every size, before, behind and inside the
 * instructions they change, and code that is copied over other code, the same again or other: all engines must show the same registers, flags, memory and ticks at the end of every slice.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { interpreterWith } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { type Mode, MODES, Rig, setMode } from "../rig.ts";

/** What may be written into a constant. */
type Values = "any" | "small" | "address" | "jump" | "opcode";

/** An instruction, and its constants: offset, bytes, what may be written there. */
type Victim = readonly [string, ...(readonly [number, 1 | 2 | 4, Values])[]];

const VICTIMS: readonly Victim[] = [
  ["mov eax, 0x11223344", [1, 4, "any"]],
  ["add ebx, 5", [2, 1, "any"]],
  ["add ecx, 0x01020304", [2, 4, "any"]],
  ["xor edx, [0x8010]", [2, 4, "address"]],
  ["mov esi, [ebp+8]", [2, 1, "small"]],
  ["mov [edi+0x101], eax", [2, 4, "small"]],
  ["mov esi, [ebp+8]\nadd eax, [ebp+12]\nxor [ebp+4], esi", [2, 1, "small"]],
  ["mov ecx, [edi+0x20]\nadd ecx, [edi+0x101]\nmov [edi+0x40], ecx", [5, 4, "small"]],
  ["mov eax, 0x8100\nmov ecx, [eax]\nmov [eax+4], ecx", [1, 4, "address"]],
  ["mov edx, 0x8100\nmov ecx, [0x8110]\nadd ecx, [edx]\nmov [0x8118], ecx", [1, 4, "address"]],
  ["lea esi, [edi+eax*2+0x10]", [3, 1, "any"]],
  ["mov dword [ebp+4], 0x55667788", [2, 1, "small"], [3, 4, "any"]],
  ["add dword [ebp+0x200], 0x55667788", [2, 4, "small"], [6, 4, "any"]],
  ["shl edx, 3", [2, 1, "any"]],
  ["rcr eax, 7", [2, 1, "any"]],
  ["imul eax, ebx, 0x10001", [2, 4, "any"]],
  ["cmp edx, 0x12345678\nsetc al", [2, 4, "any"]],
  ["test bl, 0x10\nsetz ah", [2, 1, "any"]],
  ["push 0x12345678\npop ecx", [1, 4, "any"]],
  ["db 0xeb, 2\ninc eax\ndec ebx", [1, 1, "jump"], [2, 1, "opcode"]],
  ["db 0x72, 1\ninc eax\ndec ebx", [1, 1, "jump"]],
  ["db 0x0f, 0x84, 1, 0, 0, 0\ninc ecx\ndec eax", [2, 1, "jump"], [6, 1, "opcode"]],
  ["adc al, 0x7f", [1, 1, "any"]],
  ["mov cl, 0x12", [1, 1, "any"]],
  ["mov eax, [0x8123]", [1, 4, "address"]],
  ["mov ax, 0x1234", [2, 2, "any"]],
  ["sub word [ebp+2], 0x1234", [3, 1, "small"], [4, 2, "any"]],
  ["fld dword [0x8020]\nfstp dword [ebp+16]", [2, 4, "address"]],
  ["shld eax, ebx, 3", [3, 1, "any"]],
  ["mov cx, [bx+0x10]", [3, 1, "small"]],
  ["inc ecx", [0, 1, "opcode"]],
];

/** Source of a program that changes `count` instructions in each of many rounds. */
function source(r: Prng, count: number): string {
  const body: string[] = [], rounds: string[] = [];
  for (let n = 0; n < count; n++) {
    const [text, ...fields] = r.pick(VICTIMS), own = `p${n}: ${text}`;
    const writes = fields.filter(() => r.below(4) > 0).map((field) => write(r, `p${n}`, field));
    if (r.below(4) === 0) body.push(...writes, own); // right in front of the instruction
    else if (r.below(5) === 0) body.push(own, ...writes);
    else {
      rounds.push(...writes);
      body.push(own);
    }
    if (r.below(8) === 0) body.push(`s${n}: add dword [s${n}+6-ORIGIN], 0x01020304`); // changes itself
  }
  return `
    again: mov ebp, 0x8100
           mov edi, 0x8200
           imul ecx, [0x8ff0], 1664525
           add ecx, 1013904223
           mov [0x8ff0], ecx
           ${rounds.join("\n")}
           call body
           ${r.below(2) === 0 ? "call body" : ""}
           jmp again
           times ${0xf00 + r.below(0xe0)}-($-again) nop
    body:
           ${body.join("\n")}
           ret
  `;
}

/** Changes a constant of the instruction at a label; ECX is random. */
function write(r: Prng, label: string, [at, size, values]: readonly [number, 1 | 2 | 4, Values]): string {
  const [whole, part] = [`${label}+${at}-ORIGIN`, `${label}+${at + r.below(size)}-ORIGIN`];
  const register = { 1: "cl", 2: "cx", 4: "ecx" } as const, word = { 1: "byte", 2: "word", 4: "dword" } as const;
  switch (values) {
    case "any":
      return r.pick([
        `mov [${whole}], ${register[size]}`,
        `mov [${whole}], ${register[size]}\nror ecx, 3`,
        `mov [${part}], cl`,
        `add ${word[size]} [${whole}], ${size === 1 ? 3 : 0x103}`,
        `mov ${word[size]} [${whole}], ${r.below(0x80)}`,
        `xchg [${part}], cl`,
        `mov al, [${part}]\nmov [${part}], al`,
      ]);
    case "small":
      return `movzx eax, cl\nand eax, 0x7f\nmov [${whole}], ${{ 1: "al", 2: "ax", 4: "eax" }[size]}`;
    case "address":
      return `mov eax, ecx\nand eax, 0x7ff\nadd eax, 0x8000\nmov [${whole}], eax`;
    case "jump":
      return `mov eax, ecx\nand eax, 1\nmov [${whole}], al`;
    case "opcode": // INC and DEC of the four registers that hold no address
      return `mov eax, ecx\nshr eax, 13\nand eax, 0x0b\nor al, 0x40\nmov [${whole}], al`;
  }
}

/** Instructions in words of four bytes, so that pieces made of them may be mixed; some jump over the next word. */
const CODE_WORDS = [
  ...[0x9005c383, 0x9007e983, 0x9047748d, 0x909012b1, 0x90907f14, 0x1234b866, 0x90909040, 0x9003e2c1, 0x90045f89],
  ...[0x90084503, 0x90900674, 0x90900672, 0x9090d2f7, 0x90904a4b, 0x90906690],
];

/** Words of a piece of code that is copied, besides the RET at its end. */
const PIECE = 20;

/** Source of a program that copies pieces of code, or parts of them, over one another and calls what is there then. */
function copies(r: Prng): string {
  const pieces = [...Array(4).keys()].map((n) => {
    const words = [...Array(PIECE).keys()].map(() => r.pick(CODE_WORDS));
    return `c${n}: dd ${words.join(", ")}, 0x909090c3, 0x909090c3`;
  });
  const turns = [...Array(3 + r.below(4)).keys()].map(() => {
    const words = r.pick([PIECE + 2, PIECE + 2, 1 + r.below(PIECE)]), from = r.below(PIECE + 3 - words);
    const [start, size] = [`esi, [esi+${4 * from}]`, 4 * words];
    const copy = r.pick([
      `mov ecx, ${words}\nrep movsd`,
      `mov ecx, ${words}\nrep movsd`,
      `mov ecx, ${size}\nrep movsb`,
      `mov ecx, ${words}\nl{n}: mov eax, [esi]\nmov [edi], eax\nadd esi, 4\nadd edi, 4\nloop l{n}`,
      `mov ecx, ${size}\nl{n}: mov al, [esi+ecx-1]\nmov [edi+ecx-1], al\nloop l{n}`,
    ]);
    return `
      ${r.pick(["and eax, 3", "and eax, 1", "xor eax, eax"])}
      imul esi, eax, ${4 * (PIECE + 2)}
      add esi, c0-ORIGIN
      lea ${start}
      mov edi, target+${4 * from}-ORIGIN
      ${copy}
      mov edi, 0x8200
      ${`call target+${4 * r.below(r.pick([1, PIECE]))}\n`.repeat(r.pick([1, 1, 3, 12]))}`;
  });
  return `
    again: mov ebp, 0x8100
           imul eax, [0x8ff0], 1664525
           add eax, 1013904223
           mov [0x8ff0], eax
           shr eax, 20
           ${turns.map((turn, n) => turn.replaceAll("{n}", String(n))).join("\n")}
           jmp again
           ${pieces.join("\n")}
           times ${0xf80 + 4 * r.below(0x20)}-($-again) nop
    target: times ${PIECE + 2} dd 0x909090c3
  `;
}

/** Modes, with what addresses of code are in DS. */
const PLACES = [
  { mode: MODES[0], base: 0, origin: 0x4000 },
  { mode: MODES[2], base: 0x2000, origin: 0x4000 },
  { mode: MODES[5], base: -0x1000, origin: 0x3000 },
] as const;

const ENGINES = {
  "interpreter": interpreterWith(),
  "interpreter, soft off": interpreterWith({ soft: false }),
  "interpreter, besideCode off": interpreterWith({ besideCode: false }),
  "interpreter, revive off": interpreterWith({ revive: false }),
  "jit": jit({ threshold: 2 }),
  "jit, later": jit({ threshold: 20 }),
  "jit, soft off": jit({ threshold: 2, soft: false }),
  "jit, besideCode off": jit({ threshold: 2, besideCode: false }),
  "jit, revive off": jit({ threshold: 2, revive: false }),
  "jit, groups off": jit({ threshold: 5, groups: false }),
  "jit, registers in memory": jit({ threshold: 5, registersInLocals: false, fuse: false }),
};

const KINDS = {
  "rewritten over and over": (r: Prng) => source(r, 1 + r.below(7)),
  "copied over other code": copies,
};

for (
  const [{ mode, base, origin }, [kind, program]] of PLACES.flatMap((p) =>
    Object.entries(KINDS).map((k) => [p, k] as const)
  )
) {
  Deno.test(`all engines agree on code that is ${kind}: ${mode.name}`, () => {
    const names = ["reference", ...Object.keys(ENGINES)];
    const rigs = [new Rig(reference), ...Object.values(ENGINES).map((engine) => new Rig(engine))];
    for (let seed = 1; seed <= 30; seed++) {
      const r = new Prng(seed), text = program(r);
      const { bytes } = assemble(text.replaceAll("ORIGIN", String(base)), { origin });
      for (const { cpu, space } of rigs) {
        cpu.reset();
        space.writePhysical(0, new Uint8Array(0x10000));
        space.writePhysical(0x8000, new Prng(seed).bytes(0x1000));
        space.writePhysical(base < 0 ? origin - base : origin, bytes);
        setMode(cpu, mode);
        for (let n = 0; n < 8; n++) cpu.state.setReg32(n, n === 4 ? 0xa000 : n);
        cpu.set("eip", origin);
      }
      for (let slice = 0; slice < 10; slice++) {
        const limit = 1 + r.below(r.pick([40, 400, 6000]));
        const [expected, ...others] = rigs.map((rig) => rig.outcome(rig.cpu.run(limit)));
        others.forEach((other, i) => assertEquals(other, expected, `${names[i + 1]}, seed ${seed}, slice ${slice}`));
      }
    }
  });
}

Deno.test("all engines agree on a soft constant whose opcode becomes one with another constant there", () => {
  // MOV EAX, imm32 becomes MOV EAX, [moffs32]: as many bytes, and where DS has a base as many records.
  const text = `
    again: mov ecx, 11
    soft:  mov [patched+1-0x1000], ecx
           call patched
           dec ecx
           jnz soft
           mov byte [patched-0x1000], 0xa1
           call patched
           mov byte [patched-0x1000], 0xb8
           call patched
           mov byte [patched-0x1000], 0xa1
           call patched
           mov ecx, 9
    other: lea esi, [ecx*4+0x7000]
           mov [patched+1-0x1000], esi
           call patched
           add ebx, eax
           dec ecx
           jnz other
           mov byte [patched-0x1000], 0xb8
           jmp again
           times 0x900-($-again) nop
    patched: mov eax, 0x7000
           ret`;
  const { bytes } = assemble(text, { origin: 0x4000 }), [flat] = MODES[0].segments;
  const mode: Mode = { name: "DS with a base", protect: true, segments: [flat, flat, [0x1000, 0xcfff, true], flat] };
  const outcomes = [reference, ...Object.values(ENGINES)].map((engine) => {
    const rig = new Rig(engine), { cpu, space } = rig;
    space.writePhysical(0x8000, new Prng(1).bytes(0x1000));
    space.writePhysical(0x4000, bytes);
    setMode(cpu, mode);
    for (let n = 0; n < 8; n++) cpu.state.setReg32(n, n === 4 ? 0xa000 : n);
    cpu.set("eip", 0x4000);
    return [...Array(20).keys()].map((n) => rig.outcome(cpu.run(37 + n)));
  });
  outcomes.forEach((one, n) => assertEquals(one, outcomes[0], ["reference", ...Object.keys(ENGINES)][n]));
});
