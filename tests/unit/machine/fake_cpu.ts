/**
 * A processor of its own architecture in tens of lines: proof that a machine asks nothing of a CPU but the contract.
 * One-byte instructions with an optional operand byte; registers `a` and `pc`; memory and ports as on any board.
 */
import type { Section } from "../../../lib/core/component.ts";
import type { Cpu, CpuExit, CpuStart, RegisterValue } from "../../../lib/core/cpu.ts";
import { ConfigError } from "../../../lib/core/errors.ts";
import type { CpuBoard, CpuFactory } from "../../../lib/memory/board.ts";

/** Instructions of the fake CPU; those after `jmp` have no operand. */
export const Fake = { set: 1, add: 2, out: 3, in: 4, sta: 5, jmp: 6, hlt: 7, ei: 8, die: 9, call: 10, nop: 0 } as const;

/** Makes fake CPUs. */
export function fakeCpu(): CpuFactory {
  return { architecture: "fake", workBytes: 0x10000, create: (name, board) => new FakeCpu(name, board) };
}

class FakeCpu implements Cpu {
  readonly architecture = "fake";
  readonly engine = "reference";
  readonly registerNames: readonly string[] = ["a", "pc"];
  instructions = 0;
  readonly name: string;
  readonly #board: CpuBoard;
  #a = 0;
  #pc = 0;
  #enabled = false;
  #halted = false;
  #done = 0;
  #limit = 0;

  constructor(name: string, board: CpuBoard) {
    this.name = name;
    this.#board = board;
  }

  get pc(): number {
    return this.#pc;
  }
  get pcLinear(): number {
    return this.#pc;
  }
  get wakeable(): boolean {
    return this.#enabled;
  }

  get idle(): boolean {
    return this.#halted && !(this.#enabled && this.#board.interrupts?.pending === true);
  }

  run(limit: number): CpuExit {
    const { hooks, interrupts } = this.#board;
    this.#done = 0;
    this.#limit = limit;
    while (this.#done < this.#limit) {
      if (this.#enabled && interrupts?.pending === true) {
        const vector = interrupts.acknowledge();
        if (hooks.hasInterrupt) hooks.fireInterrupt(vector, "external");
        this.#enabled = this.#halted = false;
        this.#pc = vector * 16;
      }
      if (this.#halted) return "halted";
      if (hooks.hasCode(this.#pc) && hooks.fireCode(this.#pc)) return "attention";
      if (!this.#execute()) return "shutdown";
      this.#done++;
      this.instructions++;
    }
    return this.#done < limit ? "attention" : "count";
  }

  #execute(): boolean {
    const { space, bus, hooks } = this.#board;
    const op = space.read(this.#pc, 8);
    const operand = op >= 1 && op <= 6 ? space.read(this.#pc + 1, 8) : 0;
    let next = this.#pc + (op >= 1 && op <= 6 ? 2 : 1);
    if (op === Fake.set) this.#a = operand;
    else if (op === Fake.add) this.#a = (this.#a + operand) >>> 0;
    else if (op === Fake.out) bus.writePort(operand, this.#a, 8);
    else if (op === Fake.in) this.#a = bus.readPort(operand, 8);
    else if (op === Fake.sta) {
      if (hooks.watchesPage(0)) hooks.fireMemory("write", operand, 1, this.#a);
      space.write(operand, this.#a, 8);
    } else if (op === Fake.jmp) next = operand;
    else if (op === Fake.hlt) this.#halted = true;
    else if (op === Fake.ei) this.#enabled = true;
    else if (op === Fake.call) bus.hypercall?.();
    else if (op !== Fake.nop) {
      bus.shutdown(6, -1, 0);
      return false;
    }
    this.#pc = next;
    return true;
  }

  elapsed(): number {
    return this.#done;
  }
  shorten(ticks: number): void {
    this.#limit = Math.min(this.#limit, ticks);
  }
  interruptSlice(): void {
    this.#limit = 0;
  }
  nmi(): void {}
  start(how: CpuStart): void {
    this.#pc = how.entry;
  }
  reset(): void {
    this.#a = this.#pc = this.instructions = 0;
    this.#enabled = this.#halted = false;
  }
  get(name: string): RegisterValue {
    if (name === "a") return this.#a;
    if (name === "pc") return this.#pc;
    throw new ConfigError("register-name", `Register "${name}" is not known`);
  }
  set(name: string, value: RegisterValue): void {
    if (name === "a") this.#a = Number(value);
    else this.#pc = Number(value);
  }
  translate(linear: number): number {
    return linear;
  }
  disassemble(linear: number, count: number): string[] {
    return Array.from({ length: count }, (_, i) => `op ${this.#board.space.read(linear + i, 8)}`);
  }
  save(): Section {
    const [a, pc, enabled, halted, instructions] = [this.#a, this.#pc, this.#enabled, this.#halted, this.instructions];
    return { version: 1, fields: { a, pc, enabled, halted, instructions } };
  }
  load(section: Section): void {
    const f = section.fields as { a: number; pc: number; enabled: boolean; halted: boolean; instructions: number };
    [this.#a, this.#pc, this.#enabled, this.#halted, this.instructions] = [
      f.a,
      f.pc,
      f.enabled,
      f.halted,
      f.instructions,
    ];
  }
}
