/**
 * From a graph of blocks to nested loops: strongly connected components in topological order, and inside a component
 * the same again once the edges to its heads are taken out. A region may also be entered in the middle of a loop, because
 * the interpreter stopped there: such an entry is no head, or the loops inside would fall apart. A loop with several ways
 * in begins with a choice among them, so any graph can be laid out. Source: the idea of Tarjan's algorithm, applied
 * recursively. Warm.
 */
import type { Block } from "./discover.ts";

/** A block or a loop in the order of emission. */
export type Item =
  | { readonly kind: "block"; readonly id: number }
  | {
    readonly kind: "loop";
    /** Blocks that ways back lead to. */
    readonly heads: readonly number[];
    /** Blocks where control comes in, the heads first. */
    readonly entries: readonly number[];
    readonly body: readonly Item[];
  };

/** Lays out blocks; `entries` are where control comes in. Not `nesting`: every entry into a loop is a head of it. */
export function layOut(blocks: readonly Block[], entries: readonly number[], nesting: boolean = true): Item[] {
  return sequence({ blocks, nesting }, blocks.map((b) => b.id), entries, new Set());
}

function sequence(
  graph: { readonly blocks: readonly Block[]; readonly nesting: boolean },
  nodes: readonly number[],
  entries: readonly number[],
  cut: ReadonlySet<number>,
): Item[] {
  const { blocks, nesting } = graph, inside = new Set(nodes);
  const edges = (n: number): number[] => blocks[n].successors.filter((s) => inside.has(s) && !cut.has(s));
  return components(entries, edges).map((component) => {
    const [first] = component;
    if (component.length === 1 && !edges(first).includes(first)) return { kind: "block", id: first };
    const members = new Set(component);
    const natural = new Set<number>(), other = new Set<number>(component.filter((n) => entries.includes(n)));
    for (const p of nodes) {
      if (members.has(p)) continue;
      for (const s of edges(p)) if (members.has(s)) natural.add(s);
    }
    const known = nesting ? natural : new Set([...natural, ...other]);
    const heads = known.size > 0 ? [...known] : [headOf(blocks, component, [...other], edges)];
    const all = [...new Set([...heads, ...other])];
    return { kind: "loop", heads, entries: all, body: sequence(graph, component, all, new Set([...cut, ...heads])) };
  });
}

/** The head of a loop that is not entered from the code around: its entry if no loop lies inside, else the lowest target of a way back. */
function headOf(
  blocks: readonly Block[],
  component: readonly number[],
  entries: readonly number[],
  edges: (n: number) => number[],
): number {
  const members = new Set(component), back = new Set<number>();
  for (const n of component) {
    for (const s of edges(n)) if (members.has(s) && blocks[s].start <= blocks[n].start) back.add(s);
  }
  if (back.size === 0 || (back.size === 1 && entries.length === 1)) return entries[0];
  return [...back].reduce((low, s) => blocks[s].start < blocks[low].start ? s : low);
}

/** Strongly connected components reachable from `roots`, in topological order. */
function components(roots: readonly number[], edges: (n: number) => number[]): number[][] {
  const index = new Map<number, number>(), low = new Map<number, number>();
  const stack: number[] = [], out: number[][] = [], open = new Set<number>();
  const visit = (n: number): void => {
    const mine = index.size;
    index.set(n, mine);
    let lowest = mine;
    stack.push(n);
    open.add(n);
    for (const s of edges(n)) {
      if (!index.has(s)) {
        visit(s);
        lowest = Math.min(lowest, low.get(s) ?? lowest);
      } else if (open.has(s)) lowest = Math.min(lowest, index.get(s) ?? lowest);
    }
    low.set(n, lowest);
    if (lowest !== mine) return;
    const component: number[] = [];
    for (;;) {
      const m = stack.pop() as number;
      open.delete(m);
      component.push(m);
      if (m === n) break;
    }
    out.push(component.reverse());
  };
  for (const r of roots) if (!index.has(r)) visit(r);
  return out.reverse();
}
