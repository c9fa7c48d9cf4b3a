/**
 * Emits the ways from a region to others: calls and jumps, by the record of a known target, else through the link
 * function that asks the jump cache. Everything is in the state block by then. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { Layout } from "../../state.ts";
import { Handler, Rec } from "../interpreter/record.ts";

/** A region's parameter is a block number in the low bits and the depth of calls in units of this. */
export const DEPTH: number = 1 << 12;

/** Takes a region's parameter apart. */
export function emitParameter(f: FunctionBody, parameter: number, depth: number): void {
  for (const [mask, to] of [[-DEPTH, depth], [DEPTH - 1, parameter]]) {
    f.get(parameter);
    f.i32(mask);
    f.num("i32.and");
    f.set(to);
  }
}

/** What exits need of the module. */
export interface ExitSite {
  /** Address of the state block. */
  readonly state: number;
  /** Function (eip, depth) -> as a region: goes on at EIP with everything in the state block. */
  readonly link: number;
  /** The record at which code at an offset of the first page is entered, or 0. */
  record(offset: number): number;
  /** Type of regions. */
  readonly type: number;
  /** Number of this region's function. */
  readonly self: number;
}

/** Results of a region; see `REGION` of the interpreter. */
export const Result = { interpret: 1, fault: 2, unwind: 4 } as const;

/** Leaves all callers behind a TypeScript instruction whose result is in a local: mappings, mode or code may be others now. */
export function emitUnwind(f: FunctionBody, result: number): void {
  f.i32(Result.fault);
  f.i32(Result.unwind);
  f.get(result);
  f.i32(Result.fault);
  f.num("i32.eq");
  f.select();
  f.return();
}

/** The offset where a region is left has so many bits; above them is how many instructions of the block were not done. */
export const LEFT_SHIFT = 14;

/** Offset of the page in a local -> EIP in it. */
export function emitEip(f: FunctionBody, base: number, eip: number): void {
  f.get(base);
  f.get(eip);
  f.num("i32.add");
  f.set(eip);
}

/** Where a region is left: takes `eip` apart into EIP and the instructions that go back to the count. */
export function emitLeft(f: FunctionBody, { base, count, eip }: { base: number; count: number; eip: number }): void {
  f.get(count);
  f.get(eip);
  f.i32(LEFT_SHIFT);
  f.num("i32.shr_u");
  f.num("i32.add");
  f.set(count);
  f.get(base);
  f.get(eip);
  f.i32((1 << LEFT_SHIFT) - 1);
  f.num("i32.and");
  f.num("i32.add");
  f.set(eip);
}

/** Locals of a region that exits use. */
export interface ExitLocals {
  /** EIP of the page's first byte. */
  readonly base: number;
  /** Depth of calls. */
  readonly depth: number;
  /** Where to go on. */
  readonly eip: number;
}

/** Exits of one region. */
export class ExitCode {
  readonly #f: FunctionBody;
  readonly #site: ExitSite;
  readonly #locals: ExitLocals;
  readonly #entry: number;

  /** @param f The function. @param site The module. @param locals Locals. @param entry Offset of the region's entry; -1: no links. */
  constructor(f: FunctionBody, site: ExitSite, locals: ExitLocals, entry: number) {
    this.#f = f;
    this.#site = site;
    this.#locals = locals;
    this.#entry = entry;
  }

  /** Leaves for the EIP in its local, which is offset `target` of the page if that is known, or -1. */
  go(target: number): void {
    const f = this.#f, record = this.#record(target);
    if (record > 0) {
      this.#ifRegion(record, () => {
        this.#parameters(record, 0);
        f.returnCallIndirect(this.#site.type);
      });
      f.end();
    }
    f.get(this.#locals.eip);
    f.get(this.#locals.depth);
    f.returnCall(this.#site.link);
  }

  /** The page of a target is this one. */
  #page(): void {
    this.#f.i32(0);
    this.#f.get(this.#locals.base);
    this.#f.mem("i32.store", this.#site.state + Layout.codeBase);
  }

  /** The record of a target in the first page that may be entered without a look-up, or 0. */
  #record(target: number): number {
    return this.#entry >= 0 && target >= 0 && target < 0x1000 ? this.#site.record(target) : 0;
  }

  /** if the record is that of a region; `end` is to follow. */
  #ifRegion(record: number, then: () => void): void {
    const f = this.#f;
    f.i32(record);
    f.mem("i32.load16_u", Rec.handler);
    f.i32(Handler.region);
    f.num("i32.eq");
    f.if("likely");
    this.#page();
    then();
  }

  /** Parameter and slot of the region of a record. */
  #parameters(record: number, deeper: number): void {
    const f = this.#f;
    f.i32(record);
    f.mem("i32.load", Rec.imm);
    f.get(this.#locals.depth);
    f.i32(deeper);
    f.num("i32.add");
    f.num("i32.or");
    f.i32(record);
    f.mem("i32.load", Rec.op);
  }

  /** Calls the region at `exitEip`; its answer goes to local `t`. */
  call(target: number, t: number): void {
    const f = this.#f;
    const record = this.#record(target);
    if (this.#entry >= 0 && target === this.#entry) {
      this.#page();
      f.get(this.#locals.depth);
      f.i32(DEPTH);
      f.num("i32.add");
      f.call(this.#site.self);
      f.set(t);
      return;
    }
    if (record > 0) {
      this.#ifRegion(record, () => {
        this.#parameters(record, DEPTH);
        f.callIndirect(this.#site.type);
        f.set(t);
      });
      f.else();
    }
    f.get(this.#locals.eip);
    f.get(this.#locals.depth);
    f.i32(DEPTH);
    f.num("i32.add");
    f.call(this.#site.link);
    f.set(t);
    if (record > 0) f.end();
  }
}
