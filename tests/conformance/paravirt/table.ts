/** The conformance suite as one table: a row a test, a column a backend, each cell a result on both engines or a reason. */
import { ALL } from "./backends.ts";
import { type Cell, collect, ENGINES, parseName, testName } from "./suite.ts";

/** Files that call `conformance`, and how to load them. */
const FILES: Readonly<Record<string, () => Promise<unknown>>> = {
  "attack_test.ts": () => import("./attack_test.ts"),
  "calls_test.ts": () => import("./calls_test.ts"),
  "choices_test.ts": () => import("./choices_test.ts"),
  "confined_test.ts": () => import("./confined_test.ts"),
  "costs_test.ts": () => import("./costs_test.ts"),
  "devices_test.ts": () => import("./devices_test.ts"),
  "guest_test.ts": () => import("./guest_test.ts"),
  "lazy_test.ts": () => import("./lazy_test.ts"),
  "mappings_test.ts": () => import("./mappings_test.ts"),
  "mistakes_test.ts": () => import("./mistakes_test.ts"),
  "segments_test.ts": () => import("./segments_test.ts"),
  "semantics_test.ts": () => import("./semantics_test.ts"),
  "smp_test.ts": () => import("./smp_test.ts"),
  "survive_test.ts": () => import("./survive_test.ts"),
  "tables_test.ts": () => import("./tables_test.ts"),
  "tasks_test.ts": () => import("./tasks_test.ts"),
  "updates_test.ts": () => import("./updates_test.ts"),
  "verbs_test.ts": () => import("./verbs_test.ts"),
  "v86_test.ts": () => import("./v86_test.ts"),
  "workload_test.ts": () => import("./workload_test.ts"),
};

/** Names of these files. */
export const FILE_NAMES: readonly string[] = Object.keys(FILES);

/** Every cell there is. */
export async function allCells(): Promise<readonly Cell[]> {
  const list = collect();
  if (list.length === 0) { for (const load of Object.values(FILES)) await load(); }
  return list;
}

/** Name and result of a conformance test in a line of `deno test`, colours removed; `undefined`: it is no such line. */
export function resultOf(line: string): readonly [name: string, result: string] | undefined {
  const [, name = "", result = ""] = /(paravirt \S+: .* \[[^\]]*\]) \.\.\. (ok|FAILED|ignored)/.exec(line) ?? [];
  return parseName(name) === undefined ? undefined : [name, result];
}

/** The table, as lines. */
export interface Table {
  readonly lines: readonly string[];
  readonly passed: number;
  readonly failed: number;
  readonly leftOut: number;
  /** Cells with neither result nor reason. */
  readonly missing: number;
}

/** Puts cells and results together. */
export function render(cells: readonly Cell[], results: ReadonlyMap<string, string>): Table {
  const backends = Object.keys(ALL), reasons: string[] = [], counts = { passed: 0, failed: 0, leftOut: 0, missing: 0 };
  const letter = (reason: string): string => {
    if (!reasons.includes(reason)) reasons.push(reason);
    return String.fromCharCode(97 + reasons.indexOf(reason));
  };
  const one = (cell: Cell | undefined): string => {
    if (cell === undefined) return count("missing", "?");
    if (cell.reason !== undefined) return count("leftOut", letter(cell.reason));
    const result = results.get(testName(cell));
    if (result === "ok") return count("passed", "+");
    return result === "FAILED" ? count("failed", "FAILED") : count("missing", "?");
  };
  const count = (what: keyof typeof counts, text: string): string => {
    counts[what]++;
    return text;
  };
  const rows = [...new Set(cells.map((c) => `${c.part}: ${c.title}`))].map((row) => {
    const columns = backends.map((backend) =>
      ENGINES.map((engine) =>
        one(cells.find((c) => `${c.part}: ${c.title}` === row && c.backend === backend && c.engine === engine))
      )
    );
    return columns.map(([a = "?", b = "?"]) => (a === b && a !== "+" ? a : a + b).padEnd(8)).join("") + row;
  });
  const { passed, failed, leftOut, missing } = counts;
  return {
    ...counts,
    lines: [
      `paravirt conformance: a column a backend (${backends.join(", ")}), + a pass on ${ENGINES.join(" and on ")}`,
      ...rows,
      ...reasons.map((reason, i) => `${String.fromCharCode(97 + i)}: ${reason}`),
      `paravirt conformance: ${rows.length} tests on ${backends.length} backends and ${ENGINES.length} engines: ` +
      `${passed} passed, ${failed} failed, ${leftOut} left out for a reason, ${missing} without result`,
    ],
  };
}
