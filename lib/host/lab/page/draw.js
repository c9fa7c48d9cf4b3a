/**
 * Pictures of the lab page: calls over time, messages between ranks, the map of page tables. Elements are made, never
 * text with markup: what a guest says stays text.
 */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const LEFT = 190;
const ROW = 16;

/** Makes an element of a picture. */
function element(name, attributes, text) {
  const e = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, String(value));
  if (text !== undefined) e.textContent = text;
  return e;
}

function picture(height) {
  return element("svg", { viewBox: `0 0 ${WIDTH} ${height}` });
}

function titled(e, text) {
  e.append(element("title", {}, text));
  return e;
}

/** Positions of times between the first and the last. */
function scale(times) {
  const first = Math.min(...times);
  const span = Math.max(...times) - first || 1;
  return (time) => LEFT + 6 + ((WIDTH - LEFT - 20) * (time - first)) / span;
}

/** Calls: a row for each name, in the order of first calls, a mark for each call. */
export function callPicture(calls) {
  const names = [...new Set(calls.map((c) => c.name))];
  const svg = picture(Math.max(1, names.length) * ROW + 4);
  if (calls.length === 0) return svg;
  const x = scale(calls.map((c) => c.time));
  names.forEach((name, row) => {
    const y = row * ROW + 12;
    svg.append(element("text", { x: 0, y }, name));
    svg.append(element("line", { x1: LEFT, x2: WIDTH, y1: y - 4, y2: y - 4, stroke: "#8884" }));
    for (const c of calls.filter((call) => call.name === name)) {
      const mark = element("rect", { x: x(c.time) - 1, y: y - 10, width: 2, height: 12, fill: "#1f77b4" });
      svg.append(titled(mark, `${c.name} ${c.args} = ${c.result || "nothing"} at ${c.time}`));
    }
  });
  return svg;
}

/** Messages: a row for each rank, a line from where each was sent to where it arrived; a ring: it did not arrive. */
export function messagePicture({ ranks, last }) {
  const step = Math.max(18, Math.min(40, 480 / ranks));
  const svg = picture(ranks * step + 10);
  const y = (rank) => rank * step + 16;
  for (let rank = 0; rank < ranks; rank++) {
    svg.append(element("text", { x: 0, y: y(rank) + 4 }, `rank ${rank}`));
    svg.append(element("line", { x1: LEFT, x2: WIDTH, y1: y(rank), y2: y(rank), stroke: "#8888" }));
  }
  if (last.length === 0) return svg;
  const x = scale(last.flatMap((m) => m.arrived === undefined ? [m.sent] : [m.sent, m.arrived]));
  for (const m of last) {
    const text = `${m.source} to ${m.destination}: ${m.length} bytes, sent at ${m.sent} ns`;
    if (m.arrived === undefined) {
      const ring = element("circle", { cx: x(m.sent), cy: y(m.source), r: 3, fill: "none", stroke: "#d62728" });
      svg.append(titled(ring, `${text}, not arrived`));
      continue;
    }
    const ends = { x1: x(m.sent), y1: y(m.source), x2: x(m.arrived), y2: y(m.destination) };
    svg.append(titled(element("line", { ...ends, stroke: "#1f77b4" }), `${text}, arrived at ${m.arrived} ns`));
  }
  return svg;
}

/** The page directory: a cell for each entry. */
export function pageCells(pages, choose) {
  return Array.from(pages.directory, (letter, entry) => {
    const cell = document.createElement("button");
    const lower = letter.toLowerCase();
    if (lower === "t") cell.classList.add("table");
    else if (letter !== ".") cell.classList.add("large");
    if (letter !== lower) cell.classList.add("user");
    if (entry === pages.entry) cell.classList.add("chosen");
    const at = (entry * pages.span).toString(16).padStart(8, "0");
    cell.title = `${at}: ${letter === "." ? "nothing" : lower === "t" ? "a page table" : "one large page"}`;
    cell.addEventListener("click", () => choose(letter === "." ? -1 : entry));
    return cell;
  });
}
