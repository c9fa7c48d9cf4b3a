/** A small accumulator machine for tests: eight instructions, a byte each and most with an operand byte. */
import type { InstructionContext, InstructionSet } from "../../../../lib/core/instruction_set.ts";

const NAMES = ["halt", "set", "add", "store", "jump", "out", "enable", "load"] as const;

/** Opcode of each instruction. */
export const Acc = { halt: 0, set: 1, add: 2, store: 3, jump: 4, out: 5, enable: 6, load: 7 } as const;

const hasOperand = (op: number): boolean => op !== Acc.halt && op !== Acc.enable;

function execute(cpu: InstructionContext): void {
  const { r } = cpu;
  const op = cpu.fetch();
  if (op > Acc.load) cpu.fault(6);
  const n = hasOperand(op) ? cpu.fetch() : 0;
  if (op === Acc.halt) cpu.halt();
  else if (op === Acc.set) r["a"] = n;
  else if (op === Acc.add) r["a"] += n;
  else if (op === Acc.store) cpu.write(0x200 + n, r["a"], 32);
  else if (op === Acc.load) r["a"] = cpu.read(0x200 + n, 32);
  else if (op === Acc.jump) r["pc"] = n;
  else if (op === Acc.out) cpu.writePort(n, r["a"]);
  else cpu.interruptible = true;
}

/** The instruction set; with `handlers` interrupts and faults go to 16 times their vector, with the old pc in `link`. */
export function acc8(handlers: boolean): InstructionSet {
  return {
    architecture: "acc8",
    registers: ["a", "link"],
    execute,
    disassemble(next) {
      const op = next();
      if (op > Acc.load) return `db ${op}`;
      return hasOperand(op) ? `${NAMES[op]} ${next()}` : NAMES[op];
    },
    ...(handlers ? { deliver } : {}),
  };
}

function deliver(cpu: InstructionContext, vector: number): void {
  cpu.r["link"] = cpu.r["pc"];
  cpu.r["pc"] = 16 * vector;
  cpu.interruptible = false;
}
