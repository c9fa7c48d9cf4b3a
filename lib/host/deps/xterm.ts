/**
 * xterm, the terminal of the lab page, as text to be served: it runs in the browser, never here. Cold.
 */

export { default as XTERM_JS } from "npm:@xterm/xterm@6.0.0/lib/xterm.mjs" with { type: "text" };
export { default as XTERM_CSS } from "npm:@xterm/xterm@6.0.0/css/xterm.css" with { type: "text" };
