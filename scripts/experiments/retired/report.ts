/**
 * The results as text, CSV and a chart. The chart is SVG, written here: bars on a logarithmic scale, a group for each kind
 * of operation.
 */
import type { Result } from "./measure.ts";

const WORKLOADS = "syscall fault fork switch tick mixed".split(" ");
const COLOURS = ["#444444", "#8c8c8c", "#c1440e", "#e6a157", "#2b6ca3", "#7fb2d9", "#3c8d5a", "#9a6fb0"];

function fixed(n: number): string {
  return n === 0 ? "-" : n < 10 ? n.toFixed(2) : n.toFixed(1);
}

/** A table for the console: counts of one operation, cycles, and the ratio to the first setting. */
export function table(results: readonly Result[]): string {
  const head = [
    ...["operation", "setting", "instructions", "hypercalls", "exits", "emulated", "patched", "events", "TLB fills"],
    ...["steps", "entries", "tables", "cycles", "x bare"],
  ];
  const rows = results.map((r) => {
    const n = r.counts, bare = results.find((o) => o.workload === r.workload)?.cycles ?? r.cycles;
    const numbers = [
      n.instructions,
      n.hypercalls,
      n.exits,
      n.emulated,
      n.patched,
      n.delivered,
      n.tlbFills,
      n.walkSteps,
      n.shadowEntries,
    ];
    return [
      ...[r.workload, r.setting, ...[...numbers, n.wholeTables].map(fixed)],
      ...[r.cycles.toFixed(0), (r.cycles / bare).toFixed(2)],
    ];
  });
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((row) => row[i]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells.map((c, i) => i < 2 ? c.padEnd(widths[i] ?? 0) : c.padStart(widths[i] ?? 0)).join("  ").trimEnd();
  return [head, ...rows].map(line).join("\n");
}

/** The counts and cycles, a line each, without rounding. */
export function csv(results: readonly Result[]): string {
  const names = Object.keys(results[0]?.counts ?? {}) as (keyof Result["counts"])[];
  const lines = results.map((r) => [r.workload, r.setting, ...names.map((n) => r.counts[n]), r.cycles].join(","));
  return [["operation", "setting", ...names, "cycles"].join(","), ...lines, ""].join("\n");
}

/** A bar chart of the cycles. */
export function chart(results: readonly Result[]): string {
  const settings = [...new Set(results.map((r) => r.setting))];
  const bar = 18, group = settings.length * bar + 24, left = 70, top = 50, high = 300;
  const width = left + WORKLOADS.length * group + 140;
  const cycles = results.map((r) => r.cycles);
  const low = Math.floor(Math.log10(Math.min(...cycles))), up = Math.ceil(Math.log10(Math.max(...cycles)));
  const y = (n: number): number => top + high - (Math.log10(n) - low) / Math.max(1, up - low) * high;
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top + high + 50}" font-family="sans-serif">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    `<text x="${left}" y="25" font-size="16">Virtual cycles of one operation</text>`,
  ];
  for (let e = low; e <= up; e++) {
    const at = y(10 ** e).toFixed(1);
    parts.push(`<line x1="${left}" x2="${width - 140}" y1="${at}" y2="${at}" stroke="#dddddd"/>`);
    parts.push(`<text x="${left - 8}" y="${at}" dy="4" font-size="11" text-anchor="end">${10 ** e}</text>`);
  }
  for (const r of results) {
    const x = left + WORKLOADS.indexOf(r.workload) * group + 12 + settings.indexOf(r.setting) * bar;
    const at = y(r.cycles);
    parts.push(
      `<rect x="${x}" y="${at.toFixed(1)}" width="${bar - 3}" height="${(top + high - at).toFixed(1)}" ` +
        `fill="${COLOURS[settings.indexOf(r.setting) % COLOURS.length]}">` +
        `<title>${r.workload}, ${r.setting}: ${r.cycles.toFixed(0)}</title></rect>`,
    );
  }
  WORKLOADS.forEach((name, i) => {
    const x = left + i * group + group / 2;
    parts.push(`<text x="${x}" y="${top + high + 20}" font-size="12" text-anchor="middle">${name}</text>`);
  });
  settings.forEach((name, i) => {
    const x = width - 125, at = top + i * 20;
    parts.push(`<rect x="${x}" y="${at}" width="12" height="12" fill="${COLOURS[i % COLOURS.length]}"/>`);
    parts.push(`<text x="${x + 18}" y="${at + 10}" font-size="12">${name}</text>`);
  });
  return [...parts, "</svg>", ""].join("\n");
}
