/**
 * Runs: many iterations of a repeated string instruction at once, for all engines that are WebAssembly. One function per
 * operation, element size and condition, in a module of its own.
 *
 * A run does iterations that are sure to be followed by another one of the same kind: all elements, the following one
 * included, lie on the page that the index points to, in plain memory that the TLB allows at once, inside the segment
 * and before the offset wraps; the ticks suffice; for CMPS and SCAS the elements say "go on". So the last iteration is
 * always left to the engine, which ends the instruction or goes on to the next page, records flags, and meets
 * everything unusual: MMIO, faults, watched pages, pages with code, dirty bits. Nothing can be seen of a run.
 * MOVS over code of this CPU goes on as long as it changes nothing: the same code copied again is none that was written.
 * MOVS to a place shortly behind its source repeats the bytes in between, as the processor does element by element.
 * Sources: SDM-2 REP, MOVS, CMPS, STOS, LODS, SCAS. Cold code that makes hot code.
 */
import { FunctionBody } from "../../../wasm/body.ts";
import { ModuleBuilder, type Signature } from "../../../wasm/module.ts";
import type { SimdName } from "../../../wasm/simd.ts";
import { Flag } from "../../../spec/i386_regs.ts";
import { Rights, SegReg } from "../segment.ts";
import { Layout, Seg, SEG_BYTES } from "../state.ts";
import type { AccessWidth, StringOp } from "../tree.ts";
import { Code, type Local, type Value } from "./code.ts";

/** What a run does. */
export interface Run {
  /** The instruction. */
  readonly op: StringOp;
  /** Bits of an element. */
  readonly w: AccessWidth;
  /** When iterations go on; see the statement `bulk` of trees. */
  readonly more: "eq" | "ne" | "always";
}

/**
 * (source offset, address of its segment cache, destination offset in ES, count left, ticks left besides the one used,
 * accumulator, mask of offsets) -> iterations done. Registers are the caller's to change.
 */
export const RUN_SIGNATURE: Signature = { params: ["i32", "i32", "i32", "i32", "i32", "i32", "i32"], results: ["i32"] };

const WIDTHS = [8, 16, 32] as const;

/** All runs; the index is the number of the import. */
export const RUNS: readonly Run[] = [
  ...(["movs", "stos", "lods"] as const).flatMap((op) => WIDTHS.map((w): Run => ({ op, w, more: "always" }))),
  ...(["cmps", "scas"] as const).flatMap((op) =>
    (["eq", "ne"] as const).flatMap((more) => WIDTHS.map((w): Run => ({ op, w, more })))
  ),
];

/** Number of a run. */
export function runNumber(run: Run): number {
  return RUNS.findIndex((r) => r.op === run.op && r.w === run.w && r.more === run.more);
}

const compiled: Map<string, WebAssembly.Module> = new Map();

/** The functions of one CPU, each made when it is first needed. */
export class StringRuns {
  readonly #functions: WebAssembly.ExportValue[] = [];
  readonly #memory: WebAssembly.Memory;
  readonly #state: number;

  /** @param memory The machine's memory. @param state Byte address of the CPU's state block. */
  constructor(memory: WebAssembly.Memory, state: number) {
    this.#memory = memory;
    this.#state = state;
  }

  /** Run `n`. */
  get(n: number): WebAssembly.ExportValue {
    return this.#functions[n] ??= this.#make(n);
  }

  #make(n: number): WebAssembly.ExportValue {
    const pages = this.#memory.buffer.byteLength >>> 16, key = `${n}:${pages}:${this.#state}`;
    let module = compiled.get(key);
    if (module === undefined) {
      const m = new ModuleBuilder();
      m.importMemory("env", "memory", pages);
      m.addFunction(RUN_SIGNATURE, new RunEmitter(RUNS[n], this.#state).emit(), "run");
      compiled.set(key, module = new WebAssembly.Module(m.bytes()));
    }
    return new WebAssembly.Instance(module, { env: { memory: this.#memory } }).exports.run;
  }
}

/** Emits one run. */
class RunEmitter {
  readonly #f: FunctionBody = new FunctionBody(RUN_SIGNATURE.params.length);
  readonly #k: Code;
  readonly #run: Run;
  readonly #size: number;
  readonly #shift: number;
  readonly #down: Local;
  readonly #total: Local;
  /** The destination is a page with code of this CPU. */
  readonly #isCode: Local;

  constructor(run: Run, state: number) {
    this.#run = run;
    this.#size = run.w >>> 3;
    this.#shift = Math.log2(this.#size);
    const none: Value = () => this.#f.i32(0);
    const k = this.#k = new Code(this.#f, state, { reg: none, src: none, imm: none, slow: this.#f.block() });
    this.#down = k.let("i32", k.i("and", k.field(Layout.eflags), Flag.df));
    this.#isCode = k.let("i32", k.c(0));
    const [left, ticks] = [this.#parameter(3), k.i("add", this.#parameter(4), 1)];
    this.#total = k.let("i32", k.select(k.i("lt_u", left, ticks), left, ticks));
  }

  #parameter(n: number): Value {
    return () => this.#f.get(n);
  }

  /** The function. */
  emit(): FunctionBody {
    const { op } = this.#run, k = this.#k, f = this.#f;
    const from = op === "movs" || op === "cmps" || op === "lods"
      ? this.#place(0, this.#parameter(1), false)
      : undefined;
    const es = k.c(k.at(Layout.segs + SegReg.es * SEG_BYTES));
    const to = op === "lods" ? undefined : this.#place(2, es, op === "movs" || op === "stos");
    k.slowIf(k.i("lt_u", this.#total, 2));
    const n = k.let("i32", k.i("sub", this.#total, 1));
    if (from !== undefined && to !== undefined) {
      if (op === "movs") this.#move(from, to, n);
      else this.#scan(n, from, to);
    } else if (to !== undefined) {
      if (op === "stos") this.#fill(to, n);
      else this.#scan(n, undefined, to);
    }
    n();
    f.return();
    f.end();
    f.i32(0);
    return f;
  }

  /** Lowers `total` to the elements there are before something ends: page, segment, offsets. @returns Host address. */
  #place(offset: number, segment: Value, write: boolean): Local {
    const k = this.#k, size = this.#size, at = this.#parameter(offset), mask = this.#parameter(6);
    const rights = Rights.usable | (write ? Rights.write : Rights.read);
    k.slowIf(k.i("ne", k.i("and", k.load("i32.load", segment, Seg.rights), rights), rights));
    const lo = k.let("i32", k.load("i32.load", segment, Seg.lo)),
      hi = k.let("i32", k.load("i32.load", segment, Seg.hi));
    k.set(hi, k.select(k.i("lt_u", hi, mask), hi, mask));
    k.if(
      k.i("or", lo, k.i("xor", hi, -1)),
      () => {
        k.slowIf(k.i("or", k.i("lt_u", at, lo), k.i("gt_u", at, hi)));
        k.slowIf(k.i("lt_u", k.i("sub", hi, at), size - 1));
        this.#atMost(k.i("sub", at, lo), k.i("add", k.i("sub", hi, at), 1));
      },
      undefined,
      "unlikely",
    );
    const la = k.let("i32", k.i("add", at, k.load("i32.load", segment, Seg.base)));
    if (size > 1) {
      const checked = k.i("and", k.i("and", k.field(Layout.cr0), k.field(Layout.eflags)), Flag.ac);
      k.if(k.i("and", la, size - 1), () => k.slowIf(checked), undefined, "unlikely");
    }
    const inPage = k.let("i32", k.i("and", la, 0xfff));
    k.slowIf(k.i("gt_u", inPage, 0x1000 - size));
    this.#atMost(inPage, k.i("sub", k.c(0x1000), inPage));
    const table = k.field(write ? Layout.tlbWrite : Layout.tlbRead);
    const entry = k.load("i32.load", k.i("add", table, k.i("shl", k.i("shr_u", la, 12), 2)));
    const host = k.let("i32", k.i("xor", entry, la));
    if (!write || this.#run.op !== "movs") k.slowIf(k.i("lt_s", host, 0));
    else {
      k.set(this.#isCode, k.i("lt_s", host, 0));
      k.if(
        this.#isCode,
        () => { // see tlb.ts: an entry that says nothing, or one of a page with code
          k.slowIf(k.i("eqz", k.i("shl", k.i("xor", host, la), 1)));
          k.set(host, k.i("and", host, 0x7fffffff));
        },
        undefined,
        "unlikely",
      );
    }
    return host;
  }

  /** `total` is at most what bytes below (besides the element itself) or from the element on allow. */
  #atMost(below: Value, above: Value): void {
    const k = this.#k;
    const room = k.let(
      "i32",
      k.select(this.#down, k.i("add", k.i("shr_u", below, this.#shift), 1), k.i("shr_u", above, this.#shift)),
    );
    k.set(this.#total, k.select(k.i("lt_u", room, this.#total), room, this.#total));
  }

  #load(address: Value): Value {
    const { w } = this.#run;
    return this.#k.load(w === 8 ? "i32.load8_u" : w === 16 ? "i32.load16_u" : "i32.load", address);
  }

  #store(address: Value, value: Value): void {
    const { w } = this.#run;
    this.#k.store(w === 8 ? "i32.store8" : w === 16 ? "i32.store16" : "i32.store", address, value);
  }

  #bytes(n: Value): Value {
    return this.#k.i("shl", n, this.#shift);
  }

  /** Going down: makes an address that of the lowest of `n` elements. */
  #lowest(host: Local, n: Value): void {
    this.#k.set(host, this.#k.i("sub", host, this.#bytes(this.#k.i("sub", n, 1))));
  }

  /** Advances a place by an element, in the direction of the run. */
  #step(host: Local, delta: Value): void {
    this.#k.set(host, this.#k.i("add", host, delta));
  }

  #delta(): Local {
    const k = this.#k;
    return k.let("i32", k.select(this.#down, k.c(-this.#size), k.c(this.#size)));
  }

  /** MOVS; onto code only what is there already. */
  #move(from: Local, to: Local, n: Local): void {
    const k = this.#k;
    k.if(
      this.#isCode,
      () => {
        this.#scan(n, from, to);
        n();
        this.#f.return();
      },
      undefined,
      "unlikely",
    );
    this.#copy(from, to, n);
  }

  /** MOVS. What overlaps in the direction of the run is done by element, or repeats itself. */
  #copy(from: Local, to: Local, n: Local): void {
    const k = this.#k, bytes = k.let("i32", this.#bytes(n));
    const ahead = k.let("i32", k.select(this.#down, k.i("sub", from, to), k.i("sub", to, from)));
    k.block((done) => {
      k.if(
        k.i("lt_u", k.i("sub", ahead, 1), k.i("sub", bytes, 1)),
        () => {
          k.if(k.i("and", k.i("ge_u", ahead, this.#size), k.i("eqz", this.#down)), () => {
            this.#repeat(from, to, bytes, ahead);
            done();
          });
          const left = k.let("i32", n), delta = this.#delta();
          k.loop((again) => {
            this.#store(to, this.#load(from));
            this.#step(from, delta);
            this.#step(to, delta);
            k.set(left, k.i("sub", left, 1));
            again(left);
          });
          done();
        },
        undefined,
        "unlikely",
      );
      k.if(
        this.#down,
        () => {
          this.#lowest(from, n);
          this.#lowest(to, n);
        },
        undefined,
        "unlikely",
      );
      k.copy(to, from, bytes);
    });
  }

  /** Repeats the `distance` bytes at `from` behind themselves: ever more of them, since what is there is periodic. */
  #repeat(from: Value, to: Local, bytes: Local, distance: Local): void {
    const k = this.#k;
    k.loop((again) => {
      const part = k.let("i32", k.select(k.i("lt_u", distance, bytes), distance, bytes));
      k.copy(to, from, part);
      k.set(to, k.i("add", to, part));
      k.set(bytes, k.i("sub", bytes, part));
      k.set(distance, k.i("add", distance, part));
      again(bytes);
    });
  }

  #splat(): Local {
    const { w } = this.#run;
    const name: SimdName = w === 8 ? "i8x16.splat" : w === 16 ? "i16x8.splat" : "i32x4.splat";
    return this.#k.let("v128", this.#k.v(name, this.#parameter(5)));
  }

  /** STOS. */
  #fill(to: Local, n: Value): void {
    const k = this.#k, value = this.#splat();
    k.if(this.#down, () => this.#lowest(to, n), undefined, "unlikely");
    const end = k.let("i32", k.i("add", to, this.#bytes(n)));
    k.block((done) => {
      const last = k.let("i32", k.i("sub", end, 16));
      k.block((single) => {
        single(k.i("gt_u", to, last));
        k.loop((again) => {
          k.storeV(to, value);
          k.set(to, k.i("add", to, 16));
          again(k.i("le_u", to, last));
        });
        done(k.i("eq", to, end));
      });
      k.loop((again) => {
        this.#store(to, this.#parameter(5));
        k.set(to, k.i("add", to, this.#size));
        again(k.i("lt_u", to, end));
      });
    });
  }

  /** CMPS and SCAS, and MOVS onto code: lowers `n` to the number of elements after which iterations go on. */
  #scan(n: Local, from: Local | undefined, to: Local): void {
    const k = this.#k, { w } = this.#run, more = this.#run.op === "movs" ? "eq" : this.#run.more;
    const done = k.let("i32", k.c(0)), delta = this.#delta();
    const stop = (x: Value, y: Value): Value => k.i(more === "eq" ? "ne" : "eq", x, y);
    const other = from === undefined ? this.#splat() : undefined;
    const step = (by: Value): void => {
      if (from !== undefined) this.#step(from, by);
      this.#step(to, by);
    };
    k.block((leave) => {
      k.if(k.i("eqz", this.#down), () => {
        const lanes = 16 / this.#size;
        const equal: SimdName = w === 8 ? "i8x16.eq" : w === 16 ? "i16x8.eq" : "i32x4.eq";
        const x = other ?? k.loadV("v128.load", from as Local);
        const mask = k.v("i8x16.bitmask", k.v(equal, x, k.loadV("v128.load", to)));
        k.block((single) => {
          single(k.i("lt_u", n, lanes));
          const last = k.let("i32", k.i("sub", n, lanes)), found = k.let("i32", k.c(0));
          k.loop((again) => {
            k.set(found, more === "eq" ? k.i("xor", mask, 0xffff) : mask);
            k.if(
              found,
              () => {
                k.set(done, k.i("add", done, k.i("shr_u", k.i("ctz", found), this.#shift)));
                leave();
              },
              undefined,
              "unlikely",
            );
            k.set(done, k.i("add", done, lanes));
            step(k.c(16));
            again(k.i("le_u", done, last));
          });
        });
      });
      leave(k.i("eq", done, n));
      k.loop((again) => {
        leave(stop(from === undefined ? this.#parameter(5) : this.#load(from), this.#load(to)));
        step(delta);
        k.set(done, k.i("add", done, 1));
        again(k.i("lt_u", done, n));
      });
    });
    k.set(n, done);
  }
}
