/**
 * Undefined opcodes, for every slot of the opcode maps on every model and engine: what a model does not have raises #UD at
 * the instruction and changes nothing but the stack it is pushed on; what it has does not raise it. LOCK likewise.
 */
import type { FieldValue } from "../../../../lib/core/component.ts";
import { interpreter } from "../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../lib/cpu/i386/engines/reference.ts";
import type { EngineFactory } from "../../../../lib/cpu/i386/engine.ts";
import type { Model } from "../../../../lib/cpu/i386/model.ts";
import { MODELS } from "../../../../lib/cpu/i386/models.ts";
import { Layout } from "../../../../lib/cpu/i386/state.ts";
import { type OpRow, OPS } from "../../../../lib/spec/i386_ops.ts";
import { CpuidFeature, Decoder, DecoderOptions } from "../../../../scripts/deps/iced.ts";
import { assert, assertEquals } from "../../../../scripts/deps/std.ts";
import { Rig } from "./rig.ts";
import { allSlots, bytesOf, rowOf, type Slot, slotName } from "./slots.ts";

const HANDLERS = 0x1000, TABLES = 0x2000, STACK = 0x4000, CODE = 0x5000, DATA = 0x6000;
const UD = 6;
const ENGINES: readonly EngineFactory[] = [interpreter, reference, jit({ threshold: 1 })];
const SLOTS = allSlots();

/** Two NOPs in front, so that the JIT has something to translate. */
const BEFORE = 2;

/** A CPU with a handler for each vector, in flat 32-bit mode with everything switched on that a model has. */
class Bench {
  readonly rig: Rig;
  readonly #start: ReturnType<Rig["cpu"]["save"]>;
  readonly #memory: Uint8Array = new Uint8Array(0x10000);

  constructor(engine: EngineFactory, model: Model) {
    this.rig = new Rig(engine, model);
    const { cpu, space } = this.rig;
    const view = new DataView(this.#memory.buffer);
    view.setUint32(TABLES + 8, 0x0000ffff, true);
    view.setUint32(TABLES + 12, 0x00cf9b00, true);
    view.setUint32(TABLES + 16, 0x0000ffff, true);
    view.setUint32(TABLES + 20, 0x00cf9300, true);
    for (let v = 0; v < 32; v++) {
      view.setUint32(TABLES + 0x100 + 8 * v, 8 << 16 | (HANDLERS + 16 * v), true);
      view.setUint32(TABLES + 0x104 + 8 * v, 0x8e00, true);
    }
    this.#memory.fill(0x90, CODE, CODE + 64);
    space.writePhysical(0, this.#memory);
    cpu.start({ mode: "flat32", entry: CODE, gdt: { base: TABLES, limit: 0xff } });
    cpu.state.set(Layout.idtBase, TABLES + 0x100);
    cpu.state.set(Layout.idtLimit, 0xff);
    if (model.features.has("fxsr")) cpu.set("cr4", 0x600);
    for (const [n, name] of ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"].entries()) {
      cpu.set(name, name === "esp" ? STACK : DATA + 0x100 * n);
    }
    cpu.set("eax", 0x11);
    this.#start = cpu.save();
  }

  /** Runs one instruction, `times` times from the start state; the vector it raised, or -1. */
  run(bytes: readonly number[], times = 1): number {
    const { cpu, space } = this.rig;
    this.#memory.set(bytes, CODE + BEFORE);
    for (let turn = 0; turn < times; turn++) {
      space.writePhysical(0, turn === 0 ? this.#memory : this.#memory.subarray(STACK - 64, STACK));
      cpu.load(this.#start);
      cpu.set("eip", CODE);
      cpu.run(BEFORE + 1);
    }
    const at = cpu.pc - HANDLERS;
    return at >= 0 && at < 16 * 32 && (at & 15) === 0 ? at >>> 4 : -1;
  }

  /** The vector that one instruction raises first with control registers set; there is no handler. */
  runWith(registers: Partial<Record<"cr0" | "cr4", number>>, bytes: readonly number[]): number {
    const { cpu, space, bus } = this.rig;
    space.writePhysical(CODE, Uint8Array.from(bytes));
    cpu.load(this.#start);
    for (const name of ["cr0", "cr4"] as const) {
      cpu.state.set(Layout[name], registers[name] ?? cpu.state.get(Layout[name]));
    }
    cpu.state.set(Layout.idtLimit, 0);
    cpu.modeChanged();
    cpu.set("eip", CODE);
    bus.log.length = 0;
    cpu.run(1);
    return Number(bus.log.at(-1)?.match(/^shutdown (\d+)/)?.[1] ?? -1);
  }

  /** What differs after a fault from the state before with a frame on the stack; empty: nothing. */
  changes(): string {
    const { cpu, space } = this.rig;
    const expected = new Int32Array(this.#memory.slice().buffer), found = new Uint8Array(0x10000);
    const fields = this.#start.fields;
    const frame = [CODE + BEFORE, 8, (fields.eflags as number) | 0x10000]; // RF: the instruction is restarted
    expected.set(frame, (STACK - 12) >> 2);
    space.readPhysical(0, found);
    const words = new Int32Array(found.buffer), at = difference(words, expected);
    if (at >= 0) return `memory at 0x${(4 * at).toString(16)} was changed`;
    const regs = [...fields.regs as number[]];
    regs[4] = STACK - 12;
    const after = { ...fields, regs, eip: HANDLERS + 16 * UD, retired: (fields.retired as number) + BEFORE + 1 };
    const now: Readonly<Record<string, FieldValue>> = cpu.save().fields;
    return Object.entries(after).filter(([name, value]) => !isSame(value, now[name])).map(([name]) => name).join();
  }
}

/** Index of the first word that differs, or -1. */
function difference(a: Int32Array, b: Int32Array): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return i;
  return -1;
}

function isSame(a: FieldValue, b: FieldValue): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
  if (a instanceof Uint8Array) return b instanceof Uint8Array && a.length === b.length && a.every((v, i) => v === b[i]);
  const names = Object.keys(a), x = a as { [name: string]: FieldValue }, y = b as { [name: string]: FieldValue };
  return names.length === Object.keys(b).length && names.every((name) => isSame(x[name], y[name]));
}

/** Instructions that are there and raise #UD by what they mean. */
function raisesByMeaning(row: OpRow, slot: Slot): boolean {
  const reg = (slot.modrm >>> 3) & 7;
  switch (row.sem) {
    case "ud2": // UD0, UD1, UD2
    case "vmcall": // nobody listens
    case "movFromTr": // test registers are not emulated
    case "movToTr":
      return true;
    case "movToSreg":
      return reg === 1 || reg > 5; // CS, and segment registers that do not exist
    case "movFromSreg":
      return reg > 5;
  }
  return false;
}

/** Control registers a model has. */
function hasControl(row: OpRow, slot: Slot, model: Model): boolean {
  if (row.sem !== "movFromCr" && row.sem !== "movToCr") return true;
  const reg = (slot.modrm >>> 3) & 7;
  return reg === 0 || reg === 2 || reg === 3 || reg === 4 && model.features.has("586");
}

/** True for a slot whose instruction exists and does not raise #UD. */
function isThere(slot: Slot, model: Model): boolean {
  const row = rowOf(slot, model.features);
  return row !== undefined && !raisesByMeaning(row, slot) && hasControl(row, slot, model);
}

for (const engine of ENGINES) {
  const turns = engine.name === "jit" ? 3 : 1;
  for (const model of Object.values(MODELS)) {
    Deno.test(`${engine.name}, ${model.name}: each slot of the opcode maps is #UD if and only if no row is there`, () => {
      const bench = new Bench(engine, model);
      const wrong: string[] = [];
      let there = 0, missing = 0;
      for (const slot of SLOTS) {
        const vector = bench.run(bytesOf(slot, DATA, 0), turns), name = `${slotName(slot)} on ${model.name}`;
        if (isThere(slot, model)) {
          there++;
          if (vector === UD) wrong.push(`${name} raised #UD`);
        } else {
          missing++;
          const what = vector === UD ? bench.changes() : `vector ${vector}`;
          if (what !== "") wrong.push(`${name}: ${what}`);
        }
      }
      assertEquals(wrong, []);
      assert(there > 1000 && missing > 300, `${there} there, ${missing} missing`);
    });
  }
}

Deno.test("the slots reach every row of the opcode table", () => {
  const met = new Set<OpRow | undefined>();
  for (const model of Object.values(MODELS)) for (const slot of SLOTS) met.add(rowOf(slot, model.features));
  const left = OPS.filter((row) => !met.has(row));
  assertEquals(left.map((row) => `${row.opcode.toString(16)} ${row.mnemonic}`), []);
});

/** SDM-2A LOCK: the instructions that may be locked, with a memory destination only. */
const LOCKABLE = new Set(
  "add adc and btc btr bts cmpxchg cmpxchg8b dec inc neg not or sbb sub xor xadd xchg".split(" "),
);

/** True if LOCK is allowed in front of a slot of this row. */
function mayLock(row: OpRow, slot: Slot): boolean {
  if (!LOCKABLE.has(row.mnemonic) || slot.modrm < 0 || slot.modrm >= 0xc0) return false;
  return row.mnemonic === "xchg" || "EM".includes(row.operands[0][0]); // memory is the destination
}

for (const engine of ENGINES) {
  Deno.test(`${engine.name}: LOCK is #UD except on what may be locked, with a memory destination`, () => {
    const model = MODELS["pentium4"], bench = new Bench(engine, model), wrong: string[] = [];
    let locked = 0;
    for (const slot of SLOTS) {
      const row = rowOf(slot, model.features);
      if (row === undefined || raisesByMeaning(row, slot)) continue;
      const vector = bench.run(bytesOf(slot, DATA, 0, true), engine.name === "jit" ? 3 : 1), may = mayLock(row, slot);
      if (may) locked++;
      if (may && vector === UD) wrong.push(`lock ${slotName(slot)} (${row.mnemonic}) raised #UD`);
      const what = may ? "" : vector === UD ? bench.changes() : `vector ${vector}`;
      if (what !== "") wrong.push(`lock ${slotName(slot)} (${row.mnemonic}): ${what}`);
    }
    assertEquals(wrong, []);
    assert(locked > 60, `${locked} forms were locked`);
  });

  Deno.test(`${engine.name}: what needs protected mode is #UD in real mode, SSE without CR4.OSFXSR, MMX under CR0.EM`, () => {
    const model = MODELS["pentium4"], bench = new Bench(engine, model);
    const cases: readonly (readonly [string, Partial<Record<"cr0" | "cr4", number>>, readonly number[]])[] = [
      ["arpl", { cr0: 0x10 }, [0x63, 0xc8]],
      ["lar", { cr0: 0x10 }, [0x0f, 0x02, 0xc8]],
      ["lsl", { cr0: 0x10 }, [0x0f, 0x03, 0xc8]],
      ...[0, 1, 2, 3, 4, 5].map((n) => [`0f 00 /${n}`, { cr0: 0x10 }, [0x0f, 0x00, 0xc0 | n << 3]] as const),
      ["addps", { cr4: 0 }, [0x0f, 0x58, 0xc1]],
      ["movdqa", { cr4: 0 }, [0x66, 0x0f, 0x6f, 0xc1]],
      ["ldmxcsr", { cr4: 0 }, [0x0f, 0xae, 0x15, 0, 0x60, 0, 0]],
      ["addps", { cr0: 0x15 }, [0x0f, 0x58, 0xc1]],
      ["paddb", { cr0: 0x15 }, [0x0f, 0xfc, 0xc1]],
      ["emms", { cr0: 0x15 }, [0x0f, 0x77]],
    ];
    for (const [name, registers, bytes] of cases) assertEquals(bench.runWith(registers, bytes), UD, name);
  });
}

/** The feature by the name iced-x86 gives it; what is not named here belongs to the 386 or its coprocessor. */
const FEATURE_OF: Readonly<Record<string, string>> = {
  MOV_TR: "tr",
  INTEL486: "486",
  CPUID: "cpuid",
  TSC: "tsc",
  MSR: "msr",
  CX8: "cx8",
  SEP: "sep",
  CMOV: "cmov",
  MMX: "mmx",
  FXSR: "fxsr",
  SSE: "sse",
  SSE2: "sse2",
  CLFSH: "clflush",
  RDPMC: "mmx", // since the Pentium with MMX
  VMX: "vmx",
  SVM: "vmx",
  SEV_ES: "vmx",
};

Deno.test("the feature of each row is the one iced-x86 names", () => {
  const features = new Set(Object.values(MODELS).flatMap((model) => [...model.features])), wrong = new Set<string>();
  const options = DecoderOptions.MovTr | DecoderOptions.NoWbnoinvd;
  for (const slot of SLOTS) {
    const row = rowOf(slot, features);
    if (row === undefined) continue;
    const decoder = new Decoder(32, Uint8Array.from(bytesOf(slot, DATA, 0)), options);
    const one = decoder.decode(), names = [...one.cpuidFeatures()].map((f) => CpuidFeature[f]);
    const expected = names.map((name) => FEATURE_OF[name]).filter((f) => f !== undefined).at(-1) ??
      (names.some((name) => name.startsWith("FPU")) ? "x87" : "386");
    const isHint = row.sem === "nop" && row.opcode !== 0x90; // came with the P6, used by SSE and later
    const isLate = row.mnemonic === "paddq"; // the MMX form came with SSE2 (SDM-2B PADDQ)
    if (!one.isInvalid && !isHint && !isLate && expected !== row.feature) {
      wrong.add(`${row.mnemonic}: ${row.feature}, iced ${names.join("+")}`);
    }
    one.free();
    decoder.free();
  }
  assertEquals([...wrong], []);
});
