/**
 * What the lab page and its server say to each other: JSON texts over one WebSocket. Requests are data from outside;
 * {@linkcode parseRequest} lets through what is written here and nothing else. Cold.
 */
import type { TimelineMessage } from "../../vmi/message/timeline.ts";
import type { PageMap } from "./page_map.ts";

/** What the page asks. */
export type LabRequest =
  /** Run until something ends the run; or stop running. */
  | { readonly do: "run" | "pause" }
  /** Go on by `count` instructions, or go back by as many. */
  | { readonly do: "step" | "back"; readonly count: number }
  /** Go back to the beginning; what was typed is forgotten. */
  | { readonly do: "restart" }
  /** Type bytes, one character each, to the serial line. */
  | { readonly do: "type"; readonly text: string }
  /** Press keys of the keyboard, those that make these characters. */
  | { readonly do: "key"; readonly text: string }
  /** Look at another CPU, or another rank of a cluster. */
  | { readonly do: "look"; readonly at: number }
  /** Show the pages of one entry of the page directory; -1: none. */
  | { readonly do: "pages"; readonly entry: number }
  /** Set a breakpoint at a linear address, or take it away. */
  | { readonly do: "breakpoint"; readonly at: number }
  /** Show the memory at a linear address. */
  | { readonly do: "memory"; readonly at: number };

/** One call of the guest to its hypervisor. */
export interface LabCall {
  /** Name in the interface's own spelling. */
  readonly name: string;
  /** Arguments by name, in hex. */
  readonly args: string;
  /** Result in hex, or empty. */
  readonly result: string;
  /** Return address in hex. */
  readonly from: string;
  /** Virtual time, ticks. */
  readonly time: number;
}

/** One instruction to come. */
export interface LabLine {
  /** Linear address in hex, or empty if it is not known. */
  readonly at: string;
  /** Text. */
  readonly text: string;
}

/** What the page shows, console apart. */
export interface LabState {
  /** Tells it from the other texts. */
  readonly kind: "state";
  /** Does it run? */
  readonly running: boolean;
  /** How the last run ended, in words. */
  readonly said: string;
  /** Instructions of all CPUs so far. */
  readonly position: number;
  /** Virtual time, seconds. */
  readonly seconds: number;
  /** Which CPU or rank is shown. */
  readonly at: number;
  /** Names of what can be looked at. */
  readonly choices: readonly string[];
  /** Registers in hex. */
  readonly registers: readonly (readonly [name: string, value: string])[];
  /** Flags that are set. */
  readonly flags: string;
  /** Instructions to come. */
  readonly code: readonly LabLine[];
  /** Linear addresses of breakpoints, in hex as those of instructions. */
  readonly breakpoints: readonly string[];
  /** Memory in lines of sixteen bytes, by the page tables in use; where nothing is mapped a line has its address alone. */
  readonly memory: readonly string[];
  /** Page tables the CPU uses. */
  readonly pages: PageMap;
  /** Text screen, or empty. */
  readonly screen: string;
  /** Who answers hypercalls, or empty: nobody. */
  readonly hypervisor: string;
  /** Calls so far, those not shown any more included; null: not known, because time went back beyond what is kept. */
  readonly callCount: number | null;
  /** The last calls. */
  readonly calls: readonly LabCall[];
  /** Messages between ranks; absent: no cluster. */
  readonly messages?: LabMessages;
}

/** The messages of a cluster so far. */
export interface LabMessages {
  /** Ranks. */
  readonly ranks: number;
  /** All that were sent. */
  readonly count: number;
  /** The last of them. */
  readonly last: readonly TimelineMessage[];
  /** One line for each rank: how it is. */
  readonly lines: readonly string[];
}

/** Output of the serial line. */
export interface LabConsole {
  /** Tells it from the other texts. */
  readonly kind: "console";
  /** The page forgets what it has shown before. */
  readonly reset: boolean;
  /** Bytes that are left out before the text, because there were too many. */
  readonly lost: number;
  /** Bytes, one character each. */
  readonly text: string;
}

/** Longest request, in characters. */
export const LONGEST_REQUEST = 8192;
/** Most bytes typed at once. */
const MOST_TYPED = 4096;
/** Most instructions of one step. */
const MOST_STEPS = 1_000_000_000;

/** Characters of keys: printable ASCII, backspace, tab, Enter, escape. */
// deno-lint-ignore no-control-regex
const KEYS = /^[\x20-\x7e\b\t\n\x1b]{1,64}$/;

/** Reads a request; `undefined`: it is none. */
export function parseRequest(data: unknown): LabRequest | undefined {
  if (typeof data !== "string" || data.length > LONGEST_REQUEST) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const { do: what, count, text, at, entry } = value as Readonly<Record<string, unknown>>;
  switch (what) {
    case "run":
    case "pause":
    case "restart":
      return { do: what };
    case "step":
    case "back":
      return isWhole(count, 1, MOST_STEPS) ? { do: what, count } : undefined;
    case "type":
      return typeof text === "string" && isBytes(text) ? { do: what, text } : undefined;
    case "key":
      return typeof text === "string" && KEYS.test(text) ? { do: what, text } : undefined;
    case "look":
      return isWhole(at, 0, 4095) ? { do: what, at } : undefined;
    case "breakpoint":
    case "memory":
      return isWhole(at, 0, 0xffff_ffff) ? { do: what, at } : undefined;
    case "pages":
      return isWhole(entry, -1, 2047) ? { do: what, entry } : undefined;
    default:
      return undefined;
  }
}

function isWhole(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && min <= value && value <= max;
}

function isBytes(text: string): boolean {
  return text.length > 0 && text.length <= MOST_TYPED && Array.from(text).every((c) => c.charCodeAt(0) < 256);
}
