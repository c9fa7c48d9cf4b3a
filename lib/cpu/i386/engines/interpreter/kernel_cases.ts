/**
 * Cases of the interpreter that run kernels: with a register or a memory operand, with or without a record of the last
 * x87 instruction. Whatever a kernel or the TLB refuses goes to the TypeScript function that the same record names.
 * Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { ARITH_MASK, FlagsKind } from "../../flags.ts";
import { SegReg } from "../../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../../state.ts";
import { reload, saveContext } from "./context_code.ts";
import type { Locals } from "./emit.ts";
import { emitOffset } from "./memory_code.ts";
import { Rec } from "./record.ts";

/** How the cases call kernels, and where they lead. */
export interface KernelLinks {
  /** Type of a kernel. */
  readonly type: number;
  /** Number of the table of kernels. */
  readonly table: number;
  /** Label of the case that calls TypeScript. */
  readonly slow: number;
  /** Goes on with the following record. */
  readonly next: () => void;
}

/** A kernel without memory operand; `notes`: it is an x87 instruction that is remembered. */
export function emitKernel(f: FunctionBody, l: Locals, state: number, links: KernelLinks, notes: boolean): void {
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.reg);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.second);
  call(f, l, links);
  if (notes) note(f, l, state, false);
  links.next();
}

/** A kernel with a memory operand. */
export function emitKernelMemory(f: FunctionBody, l: Locals, state: number, links: KernelLinks, notes: boolean): void {
  emitOffset(f, l.rec);
  f.set(l.la);
  // Host address by the TLB table that the record names: one page, allowed, aligned.
  f.get(l.la);
  f.i32(12);
  f.num("i32.shr_u");
  f.i32(2);
  f.num("i32.shl");
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.rm);
  f.mem("i32.load", 0);
  f.num("i32.add");
  f.mem("i32.load", 0);
  f.get(l.la);
  f.num("i32.xor");
  f.tee(l.t);
  f.i32(0x80000fff | 0);
  f.num("i32.and");
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.second);
  f.num("i32.gt_u");
  if (!notes) {
    f.get(l.t);
    f.get(l.rec);
    f.mem("i32.load16_u", Rec.aux);
    f.num("i32.and");
    f.num("i32.or");
  }
  f.brIf(links.slow, "unlikely");
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.reg);
  f.get(l.t);
  call(f, l, links);
  if (notes) note(f, l, state, true);
  links.next();
}

/** A system kernel: everything is in the state block before and after it. `look` looks up the EIP there. */
export function emitSystem(f: FunctionBody, l: Locals, state: number, links: KernelLinks, look: () => void): void {
  saveContext(f, l, state);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.reg);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.second);
  emitOffset(f, l.rec);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.kernel);
  f.callIndirect(links.type, links.table);
  f.tee(l.t);
  f.i32(0);
  f.num("i32.lt_s");
  f.brIf(links.slow, "unlikely");
  reload(f, l, state);
  f.get(l.t);
  f.if();
  look();
  f.end();
  links.next();
}

/** Calls the record's kernel: the first two parameters are on the stack. Takes flags that it answers. */
function call(f: FunctionBody, l: Locals, links: KernelLinks): void {
  f.get(l.rec);
  f.mem("i32.load8_u", Rec.immediate);
  f.get(l.rec);
  f.mem("i32.load16_u", Rec.kernel);
  f.callIndirect(links.type, links.table);
  f.tee(l.t);
  f.if("unlikely");
  f.get(l.t);
  f.i32(0);
  f.num("i32.lt_s");
  f.brIf(links.slow);
  f.i32(FlagsKind.word);
  f.set(l.kind);
  f.get(l.t);
  f.i32(ARITH_MASK);
  f.num("i32.and");
  f.set(l.a);
  f.i32(0);
  f.set(l.b);
  f.i32(0);
  f.set(l.c);
  f.end();
}

/** Last x87 instruction: opcode, pointer and selector, and those of a memory operand. */
function note(f: FunctionBody, l: Locals, state: number, memory: boolean): void {
  const put = (at: number, value: () => void): void => {
    f.i32(0);
    value();
    f.mem("i32.store", state + at);
  };
  put(Layout.fop, () => {
    f.get(l.rec);
    f.mem("i32.load16_u", Rec.aux);
  });
  put(Layout.fip, () => {
    f.get(l.rec);
    f.mem("i32.load", Rec.offset);
    f.i32(0);
    f.mem("i32.load", state + Layout.codeBase);
    f.num("i32.add");
  });
  put(Layout.fcs, () => {
    f.i32(0);
    f.mem("i32.load16_u", state + Layout.segs + SegReg.cs * SEG_BYTES + Seg.selector);
  });
  if (!memory) return;
  const segment = (name: "i32.load" | "i32.load16_u", field: number): void => {
    f.get(l.rec);
    f.mem("i32.load8_u", Rec.segment);
    f.i32(5);
    f.num("i32.shl");
    f.mem(name, state + Layout.segs + field);
  };
  put(Layout.fdp, () => {
    f.get(l.la);
    segment("i32.load", Seg.base);
    f.num("i32.sub");
  });
  put(Layout.fds, () => segment("i32.load16_u", Seg.selector));
}
