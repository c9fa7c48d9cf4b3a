/**
 * The comparison as a Markdown table: millions of instructions a second, and ratios of vmikit's engines to the peers. Cold.
 */
import { geomean } from "./measure.ts";
import type { Comparison, Figure } from "./peers.ts";

/** A line of a Markdown table. */
export function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

/** Peers of ours and others, and each of ours beside each of the others. */
export function sides(peers: readonly string[]): {
  readonly ratios: readonly (readonly [string, string])[];
  readonly titles: readonly string[];
} {
  const ours = peers.filter((p) => p.startsWith("vmikit "));
  const others = peers.filter((p) => !ours.includes(p));
  const ratios = ours.flatMap((o) => others.map((p) => [o, p] as const));
  return { ratios, titles: ratios.map(([o, p]) => `${o.slice(7)} / ${p}`) };
}

/** A number of a table; a dash: there is none. */
export function cell(value: number, digits: number): string {
  return Number.isFinite(value) ? value.toFixed(digits) : "-";
}

/** The table. */
export function table({ figures, missing, failures, empty }: Comparison): string {
  const peers = Object.keys(empty);
  const { ratios, titles } = sides(peers);
  const row = (name: string, of: (peer: string) => number): string[] => [
    name,
    ...peers.map((p) => cell(of(p), of(p) < 100 ? 1 : 0)),
    ...ratios.map(([o, p]) => cell(of(o) / of(p), 2)),
  ];
  const mips = (kernel: string, peer: string): number =>
    figures.find((f) => f.kernel === kernel && f.peer === peer)?.mips ?? NaN;
  const kinds = new Map<Figure["kind"], Set<string>>();
  for (const { kind, kernel } of figures) kinds.set(kind, (kinds.get(kind) ?? new Set()).add(kernel));
  const rows = [...kinds.values()].flatMap((names) => [...names].map((n) => row(n, (peer) => mips(n, peer))));
  for (const [kind, names] of kinds) {
    if (names.size < 2) continue;
    rows.push(row(`**${kind}, geometric mean**`, (peer) => geomean([...names].map((n) => mips(n, peer)))));
  }
  const head = ["program", ...peers, ...titles];
  const lines = [head, head.map((_, i) => i === 0 ? "---" : "---:"), ...rows].map(line);
  const idle = peers.map((p) => `${p} ${empty[p].toFixed(2)} s`).join(", ");
  return [
    ...[...lines, "", `Empty run, CPU time left out above: ${idle}.`],
    ...[...failures.map((f) => `FAILED: ${f}.`), ...missing.map((m) => `Not run: ${m}.`), ""],
  ].join("\n");
}
