/**
 * The files of the lab page, and the headers they are served with: nothing is loaded from elsewhere. They are part of the
 * module graph, so no file is read at run time. Cold.
 */
import page from "./page/index.html" with { type: "text" };
import style from "./page/lab.css" with { type: "text" };
import script from "./page/lab.js" with { type: "text" };
import draw from "./page/draw.js" with { type: "text" };

/** A file. */
export interface LabFile {
  /** Content type. */
  readonly type: string;
  /** Content. */
  readonly text: string;
}

/** Sent with every answer. Styles may stand in the page because xterm makes its own. */
export const SECURITY_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

const HTML = "text/html; charset=utf-8";
const CSS = "text/css; charset=utf-8";
const JS = "text/javascript; charset=utf-8";

const OURS: ReadonlyMap<string, LabFile> = new Map([
  ["", { type: HTML, text: page }],
  ["lab.css", { type: CSS, text: style }],
  ["lab.js", { type: JS, text: script }],
  ["draw.js", { type: JS, text: draw }],
]);

/** A file by name, the page's own is empty; `undefined`: there is none. */
export async function labFile(name: string): Promise<LabFile | undefined> {
  if (name !== "xterm.js" && name !== "xterm.css") return OURS.get(name);
  const { XTERM_CSS, XTERM_JS } = await import("../deps/xterm.ts"); // only who opens a lab needs it
  return name === "xterm.js" ? { type: JS, text: XTERM_JS } : { type: CSS, text: XTERM_CSS };
}
