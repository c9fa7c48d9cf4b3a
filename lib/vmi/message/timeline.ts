/**
 * The message timeline of a job: what trace filters saw, as JSON lines and as a picture. In the picture time runs to
 * the right, each rank has a line, and each message is an arrow from where it was sent to where it arrived. Cold.
 */
import type { TraceRecord } from "./module.ts";

/** One message seen at both ends. */
export interface TimelineMessage {
  /** Sender. */
  readonly source: number;
  /** Receiver. */
  readonly destination: number;
  /** Type of its frame. */
  readonly type: number;
  /** Bytes of its payload. */
  readonly length: number;
  /** When it was sent, ns. */
  readonly sent: number;
  /** When it arrived, ns; undefined: it did not. */
  readonly arrived: number | undefined;
}

/** JSON lines, one for each frame seen. */
export function traceLines(trace: readonly TraceRecord[]): string {
  return trace.map((t) => `${JSON.stringify(t)}\n`).join("");
}

/** Pairs departures with arrivals. */
export function timeline(trace: readonly TraceRecord[]): TimelineMessage[] {
  const key = (t: TraceRecord): string => `${t.device} ${t.source} ${t.destination} ${t.type} ${t.sequence}`;
  const arrivals = new Map<string, number[]>();
  for (const t of trace) {
    if (t.direction !== "up") continue;
    const list = arrivals.get(key(t));
    if (list === undefined) arrivals.set(key(t), [t.time]);
    else list.push(t.time);
  }
  return trace.filter((t) => t.direction === "down").map((t) => ({
    source: t.source,
    destination: t.destination,
    type: t.type,
    length: t.length,
    sent: t.time,
    arrived: arrivals.get(key(t))?.shift(),
  }));
}

const COLOURS: { readonly [type: number]: string } = { 16: "#1f77b4", 19: "#d62728", 22: "#2ca02c", 50: "#9467bd" };

/** The picture, an SVG file. @param messages Of {@linkcode timeline}. @param ranks Lines. @param width Pixels. */
export function timelineSvg(messages: readonly TimelineMessage[], ranks: number, width = 1000): string {
  const [left, top, step] = [60, 20, 40];
  const end = messages.reduce((t, m) => Math.max(t, m.sent, m.arrived ?? 0), 1);
  const x = (time: number): string => (left + ((width - left - 20) * time) / end).toFixed(1);
  const y = (rank: number): number => top + step * rank;
  const height = top + step * (ranks - 1) + 50;
  const lines = Array.from({ length: ranks }, (_, r) =>
    `<text x="5" y="${y(r) + 4}">rank ${r}</text>` +
    `<line x1="${left}" y1="${y(r)}" x2="${width - 20}" y2="${y(r)}" stroke="#999"/>`);
  const arrows = messages.map((m) => {
    const colour = COLOURS[m.type] ?? "#7f7f7f";
    const title = `${m.source} to ${m.destination}: ${m.length} bytes at ${m.sent} ns`;
    if (m.arrived === undefined) {
      return `<circle cx="${x(m.sent)}" cy="${
        y(m.source)
      }" r="3" fill="none" stroke="${colour}"><title>${title}, lost</title></circle>`;
    }
    const ends = `x1="${x(m.sent)}" y1="${y(m.source)}" x2="${x(m.arrived)}" y2="${y(m.destination)}"`;
    return `<line ${ends} stroke="${colour}" marker-end="url(#a)"><title>${title}</title></line>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif" font-size="12">`,
    '<defs><marker id="a" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="5" markerHeight="5" orient="auto">' +
    '<path d="M0 0L6 3L0 6z"/></marker></defs>',
    '<rect width="100%" height="100%" fill="white"/>',
    ...lines,
    ...arrows,
    `<text x="${left}" y="${height - 12}">0</text>`,
    `<text x="${width - 20}" y="${height - 12}" text-anchor="end">${end} ns</text>`,
    "</svg>",
    "",
  ].join("\n");
}
