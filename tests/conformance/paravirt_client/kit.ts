/**
 * What the parts of the client kernel are written with: checks that have a text, calls through operations, patch sites.
 *
 * A part returns assembly text. `check` compares and logs a mismatch under its text; `call` puts arguments where the call
 * table says (registers that hold no argument get garbage), goes through `checked`, which sets sentinels and compares
 * them afterwards, and through the operation's pointer, as the kernel does. Cold.
 */
import type { ParavirtName } from "../../../mod.ts";
import { PARAVIRT_CALLS, type ParavirtRow } from "../../../lib/spec/paravirt_calls.ts";
import type { Config } from "./releases.ts";

/** A patch site. */
export interface Site {
  readonly label: string;
  /** The call it stands for; two for the site that saves and disables. */
  readonly calls: readonly ParavirtName[];
  readonly bytes: number;
}

/** What happens to the registers of a call, as bits for the guest. */
export const Keep = { eax: 1, ecx: 2, edx: 4, resultEax: 8, resultEdx: 16, cpuid: 32, noDs: 64, init: 128 } as const;

const ENTRIES = { Init: 74, GetRelocationInfo: 75 } as const;

/** Names for which there is an operation. */
export type OpName = ParavirtName;

/** Values of arguments by name: EBX, ESI, EDI, EBP, a number, a label or a memory operand; two for 64 bits. */
export type Values = Readonly<Record<string, string | number | readonly [string | number, string | number]>>;

/** Number of a call or entry. */
export function numberOf(name: ParavirtName): number {
  const row = PARAVIRT_CALLS.find((r) => r.name === name);
  return row?.no ?? ENTRIES[name as keyof typeof ENTRIES];
}

/** Collects what the parts need. */
export class Kit {
  readonly config: Config;
  /** Texts of the checks by number. */
  readonly checks: string[] = [];
  readonly sites: Site[] = [];
  /** Sites of the module, which is patched when it is loaded. */
  readonly moduleSites: Site[] = [];
  /** Functions that consist of a site and a return, by label. */
  readonly siteFunctions: string[] = [];
  readonly #thunks = new Map<string, string>();
  readonly #ops = new Set<OpName>();
  #labels = 0;

  constructor(config: Config) {
    this.config = config;
  }

  /** A fresh label. */
  label(): string {
    return `l_${++this.#labels}`;
  }

  /** Compares a register (or a `dword [..]`) with a number, a register or a label. */
  check(text: string, value: string, expected: string | number): string {
    const id = this.checks.push(text) - 1, ok = this.label();
    return `mov dword [ss:ck_id], ${id}
  inc dword [ss:ck_count]
  cmp ${value}, ${expected}
  je ${ok}
  push dword ${value.replace(/^dword /, "")}
  call check_failed
${ok}:`;
  }

  /** The operation's label, which holds its pointer. */
  op(name: OpName): string {
    this.#ops.add(name);
    return `op_${name}`;
  }

  /** All operations that were named. */
  get ops(): readonly OpName[] {
    return [...this.#ops];
  }

  /** A call through an operation, checked. Clobbers EAX, ECX, EDX beyond the result. */
  call(name: ParavirtName, values: Values = {}): string {
    return this.#call(name, values, `call ${this.thunk(name, this.op(name))}`);
  }

  /** A call as a handler makes it: through the operation, unchecked. */
  raw(name: ParavirtName, values: Values = {}): string {
    return this.#call(name, values, `call dword [${this.op(name)}]`);
  }

  #call(name: ParavirtName, values: Values, make: string): string {
    const row = rowOf(name), lines: string[] = [], stack: string[] = [];
    for (const [arg, places] of argumentsOf(row)) {
      const given = values[arg];
      if (given === undefined) throw new Error(`${name} needs ${arg}`);
      const words = typeof given === "object" ? given : [given];
      places.forEach((place, i) => {
        const word = words[i] ?? 0;
        if (place.startsWith("stack")) stack.unshift(`push dword ${word}`);
        else if (word !== place) lines.push(`mov ${place}, ${word}`);
      });
    }
    for (const given of Object.keys(values)) {
      if (!argumentsOf(row).some(([arg]) => arg === given)) throw new Error(`${name} has no ${given}`);
    }
    const drop = stack.length > 0 ? [`add esp, ${4 * stack.length}`] : [];
    return [...stack, ...lines, make, ...drop].join("\n  ");
  }

  /** A site reached by a call, checked; EAX is the argument of SetInterruptMask. */
  callSite(name: ParavirtName, label: string): string {
    const holder = `fn_${label}`;
    return `call ${this.thunk(name, holder)}`;
  }

  /** Code that sets what `checked` needs to know of a call. */
  thunk(name: ParavirtName, holder: string): string {
    const label = `thunk_${holder}`;
    if (this.#thunks.has(label)) return label;
    const row = rowOf(name), places = argumentsOf(row).flatMap(([, p]) => p);
    const garbage = ["eax", "ecx", "edx"].filter((r) => !places.includes(r)).map((r, i) =>
      `mov ${r}, 0x${(0xbadc0de1 + 0x01010101 * (i + row.no)).toString(16).slice(-8)}`
    );
    this.#thunks.set(
      label,
      `${label}:
  ${garbage.join("\n  ")}
  mov dword [ss:chk_no], ${numberOf(name)}
  mov dword [ss:chk_fn], ${holder}
  mov dword [ss:chk_keep], ${keepOf(row)}
  jmp checked`,
    );
    return label;
  }

  /** All thunks. */
  get thunks(): string {
    return [...this.#thunks.values()].join("\n");
  }

  /** A patch site: its bytes before patching. `saves` are pushed before the indirect call and popped behind it. */
  site(calls: readonly ParavirtName[], saves: readonly string[], call: 6 | 7, jump = false, module = false): string {
    const list = module ? this.moduleSites : this.sites;
    const label = `${module ? "module_" : ""}site_${list.length}`, prefix = call === 7 ? "0x2e, " : "";
    const between = calls.length > 1 ? ["push eax"] : [], after = calls.length > 1 ? ["pop eax"] : [];
    const bytes = 2 * saves.length + calls.length * call + between.length + after.length;
    list.push({ label, calls, bytes });
    const indirect = calls.map((name) => `db ${prefix}0xff, ${jump ? "0x25" : "0x15"}\n  dd ${this.op(name)}`);
    return [
      `${label}:`,
      ...saves.map((r) => `push ${r}`),
      indirect[0] ?? "",
      ...between,
      ...indirect.slice(1),
      ...after,
      ...[...saves].reverse().map((r) => `pop ${r}`),
    ].join("\n  ");
  }

  /** A function of a site and a return. @returns Its site's label. */
  siteFunction(calls: readonly ParavirtName[], saves: readonly string[], call: 6 | 7): string {
    const body = this.site(calls, saves, call), label = this.sites.at(-1)?.label ?? "";
    this.siteFunctions.push(`${label}_function:\n${body}\n  ret\nalign 4\nfn_${label}: dd ${label}_function`);
    return label;
  }
}

function rowOf(name: ParavirtName): ParavirtRow {
  const row = PARAVIRT_CALLS.find((r) => r.name === name);
  if (row !== undefined) return row;
  const no = ENTRIES[name as keyof typeof ENTRIES];
  const args = name === "Init" ? [] : ["call@eax"], result = name === "Init" ? "eax" : "edx:eax";
  return { no, name, args, result, clobbers: "standard", topic: "cpu" } as unknown as ParavirtRow;
}

function argumentsOf(row: ParavirtRow): readonly (readonly [string, readonly string[]])[] {
  return row.args.map((text: string) => {
    const [name = "", places = ""] = text.split("@");
    return [name, places.split(",")] as const;
  });
}

function keepOf(row: ParavirtRow): number {
  const strict = row.topic === "interrupt" && row.clobbers !== "standard";
  let bits = row.name === "Init" ? Keep.init : 0;
  if (row.result === "eax" || row.result === "edx:eax") bits |= Keep.resultEax;
  if (row.result === "edx:eax") bits |= Keep.resultEdx;
  if (row.result === "eax:ebx:ecx:edx") bits |= Keep.cpuid | Keep.resultEax | Keep.resultEdx;
  if (strict) bits |= Keep.noDs | Keep.ecx | Keep.edx | (row.result === "eax" ? 0 : Keep.eax);
  return bits;
}
