/**
 * Emits x87 instructions in place: what is not known about their operands is checked, memory is found by the TLB, the
 * result goes to locals. Where a check fails nothing has been changed yet, and the region is left in front of the
 * instruction. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { InternalError } from "../../../../core/errors.ts";
import { Reg } from "../../../../spec/i386_regs.ts";
import { FlagsKind } from "../../flags.ts";
import { Code, type Local, type Value } from "../../kernels/code.ts";
import type { MemoryOperand } from "../../kernels/kernel.ts";
import type { Order } from "../../kernels/x87_compare.ts";
import { parted } from "../../kernels/x87_parts.ts";
import { emitProbe } from "../interpreter/memory_code.ts";
import type { FlagEmitter } from "./flag_code.ts";
import type { FlagsStmt } from "./flag_state.ts";
import { emitGroup } from "./group_code.ts";
import type { Instruction } from "./instruction.ts";
import type { RegisterEmitter } from "./registers.ts";
import { checkPlain } from "./x87_numbers.ts";
import type { X87Locals } from "./x87_code.ts";
import type { X87Site } from "./x87_ops.ts";
import { FRESH, Guard, slotMask, slotOf, stateAfter, type X87Effect } from "./x87_state.ts";

/** What the code needs from the region. */
export interface X87Outside {
  /** Address of the state block. */
  readonly state: number;
  /** Accesses look at the TLB where they are. */
  readonly probes: boolean;
  /** Byte address of the TLB table for reads. */
  readonly readTable: number;
  /** Byte address of the TLB table for writes. */
  readonly writeTable: number;
  /** Functions (linear, size) -> host address or -1, for reads and writes. */
  readonly slow: { readonly read: number; readonly write: number };
}

/** How a comparison records arithmetic flags; the value is put on the stack by hand. */
export const X87_FLAGS: FlagsStmt = {
  s: "flags",
  kind: FlagsKind.word,
  w: 32,
  a: { k: "flagsWord" },
  b: null,
  c: null,
};

/** Emits x87 instructions into one region. */
export class X87Emitter {
  readonly #f: FunctionBody;
  readonly #out: X87Outside;
  readonly #x: X87Locals;
  readonly #registers: RegisterEmitter;
  readonly #flags: FlagEmitter;
  readonly #la: number;
  readonly #t: number;

  /** @param f The function. @param out Addresses. @param x The stack. @param registers Registers. @param flags Flags. */
  constructor(f: FunctionBody, out: X87Outside, x: X87Locals, registers: RegisterEmitter, flags: FlagEmitter) {
    this.#f = f;
    this.#out = out;
    this.#x = x;
    this.#registers = registers;
    this.#flags = flags;
    this.#la = f.local("i32");
    this.#t = f.local("i32");
  }

  /** Emits an instruction; `leave` emits the way out in front of it. */
  emit(i: Instruction, leave: () => void): void {
    const f = this.#f, x = this.#x, { x87: op, kernel } = i;
    if (op === undefined || kernel === undefined) throw new InternalError("An instruction is not done in place");
    const effect = op.effect(i.rm);
    if (!x.state.live) {
      x.begin();
      x.state = FRESH;
    }
    const flags = this.#flags.state, done = f.block(), slow = f.block();
    const nowhere: Value = () => f.unreachable();
    const k = new Code(f, this.#out.state, { reg: nowhere, src: () => f.get(this.#t), imm: nowhere, slow });
    this.#check(k, effect);
    const memory = i.operand;
    if (memory !== undefined) this.#probe(i, memory, slow);
    for (const n of effect.plain) {
      if ((x.state.plain >>> slotOf(x.state, n) & 1) === 0) checkPlain(k, x.st(n));
    }
    op.emit(this.#site(k), i.rm);
    this.#move(k, effect);
    if (op.notes) {
      if (memory !== undefined) k.set(x.operand, () => f.get(this.#la));
      x.note(i.offset, kernel.fop, memory === undefined ? -1 : i.seg);
    }
    k.release();
    f.br(done);
    f.end(); // slow
    const behind = this.#flags.state;
    this.#flags.state = flags;
    leave();
    this.#flags.state = behind;
    f.end(); // done
    x.state = stateAfter(x.state, effect);
  }

  #check(k: Code, effect: X87Effect): void {
    const x = this.#x;
    const checks = [x.bad(effect.guard), x.someEmpty(slotMask(x.state, effect.full))];
    if (effect.push) checks.push(x.isFull(slotOf(x.state, -1)));
    for (const check of checks) if (check !== undefined) k.slowIf(check);
  }

  #move(k: Code, effect: X87Effect): void {
    const x = this.#x;
    const moves = effect.moves.filter(([to, from]) => to !== from);
    if (moves.length === 0) return;
    const copies = moves.map(([, from]) => {
      const n = x.st(from);
      return parted(k, k.let("i64", n.m), k.let("i32", n.exp), k.let("i32", n.sign));
    });
    moves.forEach(([to], n) => this.#put(k, to, copies[n].m, copies[n].exp, copies[n].sign));
  }

  #put(k: Code, n: number, m: Value, exp: Value, sign: Value): void {
    const to = this.#x.st(n);
    k.set(to.m, m);
    k.set(to.exp, exp);
    k.set(to.sign, sign);
  }

  /** Host address of the operand in `t`, its linear address in `la`. */
  #probe(i: Instruction, { size, write }: MemoryOperand, slow: number): void {
    const f = this.#f, { probes, readTable, writeTable } = this.#out, [access] = i.accesses;
    if (access === undefined || access.group.count < 2) {
      this.#address(i);
      if (!probes) {
        f.set(this.#la);
        return this.#ask(size, write, slow);
      }
      emitProbe(f, 8, this.#la, this.#t, write ? writeTable : readTable);
      f.drop();
      f.get(this.#t);
      f.i32(0x80000fff | 0);
      f.num("i32.and");
      f.i32(0x1000 - size);
      f.num("i32.gt_u");
      f.if("unlikely");
      this.#ask(size, write, slow);
      f.end();
      return;
    }
    const { group, offset } = access, distance = offset - group.start;
    const site = { readTable, writeTable, la: this.#la, t: this.#t };
    if (group.local < 0) emitGroup(f, group, distance, site, () => this.#address(i));
    this.#address(i);
    f.set(this.#la);
    f.get(group.local);
    f.i32(distance);
    f.num("i32.add");
    f.set(this.#t);
    f.get(group.local);
    f.i32(0);
    f.num("i32.lt_s");
    f.if("unlikely"); // the group has no translation: this access alone
    this.#ask(size, write, slow);
    f.end();
    if (--group.left === 0) f.release("i32", group.local);
  }

  /** Linear address of the operand on the stack. */
  #address(i: Instruction): void {
    const f = this.#f;
    f.i32(i.disp);
    if (i.base >= 0) {
      this.#registers.get(i.base, 32);
      f.num("i32.add");
    }
    if (i.index >= 0) {
      this.#registers.get(i.index, 32);
      f.i32(i.scale);
      f.num("i32.shl");
      f.num("i32.add");
    }
  }

  /** Asks for the host address at `la`. */
  #ask(size: number, write: boolean, slow: number): void {
    const f = this.#f;
    f.get(this.#la);
    f.i32(size);
    f.call(write ? this.#out.slow.write : this.#out.slow.read);
    f.tee(this.#t);
    f.i32(0);
    f.num("i32.lt_s");
    f.brIf(slow, "unlikely");
  }

  #site(k: Code): X87Site {
    const x = this.#x;
    return {
      k,
      st: (n) => x.st(n),
      put: (n, m, exp, sign) => this.#put(k, n, m, exp, sign),
      rounded: (ext, up) => {
        k.set(x.lost, k.l("or", x.lost, ext));
        k.set(x.c1, up);
      },
      flags: (bits) => {
        k.set(x.lost, k.l("or", x.lost, k.l("extend_i32_u", k.i("and", bits, 0x20))));
        k.set(x.c1, k.i("shr_u", bits, 9));
      },
      exact: () => k.set(x.c1, 0),
      conditions: (bits, c1) => {
        k.set(x.conditions, bits);
        k.set(x.c1, c1);
      },
      arithmeticFlags: (order) => this.#setFlags(k, order),
      condition: (cc) => this.#flags.condition(cc),
      rounding: x.state.guard >= Guard.nearest ? undefined : x.fcw,
      control: x.fcw,
      status: () => x.statusAndTop(),
      setControl: (value) => x.setControl(value),
      clear: () => x.clear(),
      setAx: (value) => this.#registers.set(Reg.eax, 16, () => value()),
    };
  }

  #setFlags(k: Code, order: Order): void {
    const value: Local = k.let("i32", k.i("or", order.less, k.i("shl", order.equal, 6)));
    this.#flags.record(X87_FLAGS, () => value());
  }
}
