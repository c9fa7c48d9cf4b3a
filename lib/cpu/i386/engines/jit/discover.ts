/**
 * Finds the blocks of a region: from a hot entry along direct jumps, both sides of branches and the places where calls
 * return to, within one page and the one behind it, up to a number of instructions. Warm.
 */
import { type Instruction, Way } from "./instruction.ts";
import type { CodeSource } from "./source.ts";

/** A straight piece of code; control enters at its start only. */
export interface Block {
  /** Number in the region. */
  readonly id: number;
  /** Offset in the page. */
  readonly start: number;
  /** Its instructions; none: the code here cannot be translated. */
  readonly instructions: Instruction[];
  /** Blocks control may pass to inside the region. */
  readonly successors: number[];
  /** Other regions and the interpreter may enter here. */
  isEntry: boolean;
  /** Control comes from a TypeScript instruction or another region: registers and count are read anew. */
  afterCall: boolean;
  /** Instructions behind the last one, a conditional jump over them, taken out of the graph; see guard.ts. */
  guarded: Block | undefined;
}

/** What to look for. */
export interface Limits {
  /** Instructions at most. */
  readonly instructions: number;
  /** Backward jumps stay inside. */
  readonly loops: boolean;
  /** Jumps through tables are followed. */
  readonly tables: boolean;
  /** Calls come back into the region. */
  readonly calls: boolean;
  /** Calls and returns whose return address is replaced are jumps. */
  readonly callJumps: boolean;
  /** Code that stays out: it belongs to another region. */
  readonly isForeign?: (offset: number) => boolean;
}

/** Blocks by offset of their start. */
export class Discovery {
  /** Blocks by number; the first is the one asked for. */
  readonly blocks: Block[] = [];
  readonly #source: CodeSource;
  readonly #limits: Limits;
  readonly #all: Map<number, Instruction> = new Map();
  readonly #starts: Set<number> = new Set();
  readonly #entries: Set<number> = new Set();
  readonly #afterCalls: Set<number> = new Set();
  readonly #at: Map<number, Block> = new Map();
  readonly #cold: Set<number> = new Set();
  /** True if there was more code than the limit allows. */
  isTruncated = false;

  /** @param source Code. @param limits How far. @param entries Offsets of its entries; the first one is the hot block. */
  constructor(source: CodeSource, limits: Limits, entries: readonly number[]) {
    this.#source = source;
    this.#limits = limits;
    for (const entry of entries) this.#entries.add(entry);
    this.#explore(entries);
    this.#build(entries[0]);
  }

  /** All instructions. */
  get instructions(): IterableIterator<Instruction> {
    return this.#all.values();
  }

  /** True if an instruction is a direct jump that is emitted, conditional or not; its target is next + imm. */
  static branches(i: Instruction): boolean {
    switch (i.sem) {
      case "jcc":
      case "jcxz":
      case "loop":
      case "loope":
      case "loopne":
      case "jmpRel":
        return i.way === Way.tree;
      default:
        return i.isJump && i.sem === "callRel";
    }
  }

  /** True for near calls that are emitted. */
  static isCall(i: Instruction): boolean {
    return (i.sem === "callRel" || i.sem === "callInd") && i.way === Way.tree && !i.isJump;
  }

  /** True if control never goes on behind the instruction inside the region. */
  stops(i: Instruction): boolean {
    if (Discovery.isCall(i)) return !this.#limits.calls;
    return i.way === Way.callEnd || i.sem === "jmpRel" || i.sem === "jmpInd" || i.sem === "ret" || i.isJump;
  }

  #explore(entries: readonly number[]): void {
    const work = [...entries];
    for (let next = 0; next < work.length; next++) {
      const start = work[next];
      if (this.#starts.has(start)) continue;
      this.#starts.add(start);
      let offset = start, before: Instruction | undefined, isOver = false;
      while (!isOver && !this.#all.has(offset)) {
        const i = this.#decode(offset);
        if (i === undefined) break;
        this.#all.set(offset, i);
        this.#findJump(i, before);
        before = i;
        const branches = Discovery.branches(i), target = i.next + i.imm, isOnlyWay = i.sem === "jmpRel" || i.isJump;
        if (this.#limits.tables && i.sem === "jmpInd" && i.way === Way.tree) {
          i.targets = this.#source.table(i);
          work.push(...i.targets);
        }
        if (branches && target >= 0 && target < 0x2000) this.#reach(work, target, isOnlyWay);
        const isCall = Discovery.isCall(i);
        if (isCall) {
          if (!this.#limits.calls && i.next < 0x1000) this.#entries.add(i.next);
          work.push(i.next);
        }
        if (i.way === Way.call || isCall && this.#limits.calls) this.#afterCalls.add(i.next);
        if (branches && !isOnlyWay) this.#reach(work, i.next, false);
        else if (i.way === Way.call) work.push(i.next);
        else if (i.effects?.repeats === true) {
          this.#starts.add(i.offset);
          work.push(i.next);
        } else if (i.next === 0x1000 && !this.stops(i)) work.push(i.next); // the second page is checked there
        else if (!isCall && !this.stops(i)) {
          offset = i.next;
          continue;
        }
        isOver = true;
      }
      if (!isOver && this.#all.has(offset)) this.#starts.add(offset); // ran into code known already: it begins a block
    }
  }

  /** Recognises calls and returns that are jumps: the return address is replaced between them. */
  #findJump(i: Instruction, before: Instruction | undefined): void {
    if (!this.#limits.calls || !this.#limits.callJumps || i.way !== Way.tree) return;
    if (i.sem === "ret") i.isJump = before?.replacesReturn === true;
    const target = i.next + i.imm;
    if (i.sem !== "callRel" || target < 0 || target >= 0x1000) return;
    i.isJump = this.#source.instruction(target)?.replacesReturn === true;
  }

  /** Where a branch may lead: explored if that happens often enough, or always. */
  #reach(work: number[], offset: number, always: boolean): void {
    if (always || this.#source.isWarm(offset)) work.push(offset);
    else this.#cold.add(offset);
  }

  /** True if an offset is the target of a branch that is rarely followed. */
  isCold(offset: number): boolean {
    return this.#cold.has(offset);
  }

  #decode(offset: number): Instruction | undefined {
    if (this.#limits.isForeign?.(offset) === true) return undefined;
    if (this.#all.size < this.#limits.instructions) return this.#source.instruction(offset);
    this.isTruncated ||= this.#source.isExecuted(offset);
    return undefined;
  }

  #build(entry: number): void {
    const starts = [entry, ...[...this.#starts].filter((s) => s !== entry && this.#all.has(s)).sort((a, b) => a - b)];
    for (const start of starts) {
      const block: Block = {
        id: this.blocks.length,
        start,
        instructions: [],
        successors: [],
        isEntry: this.#entries.has(start),
        afterCall: this.#afterCalls.has(start),
        guarded: undefined,
      };
      this.blocks.push(block);
      this.#at.set(start, block);
    }
    for (const block of this.blocks) this.#fill(block);
    for (const block of this.blocks) this.#connect(block);
  }

  #fill(block: Block): void {
    let offset = block.start;
    for (;;) {
      const i = this.#all.get(offset);
      if (i === undefined) return;
      block.instructions.push(i);
      offset = i.next;
      const ends = this.stops(i) || Discovery.isCall(i) || Discovery.branches(i) || i.way === Way.call ||
        i.effects?.repeats === true;
      if (ends || this.#at.has(offset)) return;
    }
  }

  #connect(block: Block): void {
    const last = block.instructions.at(-1);
    if (last === undefined) return;
    const add = (offset: number): void => {
      const to = this.#at.get(offset);
      if (to === undefined || block.successors.includes(to.id)) return;
      if (!this.#limits.loops && to.start <= block.start) return;
      block.successors.push(to.id);
    };
    for (const t of last.targets) add(t);
    if (Discovery.branches(last)) add(last.next + last.imm);
    if (!this.stops(last)) add(last.next);
    if (last.effects?.repeats === true) add(block.start);
  }
}
