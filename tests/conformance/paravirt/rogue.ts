/**
 * A small guest for hostile tests: tables and paging as a kernel has them, Init of the ROM, then a body of the test's own.
 * All exceptions are logged; after each the guest goes on where the body has said.
 */
import {
  assemble,
  type CostTable,
  type Device,
  type ParavirtName,
  type PciCard,
  type Personality,
  type StopReason,
  vmiPc,
  type VmiPcMachine,
} from "../../../mod.ts";
import { DESCRIPTORS, ENTRY_WORDS, exceptionEntries, FLAT, paging } from "../../../lib/guests/nasty/flat.ts";
import { codeText, NATIVE_CODE } from "../../../lib/spec/paravirt_native.ts";
import { PARAVIRT_CALLS } from "../../../lib/spec/paravirt_calls.ts";
import type { Candidate } from "./backends.ts";

const ORIGIN = 0x10000;
const ROM = 0xc8000;
/** Physical addresses of the guest's tables; linear and physical are the same in its first 8 MiB. */
export const DIRECTORY = 0x40000;
/** Page table of the first 4 MiB; the next page is that of the second 4 MiB. */
export const TABLE: number = DIRECTORY + 0x1000;
/** Page table of linear 0x40000000, empty at first. */
export const FREE_TABLE: number = DIRECTORY + 0x3000;
/** Words for results. */
export const RESULTS = 0x8000;
/** How often vector 0x31 came. */
export const TICKS = 0x8300;
const LOG = 0x20000;

/** An exception as the guest saw it. */
export interface Logged {
  readonly vector: number;
  readonly errorCode: number;
  readonly eip: number;
  readonly cs: number;
}

/** A rogue guest after its run. */
export interface Rogue {
  readonly m: VmiPcMachine;
  readonly stop: StopReason;
  readonly faults: readonly Logged[];
  /** A result word. */
  result(n: number): number;
}

/** What a body may use. */
export interface Kit {
  /** Code that may fault: afterwards the guest goes on behind it. */
  attempt(code: string): string;
  /** A call of the ROM; arguments in registers and on the stack as the body leaves them. */
  call(name: ParavirtName): string;
  /** Stores EAX as result `n`. */
  store(n: number, register?: string): string;
  /** Enters ring 3 at a label of the body, with a stack and interrupts as asked. */
  user(label: string, eflags?: number): string;
  /** Address of a call's slot. */
  slot(name: ParavirtName): number;
}

/** What can be chosen. */
export interface RogueOptions {
  /** Instructions; default a million. */
  readonly budget?: number;
  /** Engine; default the machine's. */
  readonly engine?: "interpreter" | "jit" | "reference";
  /** PAE tables (with 2 MiB pages) in place of two levels. */
  readonly pae?: boolean;
  /** CPUs; default 1. */
  readonly cpus?: number;
  /** Devices beside those of a PC. */
  readonly devices?: readonly Device[];
  /** Cards in PCI slots, from slot 3 on. */
  readonly cards?: readonly PciCard[];
  /** Hard disks. */
  readonly disks?: readonly Uint8Array[];
  /** What events cost. */
  readonly costs?: CostTable;
  /** What hypervisor of today the guest finds. */
  readonly personality?: Personality;
  /** Runs before the guest starts. */
  readonly prepare?: (m: VmiPcMachine) => void;
}

/** Runs a body on a backend. */
export function rogue(candidate: Candidate, body: (kit: Kit) => string, options: RogueOptions = {}): Rogue {
  const { cpus = 1, devices = [], cards = [], disks = [] } = options;
  const engine = options.engine === undefined ? {} : { engine: options.engine };
  const costs = options.costs === undefined ? {} : { costs: options.costs };
  const parts = { backend: candidate.make(), memory: 16 << 20, cpus, devices, cards, disks, ...engine, ...costs };
  const { personality } = options;
  const m = personality === undefined ? vmiPc(parts) : vmiPc<string>({ ...parts, personality });
  let label = 0;
  const used = new Set<ParavirtName>();
  const slot = (name: ParavirtName): number => {
    const no = PARAVIRT_CALLS.find((c) => c.name === name)?.no ?? -1;
    return ROM + (m.paravirt.rom.slots[no]?.at ?? 0);
  };
  const kit: Kit = {
    attempt: (code) => `mov dword [resume], after_${++label}\n${code}\nafter_${label}:`,
    call: (name) => {
      if (!candidate.transparent) return `call ${slot(name)}`;
      used.add(name);
      return `call native_${name}`;
    },
    store: (n, register = "eax") => `mov [${RESULTS + 4 * n}], ${register}`,
    user: (at, eflags = 0x202) =>
      `push dword 0x7b\npush dword 0x9f00\npush dword ${eflags}\npush dword 0x73\npush dword ${at}\n${
        kit.call("IRET")
      }`,
    slot,
  };
  const main = program(body(kit), kit, options.pae ?? false, !candidate.transparent);
  const source = `${main}\n${[...used].map(nativeCode).join("\n")}`;
  const bytes = assemble(source, { origin: ORIGIN, bits: 32 }).bytes;
  m.boot({
    name: "rogue",
    load: (target) => {
      target.place(ORIGIN, bytes, "rogue");
      return { mode: "flat32", entry: ORIGIN, stack: 0x9000 };
    },
  });
  options.prepare?.(m);
  const stop = m.run({ instructions: options.budget ?? 1_000_000 });
  const word = (at: number): number => new DataView(m.peek(at, 4).buffer).getUint32(0, true);
  const count = (word(LOG) - (LOG + 16)) / 16;
  const faults = Array.from({ length: Math.max(0, count) }, (_, i): Logged => {
    const at = LOG + 16 + 16 * i;
    return { vector: word(at), errorCode: word(at + 4), eip: word(at + 8), cs: word(at + 12) };
  });
  return { m, stop, faults, result: (n) => word(RESULTS + 4 * n) };
}

/** A call as a guest without the interface has it. */
function nativeCode(name: ParavirtName): string {
  const lines = NATIVE_CODE[name] ?? ["c3 | ret"];
  return `native_${name}:\n${lines.map(codeText).join("\n").replaceAll(" $+", " short $+")}`;
}

function program(body: string, kit: Kit, pae: boolean, initializes: boolean): string {
  return `
  ${FLAT}
  mov dword [${LOG}], ${LOG + 16}
  ${paging(DIRECTORY, pae)}
  ${initializes ? `mov eax, ${ROM + 0x80}\n  call eax\n  test eax, eax\n  jnz stop` : ""}
  ${body}
stop:
  ${kit.call("Shutdown")}

tick:                               ; vector 0x31; the local APIC is at 0x40000000 then
  inc dword [ss:${TICKS}]
  mov dword [ss:0x400000b0], 0
  ${kit.call("IRET")}

system_call:                        ; from ring 3: back to the kernel for good
  mov esp, 0x9000
  jmp stop

${exceptionEntries(0xffff, "logged")}
logged:
  push eax
  push ebx
  mov ebx, [ss:${LOG}]
  mov eax, [ss:esp+8]
  mov [ss:ebx], eax
  mov eax, [ss:esp+12]
  mov [ss:ebx+4], eax
  mov eax, [ss:esp+16]
  mov [ss:ebx+8], eax
  mov eax, [ss:esp+20]
  mov [ss:ebx+12], eax
  add dword [ss:${LOG}], 16
  mov eax, [ss:resume]
  mov [ss:esp+16], eax
  and dword [ss:esp+24], 0xfffffeff ; no single step goes on
  pop ebx
  pop eax
  add esp, 8
  ${kit.call("IRET")}

align 8
resume: dd stop
entries:
${ENTRY_WORDS}
  times 17 dd 0
  dd tick
gate_types:
  times 32 dw 0x8e00
  times 17 dw 0
  dw 0x8e00
${DESCRIPTORS}
`;
}
