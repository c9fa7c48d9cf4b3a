/**
 * Each switch of the engines changes something: modules that are made, functions that are called, or what the interpreter
 * remembers. That it changes no result is what the lockstep tests say.
 */
import { asm, i386, machine, ram } from "../../mod.ts";
import { interpreterWith } from "../../lib/cpu/i386/engines/interpreter/engine.ts";
import { interpreterSettings } from "../../lib/cpu/i386/engines/interpreter/options.ts";
import { jit } from "../../lib/cpu/i386/engines/jit/engine.ts";
import type { JitOptions } from "../../lib/cpu/i386/engines/jit/options.ts";
import { assemble } from "../../lib/cpu/i386/asm/assemble.ts";
import { assertEquals, assertNotEquals } from "../../scripts/deps/std.ts";
import { MODES, Rig, setMode } from "../unit/cpu/i386/rig.ts";
import { Pair } from "./lockstep.ts";
import { generate, place } from "./programs.ts";
import { SWITCHES } from "./variants.ts";

/** Hashes of the modules made so far, some of which engines keep. */
const MODULES: WeakMap<WebAssembly.Module, number> = new WeakMap();

/** What engines do in WebAssembly while a function runs. */
class Spy {
  #hash = 0;
  readonly #calls: Map<string, number> = new Map();

  /** Watches. @returns Everything seen, as text. */
  watch(run: () => void): string {
    const { Module, Instance } = WebAssembly;
    const note = (value: number): void => this.note(value);
    const counted = (name: string, value: WebAssembly.ImportValue): WebAssembly.ImportValue =>
      this.#counted(name, value);
    WebAssembly.Module = new Proxy(Module, {
      construct(target, [bytes]: [Uint8Array<ArrayBuffer>]): WebAssembly.Module {
        const made = new target(bytes);
        MODULES.set(made, bytes.reduce((hash, byte) => (Math.imul(hash, 31) + byte) | 0, 1));
        return made;
      },
    });
    WebAssembly.Instance = new Proxy(Instance, {
      construct(target, [module, imports]: [WebAssembly.Module, WebAssembly.Imports]): WebAssembly.Instance {
        note(MODULES.get(module) ?? 0);
        const env = Object.entries(imports.env ?? {}).map(([name, value]) => [name, counted(name, value)]);
        return new target(module, { env: Object.fromEntries(env) });
      },
    });
    try {
      run();
    } finally {
      WebAssembly.Module = Module;
      WebAssembly.Instance = Instance;
    }
    return JSON.stringify([this.#hash, ...[...this.#calls].sort()]);
  }

  /** Takes a number in. */
  note(value: number): void {
    this.#hash = (Math.imul(this.#hash, 31) + value) | 0;
  }

  #counted(name: string, value: WebAssembly.ImportValue): WebAssembly.ImportValue {
    // Exported functions of other instances stay what they are; tables, memories and numbers too.
    if (typeof value !== "function" || /^function \d+\(\)/.test(String(value)) || /^(run|k)\d/.test(name)) return value;
    return (...args: number[]): unknown => {
      this.#calls.set(name, (this.#calls.get(name) ?? 0) + 1);
      return value(...args);
    };
  }
}

/** Programs that have something for every switch; they never end. */
const PROGRAMS: readonly (readonly [at: number, source: string])[] = [
  [
    0x4000,
    `
    again: fld1
           fadd st0, st0
           fstp qword [0x9000]
           movaps xmm0, [0x9010]
           addps xmm0, xmm0
           pxor xmm1, xmm0
           movd eax, xmm1
           jmp again`,
  ],
  [
    0x4000,
    `
    again: mov ecx, 12
           mov ebp, 0x9000
    outer: mov edx, 5
    inner: mov eax, [ebp]
           add eax, [ebp+4]
           mov [ebp+8], eax
           test edx, 1
           jz over
           inc ebx
    over:  rol ebx, 3
           shr esi, 2
           inc esi
           dec edx
           jnz inner
           xor edx, edx
           lea edi, [ecx+3]
           mov eax, 1000
           div edi
           mov eax, ecx
           and eax, 1
           call thunk
           loop outer
           mov esi, 0x9000
           mov edi, 0x9100
           mov ecx, 30
           rep movsd
           mov eax, ebx
           and eax, 1
           jmp [table+eax*4]
    one:   add ebx, 3
           jmp again
    two:   sub ebx, 5
           jmp again
    thunk: call set
    trap:  pause
           jmp trap
    set:   mov eax, [table+8+eax*4]
           mov [esp], eax
           ret
    leaf:  add ebx, esi
           ret
    other: bt ebx, 3
           adc ebx, 1
           ret
    table: dd one, two, leaf, other`,
  ],
  [
    0x4fe0,
    `
    again: mov ecx, 9
    round: mov eax, 1
    patch: add eax, 0x1234
           mov [patch+1], ecx
           mov [beside], eax
           xor word [flip], 0xd026 ; a long NOP or two INC EAX
    flip:  db 0x66, 0x90
           add edx, eax
           dec ecx
           jnz round
           jmp again
    beside: dd 0`,
  ],
];

/** Runs everything on one engine and adds what its interpreter remembers. */
function footprint(options: JitOptions): string {
  const spy = new Spy();
  return spy.watch(() => {
    const rig = new Rig(jit({ threshold: 2, ...options }));
    const memory = new Int32Array(rig.cpu.board.memory.buffer, rig.cpu.board.workAt, 0x180000 >>> 2);
    const remembered = (): void => memory.forEach((word) => spy.note(word));
    for (const [at, source] of PROGRAMS) {
      rig.cpu.reset();
      setMode(rig.cpu, MODES[0]);
      rig.space.writePhysical(at, assemble(source, { origin: at }).bytes);
      rig.cpu.set("esp", 0x7000);
      rig.cpu.set("cr4", 0x200);
      rig.cpu.set("fcw", 0x37f);
      rig.cpu.set("eip", at);
      for (let slice = 0; slice < 20; slice++) rig.cpu.run(331);
      remembered();
    }
    for (let seed = 1; seed < 6; seed++) {
      place(rig, generate(seed));
      for (let slice = 0; slice < 10; slice++) rig.cpu.run(200);
      remembered();
    }
    global(options);
  });
}

/** Code in global pages, and a CR3 write in each round. */
function global(options: JitOptions): void {
  const m = machine({
    cpu: i386({ engine: "jit", jit: { threshold: 8, ...options } }),
    memory: [ram({ at: 0, size: 0x10000 })],
  });
  m.load(0x1000, new Uint8Array(Uint32Array.of(0x2003).buffer));
  m.load(0x2000, new Uint8Array(new Uint32Array(16).map((_, i) => i << 12 | 0x103).buffer));
  m.load(
    0x4000,
    asm`
           mov eax, cr4
           or eax, 0x80
           mov cr4, eax
           mov eax, 0x1000
           mov cr3, eax
           mov ebx, cr0
           or ebx, 0x80000000
           mov cr0, ebx
    round: mov cr3, eax
           mov edx, 0x5000
           call edx
           jmp round
    `,
  );
  m.load(0x5000, Uint8Array.of(0x41, 0xc3)); // inc ecx; ret
  m.cpu.set("eip", 0x4000);
  m.cpu.set("esp", 0x7000);
  assertEquals(m.run({ instructions: 3000 }).kind, "budget");
}

const USUAL = footprint({});

Deno.test("footprint(): the same settings do the same", () => assertEquals(footprint({}), USUAL));

for (const name of SWITCHES) {
  Deno.test(`the switch ${name} changes what the JIT engine does`, () => {
    assertNotEquals(footprint({ [name]: false }), USUAL);
  });
}

for (const name of Object.keys(interpreterSettings())) {
  Deno.test(`lockstep: the interpreter with and without ${name} agree`, () => {
    const pair = new Pair(() => interpreterWith({ [name]: false }));
    for (let seed = 20_001; seed < 20_026; seed++) {
      assertEquals(pair.difference(generate(seed)), undefined, `seed ${seed}`);
    }
  });
}
