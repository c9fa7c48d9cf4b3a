/**
 * Emits the laid-out blocks of a region: items one after the other behind labels, loops with one entry as plain loops,
 * loops with several behind a choice by the selector. Cold code that makes hot code.
 */
import type { FunctionBody } from "../../../../wasm/body.ts";
import { InternalError } from "../../../../core/errors.ts";
import type { Item } from "./structure.ts";

/** How a block is reached: the label, and whether its number must be in the selector. */
interface Place {
  readonly label: number;
  readonly select: boolean;
}

/** So many entries are compared one by one. */
const FEW = 4;

/** Labels of one region. */
export class LayoutCode {
  readonly #f: FunctionBody;
  readonly #selector: number;
  readonly #block: (id: number) => void;
  readonly #places: (Place | undefined)[] = [];

  /** @param f The function. @param selector Local that chooses among entries. @param block Emits a block. */
  constructor(f: FunctionBody, selector: number, block: (id: number) => void) {
    this.#f = f;
    this.#selector = selector;
    this.#block = block;
  }

  /** Branches to a block. */
  goto(id: number): void {
    const f = this.#f, place = this.#places[id];
    if (place === undefined) throw new InternalError("A block of a region is not in reach");
    if (place.select) {
      f.i32(id);
      f.set(this.#selector);
    }
    f.br(place.label);
  }

  /** Items one after the other, each behind a label of its own; `choose` begins with a choice by the selector. */
  sequence(items: readonly Item[], entries: readonly number[], choose: boolean): void {
    const f = this.#f;
    const labels: number[] = [];
    for (let i = items.length - 1; i >= (choose ? 0 : 1); i--) labels[i] = f.block();
    const saved = new Map<number, Place | undefined>();
    const direct = new Map<number, number>();
    items.forEach((item, i) => {
      const ids = item.kind === "block" ? [item.id] : item.entries;
      for (const id of ids) {
        if (labels[i] !== undefined) direct.set(id, labels[i]);
        if (this.#places[id] !== undefined) continue; // an entry of the loop around: branches go to its head
        saved.set(id, undefined);
        if (labels[i] !== undefined) this.#places[id] = { label: labels[i], select: ids.length > 1 };
      }
    });
    if (choose) this.#choose(entries, direct);
    items.forEach((item, i) => {
      if (labels[i] !== undefined) f.end();
      if (item.kind === "block") this.#block(item.id);
      else this.#loop(item);
    });
    for (const id of saved.keys()) this.#places[id] = undefined;
  }

  #choose(entries: readonly number[], labels: ReadonlyMap<number, number>): void {
    const f = this.#f;
    const fallback = labels.get(entries[0]) as number;
    if (entries.length <= FEW) { // foreseen better than a table
      for (const id of entries.slice(1)) {
        f.get(this.#selector);
        f.i32(id);
        f.num("i32.eq");
        f.brIf(labels.get(id) as number, "unlikely");
      }
      f.br(fallback);
      return;
    }
    const table: number[] = [];
    for (let id = 0; id <= Math.max(...entries); id++) {
      table.push(entries.includes(id) ? labels.get(id) as number : fallback);
    }
    f.get(this.#selector);
    f.brTable(table, fallback);
  }

  #loop({ heads, entries, body }: Item & { readonly kind: "loop" }): void {
    const f = this.#f, label = f.loop();
    const outer = entries.map((id) => this.#places[id]);
    for (const id of entries) this.#places[id] = undefined;
    for (const id of heads) this.#places[id] = { label, select: entries.length > 1 };
    this.sequence(body, entries, entries.length > 1);
    entries.forEach((id, i) => this.#places[id] = outer[i]);
    f.end();
  }
}

/** Passes control to one of some numbers in ascending order if a local has it: a binary search. */
export function emitChoice(
  f: FunctionBody,
  local: number,
  targets: readonly number[],
  pass: (target: number) => void,
): void {
  const search = (from: number, to: number): void => {
    const middle = (from + to + 1) >> 1;
    f.get(local);
    f.i32(targets[middle]);
    f.num(from === to ? "i32.eq" : "i32.lt_u");
    f.if();
    if (from === to) pass(targets[from]);
    else {
      search(from, middle - 1);
      f.else();
      search(middle, to);
    }
    f.end();
  };
  search(0, targets.length - 1);
}
