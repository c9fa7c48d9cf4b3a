/**
 * From a graph of blocks to nested loops: strongly connected components in topological order, and inside a component
 * the same again once the edges to its entries are taken out. A loop with several entries begins with a choice among
 * them, so any graph can be laid out. Source: the idea of Tarjan's algorithm, applied recursively. Warm.
 */

/** A block or a loop in the order of emission. */
export type Item =
  | { readonly kind: "block"; readonly id: number }
  | { readonly kind: "loop"; readonly entries: readonly number[]; readonly body: readonly Item[] };

/** Lays out `nodes`; `successors` gives edges, `entries` are where control comes in. */
export function layOut(successors: readonly (readonly number[])[], entries: readonly number[]): Item[] {
  const nodes = successors.map((_, i) => i);
  return sequence(successors, nodes, entries, new Set());
}

function sequence(
  successors: readonly (readonly number[])[],
  nodes: readonly number[],
  entries: readonly number[],
  cut: ReadonlySet<number>,
): Item[] {
  const inside = new Set(nodes);
  const edges = (n: number): number[] => successors[n].filter((s) => inside.has(s) && !cut.has(s));
  return components(entries, edges).map((component) => {
    const [first] = component;
    if (component.length === 1 && !edges(first).includes(first)) return { kind: "block", id: first };
    const members = new Set(component);
    const heads = component.filter((n) =>
      entries.includes(n) || nodes.some((p) => !members.has(p) && edges(p).includes(n))
    );
    return {
      kind: "loop",
      entries: heads,
      body: sequence(successors, component, heads, new Set([...cut, ...heads])),
    };
  });
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
