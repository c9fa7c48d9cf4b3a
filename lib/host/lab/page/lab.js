/**
 * The lab page: shows what the server sends, sends what the person asks. It keeps no state of the machine of its own.
 */
import { callPicture, messagePicture, pageCells } from "./draw.js";

const { Terminal } = await import(new URL("xterm.js", import.meta.url).href); // served beside this file, not kept beside it
const by = (id) => document.getElementById(id);
const terminal = new Terminal({ cols: 100, rows: 20, convertEol: true, scrollback: 5000 });
terminal.open(by("console"));

const socket = new WebSocket(new URL("socket", location.href.replace(/^http/, "ws")));
let last = {};
let before = new Map();

function ask(request) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(request));
}

/** Bytes as the server takes them: one character each. */
function bytesOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join("");
}

function row(...texts) {
  const tr = document.createElement("tr");
  for (const text of texts) tr.insertCell().textContent = text;
  return tr;
}

/** Does `show` only if this part of the state is new. */
function changed(state, names, show) {
  if (names.some((name) => JSON.stringify(state[name]) !== JSON.stringify(last[name]))) show();
}

function showRegisters({ registers, running }) {
  by("registers").replaceChildren(...registers.map(([name, value]) => {
    const [pair, term, text] = ["div", "dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    text.textContent = value;
    text.dataset.register = name;
    if (!running && before.has(name) && before.get(name) !== value) text.classList.add("changed");
    pair.append(term, text);
    return pair;
  }));
  before = new Map(registers);
}

/** Instructions, marked where there is a breakpoint; choosing one sets it or takes it away. */
function showCode({ code, breakpoints }) {
  by("code").replaceChildren(...code.map((line) => {
    const tr = row(line.at, line.text);
    tr.classList.toggle("breakpoint", breakpoints.includes(line.at));
    if (line.at !== "") tr.addEventListener("click", () => ask({ do: "breakpoint", at: Number.parseInt(line.at, 16) }));
    return tr;
  }));
  by("breakpoints").replaceChildren(...breakpoints.map((at) => {
    const button = document.createElement("button");
    button.textContent = at;
    button.title = "Take it away";
    button.addEventListener("click", () => ask({ do: "breakpoint", at: Number.parseInt(at, 16) }));
    return button;
  }));
}

function showPages({ pages }) {
  by("paging").textContent = pages.mode === "off" ? "off" : `${pages.mode}; choose an entry to see its pages`;
  by("map").replaceChildren(...pageCells(pages, (entry) => ask({ do: "pages", entry })));
  by("ranges").textContent = pages.ranges.join("\n");
}

function showCalls({ calls, callCount, hypervisor }) {
  const none = "nobody answers; start with --backend";
  by("calls-head").textContent = hypervisor === "" ? none : `${hypervisor}: ${callCount ?? "?"} calls`;
  by("calls-picture").replaceChildren(callPicture(calls));
  const rows = calls.slice(-100).reverse().map((c) => row(c.time, c.name, c.args, c.result && `= ${c.result}`, c.from));
  by("calls").replaceChildren(...rows);
}

function showMessages({ messages }) {
  by("messages-part").hidden = messages === undefined;
  for (const id of ["calls-part", "console-part"]) by(id).hidden = messages !== undefined;
  by("breakpoints-part").hidden = messages !== undefined;
  by("code-head").hidden = messages !== undefined;
  by("unit").textContent = messages === undefined ? "" : "us";
  if (messages === undefined) return;
  by("messages-head").textContent = `${messages.count} messages`;
  by("messages-picture").replaceChildren(messagePicture(messages));
  by("ranks").textContent = messages.lines.join("\n");
}

function showState(state) {
  by("said").textContent = state.said;
  by("time").textContent = `${state.position} instructions, ${state.seconds.toFixed(6)} s`;
  for (const id of ["run", "restart"]) by(id).disabled = state.running && id === "run";
  by("pause").disabled = !state.running;
  by("flags").textContent = state.flags;
  changed(state, ["choices", "at"], () => {
    by("choice").replaceChildren(...state.choices.map((name, i) => new Option(name, i, false, i === state.at)));
  });
  changed(state, ["registers", "running"], () => showRegisters(state));
  changed(state, ["code", "breakpoints"], () => showCode(state));
  changed(state, ["memory"], () => by("memory").textContent = state.memory.join("\n"));
  changed(state, ["pages"], () => showPages(state));
  changed(state, ["calls", "callCount", "hypervisor"], () => showCalls(state));
  changed(state, ["messages"], () => showMessages(state));
  by("screen-part").hidden = state.screen === "";
  by("screen").textContent = state.screen;
  last = state;
}

function showConsole({ reset, lost, text }) {
  if (reset) terminal.reset();
  if (lost > 0) terminal.write(`\r\n[${lost} bytes are left out]\r\n`);
  terminal.write(Uint8Array.from(text, (c) => c.charCodeAt(0)));
}

socket.addEventListener("message", ({ data }) => {
  const said = JSON.parse(data);
  if (said.kind === "console") showConsole(said);
  else if (said.kind === "state") showState(said);
});
socket.addEventListener("close", ({ reason }) => {
  by("said").textContent = `not connected: ${reason || "vmikit lab has ended"}`;
  for (const button of document.querySelectorAll("header button")) button.disabled = true;
});

const count = () => Math.max(1, Math.min(1e9, Math.trunc(Number(by("count").value) || 1)));
by("run").addEventListener("click", () => ask({ do: "run" }));
by("pause").addEventListener("click", () => ask({ do: "pause" }));
by("step").addEventListener("click", () => ask({ do: "step", count: count() }));
by("back").addEventListener("click", () => ask({ do: "back", count: count() }));
by("restart").addEventListener("click", () => ask({ do: "restart" }));
by("choice").addEventListener("change", ({ target }) => ask({ do: "look", at: Number(target.value) }));
/** The address in a field; undefined: it is none. */
function addressIn(field) {
  const text = field.value.trim().replace(/^0x/i, "");
  return /^[0-9a-f]{1,8}$/i.test(text) ? Number.parseInt(text, 16) : undefined;
}

by("breakpoint").addEventListener("change", ({ target }) => {
  const at = addressIn(target);
  if (at !== undefined) ask({ do: "breakpoint", at });
  target.value = "";
});

/** Shows the memory at the address in the field, moved by some bytes. */
function lookAtMemory(distance) {
  const field = by("memory-at"), at = addressIn(field);
  if (at === undefined) return;
  const moved = (at + distance) >>> 0;
  field.value = moved.toString(16).padStart(8, "0");
  ask({ do: "memory", at: moved });
}
by("memory-at").addEventListener("change", () => lookAtMemory(0));
by("memory-back").addEventListener("click", () => lookAtMemory(-256));
by("memory-on").addEventListener("click", () => lookAtMemory(256));
terminal.onData((text) => {
  const bytes = bytesOf(text);
  for (let i = 0; i < bytes.length; i += 4096) ask({ do: "type", text: bytes.slice(i, i + 4096) });
});
const KEYS = { Enter: "\n", Tab: "\t", Backspace: "\b", Escape: "\x1b" };
by("screen").addEventListener("keydown", (event) => {
  const text = KEYS[event.key] ?? (/^[ -~]$/.test(event.key) ? event.key : undefined);
  if (text === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  ask({ do: "key", text });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "F9" && event.key !== "F10") return;
  event.preventDefault();
  ask({ do: event.key === "F10" ? "step" : "back", count: count() });
});
