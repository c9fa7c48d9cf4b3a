/**
 * A small guest for hostile tests: tables and paging as a kernel has them, Init of the ROM, then a body of the test's own.
 * All exceptions are logged; after each the guest goes on where the body has said.
 */
import {
  assemble,
  type CostTable,
  type Device,
  type ParavirtName,
  type Personality,
  type StopReason,
  vmiPc,
  type VmiPcMachine,
} from "../../../mod.ts";
import { codeText, NATIVE_CODE } from "../../../lib/vmi/paravirt/native_code.ts";
import { PARAVIRT_CALLS } from "../../../lib/spec/paravirt_calls.ts";
import type { Candidate } from "./backends.ts";

const ORIGIN = 0x10000;
const ROM = 0xc8000;
/** Physical addresses of the guest's tables; linear and physical are the same in its first 8 MiB. */
export const DIRECTORY = 0x40000;
/** Page table of the first 4 MiB; the next page is that of the second 4 MiB. */
export const TABLE = 0x41000;
/** Page table of linear 0x40000000, empty at first. */
export const FREE_TABLE = 0x43000;
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
  /** What events cost. */
  readonly costs?: CostTable;
  /** What hypervisor of today the guest finds. */
  readonly personality?: Personality;
  /** Runs before the guest starts. */
  readonly prepare?: (m: VmiPcMachine) => void;
}

/** Runs a body on a backend. */
export function rogue(candidate: Candidate, body: (kit: Kit) => string, options: RogueOptions = {}): Rogue {
  const { cpus = 1, devices = [] } = options;
  const engine = options.engine === undefined ? {} : { engine: options.engine };
  const costs = options.costs === undefined ? {} : { costs: options.costs };
  const parts = { backend: candidate.make(), memory: 16 << 20, cpus, devices, ...engine, ...costs };
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
  const vectors = Array.from({ length: 32 }, (_, v) => v);
  const withCode = [8, 10, 11, 12, 13, 14, 17];
  return `
  cli
  lgdt [gdt_pointer]
  push dword 0x60
  push dword flat
  retf
flat:
  mov eax, 0x68
  mov ss, ax
  mov eax, 0x7b
  mov ds, ax
  mov es, ax
  xor eax, eax
  mov fs, ax
  mov gs, ax
  mov dword [${LOG}], ${LOG + 16}
  mov edi, idt                      ; gates: exceptions, then 0x80 for everybody
  mov esi, entries
  xor ebx, ebx
next_gate:
  mov eax, [esi+ebx*4]
  mov edx, eax
  and eax, 0xffff
  or eax, 0x600000
  mov dx, 0x8e00
  mov [edi+ebx*8], eax
  mov [edi+ebx*8+4], edx
  inc ebx
  cmp ebx, 32
  jb next_gate
  mov eax, system_call
  mov edx, eax
  and eax, 0xffff
  or eax, 0x600000
  mov dx, 0xee00
  mov [idt+0x80*8], eax
  mov [idt+0x80*8+4], edx
  mov eax, tick
  mov edx, eax
  and eax, 0xffff
  or eax, 0x600000
  mov dx, 0x8e00
  mov [idt+0x31*8], eax
  mov [idt+0x31*8+4], edx
  lidt [idt_pointer]
  ${pae ? PAE_TABLES : TABLES}
  mov eax, tss
  mov [gdt+0x80+2], ax
  shr eax, 16
  mov [gdt+0x84], al
  mov [gdt+0x87], ah
  mov eax, 0x80
  ltr ax
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

${
    vectors.map((v) => `entry_${v}:\n${withCode.includes(v) ? "" : "push dword 0xffff\n"}push dword ${v}\njmp logged`)
      .join("\n")
  }
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
gdt:
  times 24 dd 0
  dd 0x0000ffff, 0x00cf9a00
  dd 0x0000ffff, 0x00cf9200
  dd 0x0000ffff, 0x00cffa00
  dd 0x0000ffff, 0x00cff200
  dd 107, 0x00008900
  times 30 dd 0
gdt_pointer:
  dw 255
  dd gdt
idt_pointer:
  dw 2047
  dd idt
entries:
${vectors.map((v) => `  dd entry_${v}`).join("\n")}
align 8
tss:
  dd 0, 0xa000, 0x68
  times 22 dd 0
  dd 0x680000
  dd 0xffffffff                     ; port bitmap: no port is free
align 8
idt:
  times 512 dd 0
`;
}

/** Two page tables, everything for everybody, a third one empty. */
const TABLES = `
  mov edi, ${DIRECTORY}
  mov ecx, 0x1000
  xor eax, eax
  rep stosd
  mov edi, ${TABLE}
  mov eax, 7
next_page:
  mov [edi], eax
  add edi, 4
  add eax, 0x1000
  cmp edi, ${TABLE + 0x2000}
  jb next_page
  mov dword [${DIRECTORY}], ${TABLE + 7}
  mov dword [${DIRECTORY + 4}], ${TABLE + 0x1000 + 7}
  mov dword [${DIRECTORY + 0x400}], ${FREE_TABLE + 7}
  mov eax, ${DIRECTORY}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  jmp paging
paging:`;

/** Pointers at DIRECTORY, a directory behind it: 2 MiB pages of the first 8 MiB; a second for 1 GiB with an empty table. */
const PAE_TABLES = `
  mov edi, ${DIRECTORY}
  mov ecx, 0x1400
  xor eax, eax
  rep stosd
  mov dword [${DIRECTORY}], ${DIRECTORY + 0x1000 + 1}
  mov dword [${DIRECTORY + 8}], ${DIRECTORY + 0x2000 + 1}
  mov dword [${DIRECTORY + 0x1000}], 0x000087
  mov dword [${DIRECTORY + 0x1008}], 0x200087
  mov dword [${DIRECTORY + 0x1010}], 0x400087
  mov dword [${DIRECTORY + 0x1018}], 0x600087
  mov dword [${DIRECTORY + 0x2000}], ${FREE_TABLE + 7}
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax
  mov eax, ${DIRECTORY}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80010000
  mov cr0, eax
  jmp paging
paging:`;
