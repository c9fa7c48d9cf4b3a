/**
 * Steps of the client kernel with a second CPU: INIT, SetInitialAPState and start-up messages; what the CPU finds, and does
 * first; its own tables, task, APIC and timer; interrupts between the two, translations dropped on both; off and on again.
 * Where the ROM has no SetInitialAPState, the CPU comes by real-mode code. One CPU makes checked calls at a time: the other
 * spins on a word. Reference: 6.5, 8, 9.4, 10.1-10.3, 11.1 rows 24 and 25. Cold.
 */
import { assemble } from "../../../mod.ts";
import { expectFlag, flatAt, interrupts, systemAt, writeEntry } from "./cpu_steps.ts";
import { At, lin, MEMORY, PAGE_OFFSET } from "./head.ts";
import { MAXMEM_PFN } from "./activation.ts";
import type { Kit } from "./kit.ts";
import { MODULE } from "./mmu_steps.ts";
import { Bits, Flags, Pages } from "./pages.ts";
import { periodic, wait } from "./time_steps.ts";

/** Page of the real-mode code; the start-up message names it. */
const TRAMPOLINE = 0x9000;
/** Offsets in that page: protected mode goes on; the value of CR4, and behind it where paging goes on. */
const FLAT_AT = 0x40, CR4_AT = 0xf0;
/** Physical places of the second CPU. */
const Ap = { gdt: 0x195000, tss: 0x196000, data: 0x197000, stack: 0x19a000, kernelStack: 0x199000 } as const;
/** Vector of messages between the CPUs. */
const MESSAGE = 0xfc;
/** APIC: the second CPU; INIT, its end, a start-up message; fixed interrupts to the other, to oneself, to all others. */
const TARGET = 0x01000000;
const Icr = { init: 0x4500, deassert: 0x8500, startUp: 0x4600 | TRAMPOLINE >>> 12 } as const;
const Send = { other: 0x4000, self: 0x44000, others: 0xc4000 } as const;
/** CR0 of the state. */
const CR0 = 0x80050023;
/** Linear addresses of the two pages that both CPUs read. */
const SHARED = MODULE + 0x1000, FRESH = MODULE + 0x2000;

/** The registers of the state, in its order, with values of their own. */
const REGISTERS = ["eax", "ebx", "ecx", "edx", "ebp", "esi", "edi"] as const;

/** All steps with a second CPU. */
export function smpSteps(kit: Kit): string {
  const p = new Pages(kit);
  return `
smp_steps:
  mov eax, [${kit.op("SetInitialAPState")}]
  sub eax, native_SetInitialAPState
  neg eax
  sbb eax, eax
  mov [ap_by_state], eax            ; -1: the ROM starts CPUs; 0: real-mode code does
  ${kit.call("GetCR4")}
  mov [ap_cr4], eax
  ${write(kit, 0xf0, 0x1ff)}
  ${write(kit, 0x80, 0)}
  ${prepare(kit)}
  ${lowMapping(kit, p, true)}
  mov ebx, ${MESSAGE}
  mov eax, smp_message
  mov ecx, 0x8e00
  call set_gate
  ${start(kit, "start_secondary")}
  ${waitFor(kit, "the second CPU has started and set itself up", 2)}
  ${found(kit)}
  ${messages(kit, p)}
  ${again(kit)}
  ${lowMapping(kit, p, false)}
  ret
${secondary(kit)}
${code(kit)}`;
}

/** Tables of the second CPU by plain stores, and by calls while nobody has loaded them; the code for real mode. */
function prepare(kit: Kit): string {
  const gdt = lin(Ap.gdt), bytes = trampoline();
  return `mov esi, gdt_image
  mov edi, ${gdt}
  mov ecx, 64
  rep movsd
  ${writeEntry(kit, "WriteGDTEntry", gdt, 27, flatAt(lin(Ap.data)))}
  ${kit.config.release.canary ? writeEntry(kit, "WriteGDTEntry", gdt, 28, flatAt(lin(Ap.data) + 0x100)) : ""}
  mov dword [${lin(Ap.data) + 0x40}], 0x0a0b0c0d
  mov dword [${lin(Ap.data) + 0x140}], 0x1a1b1c1d
  mov esi, trampoline_image
  mov edi, ${lin(TRAMPOLINE)}
  mov ecx, ${bytes.length}
  rep movsb
  mov eax, [ap_cr4]
  mov [${lin(TRAMPOLINE) + CR4_AT}], eax
  mov dword [${lin(TRAMPOLINE) + CR4_AT + 4}], start_native`;
}

/** The first megabytes at their physical addresses, for the second CPU; or gone again (row 25). */
function lowMapping(kit: Kit, p: Pages, there: boolean): string {
  const entry = lin(At.swapper), high = entry + (p.pae ? 24 : 768 * 4), level = p.pae ? Flags.pdp : Flags.pd;
  const gone = p.pae && kit.config.release.switchesToPae ? At.zeroPage + 1 : 0;
  return [
    there ? `mov esi, [${high}]\n  ${p.set("esi", entry, level)}` : p.set(gone, entry, level),
    p.pae ? kit.call("SetCR3", { value: At.swapper }) : "",
    kit.call("FlushTLB", { flags: 3 }),
  ].join("\n  ");
}

function write(kit: Kit, register: number, value: number | string): string {
  return kit.call("APICWrite", { register, value });
}

/** A message to the second CPU, and until it is on its way. */
function send(kit: Kit, what: number): string {
  const again = kit.label();
  return `${write(kit, 0x310, TARGET)}
  ${write(kit, 0x300, what)}
${again}:
  ${kit.call("APICRead", { register: 0x300 })}
  test eax, 0x1000
  jnz ${again}`;
}

/** INIT, the state on the stack, which is gone afterwards, and two start-up messages. */
function start(kit: Kit, entry: string): string {
  const { release: r } = kit.config;
  const words: readonly (readonly [number, number | string])[] = [
    [0, CR0],
    [8, At.swapper],
    [24, entry],
    ...REGISTERS.map((_, i): [number, number] => [[32, 36, 40, 44, 52, 56, 60][i] ?? 0, 0x0e0e0000 + i]),
    [48, lin(Ap.stack)],
    [64, 0x00680060],
    [68, 0x007b007b],
    [72, 0xd8 | r.apGs << 16],
    [76, 0x00ff0000],
    [80, lin(Ap.gdt)],
    [84, lin(At.idt)],
    [88, 2047],
  ];
  return `${send(kit, Icr.init)}
  ${send(kit, Icr.deassert)}
  sub esp, 93                       ; anywhere: not even a multiple of 4
  mov ecx, 92
  mov edi, esp
  xor eax, eax
  rep stosb
  ${words.map(([at, value]) => `mov dword [esp+${at}], ${value}`).join("\n  ")}
  mov eax, [ap_cr4]
  mov [esp+12], eax
  mov ebx, esp
  mov dword [ap_entry], ${entry}
  ${kit.call("SetInitialAPState", { state: "ebx", apicId: 1 })}
  mov edi, ebx
  mov ecx, 92
  mov eax, 0x5a5a5a5a
  rep stosb
  add esp, 93
  ${send(kit, Icr.startUp)}
  ${send(kit, Icr.startUp)}`;
}

/** Until the second CPU says so. */
function waitFor(kit: Kit, text: string, phase: number): string {
  const again = kit.label(), there = kit.label();
  return `mov ecx, 4000000
${again}:
  cmp dword [ap_phase], ${phase}
  je ${there}
  dec ecx
  jnz ${again}
${there}:
  ${kit.check(text, "dword [ap_phase]", phase)}`;
}

/** What the second CPU has found at its first instruction. */
function found(kit: Kit): string {
  const skip = kit.label(), { release: r } = kit.config;
  const selectors: readonly (readonly [string, number])[] = [
    ["ds", 0x7b],
    ["es", 0x7b],
    ["fs", 0xd8],
    ["gs", r.apGs],
  ];
  return `
  mov eax, [ap_cs]
  sub eax, [kernel_rpl]
  ${kit.check("CS of the second CPU: the kernel's, in its ring", "eax", 0x60)}
  mov eax, [ap_ss]
  and eax, 0xfffc
  ${kit.check("SS of the second CPU", "eax", 0x68)}
  ${selectors.map(([n, v]) => kit.check(`${n.toUpperCase()} of the second CPU`, `dword [ap_${n}]`, v)).join("\n  ")}
  ${kit.check("ESP of the second CPU", "dword [ap_esp]", lin(Ap.stack))}
  mov eax, [ap_flags]
  and eax, 0x247fd7
  ${kit.check("EFLAGS of the second CPU", "eax", 2)}
  cmp dword [ap_by_state], 0
  je ${skip}
  ${
    REGISTERS.map((n, i) => kit.check(`${n.toUpperCase()} of the second CPU`, `dword [ap_${n}]`, 0x0e0e0000 + i)).join(
      "\n  ",
    )
  }
${skip}:
  ${kit.check("the second CPU has started once", "dword [ap_starts]", 1)}`;
}

/** Messages both ways, with interrupts on and off; translations that both drop; a start-up message that is too late. */
function messages(kit: Kit, p: Pages): string {
  const count = (n: number): string => `dword [smp_came+${4 * n}]`;
  const shared = `mov edi, [vmalloc_table]\n  add edi, ${2 * p.size}`;
  const page = (name: string, value: number): string =>
    `${p.fresh("esi")}\n  mov dword [esi], ${value}\n  lea esi, [esi-PAGE_OFFSET+${Bits.kernel}]\n  mov [${name}], esi`;
  /** Sends a message and waits until the other CPU has dealt with it. */
  const tell = (what: number, text: string): string => {
    const again = kit.label(), there = kit.label();
    return `mov ebx, [smp_came+4]
  ${write(kit, 0x310, TARGET)}
  ${write(kit, 0x300, what | MESSAGE)}
  mov ecx, 2000000
${again}:
  cmp [smp_came+4], ebx
  jne ${there}
  dec ecx
  jnz ${again}
${there}:
  inc ebx
  ${kit.check(text, "ebx", count(1))}`;
  };
  return `
  ${page("smp_page_a", 0xaaaa0001)}
  ${page("smp_page_b", 0xbbbb0002)}
  ${shared}
  mov esi, [smp_page_a]
  ${p.set("esi", "edi", (SHARED | Flags.pt | Flags.current) >>> 0)}
  mov dword [smp_drop], 0
  mov dword [smp_look], ${SHARED}
  ${tell(Send.other, "a message has come")}
  ${kit.check("what the second CPU sees without a flush of a new entry", "dword [smp_seen]", 0xaaaa0001)}
  ${kit.call("SetLazyMode", { mode: 1 })}
  ${shared}
  mov esi, [smp_page_b]
  ${p.set("esi", "edi", (SHARED | Flags.pt | Flags.current | Flags.defer) >>> 0)}
  ${kit.call("SetLazyMode", { mode: 0 })}
  ${kit.call("InvalPage", { address: SHARED })}
  ${kit.check("what the first CPU sees of a changed entry", `dword [${SHARED}]`, 0xbbbb0002)}
  mov dword [smp_drop], 1
  ${tell(Send.others, "a message to all others has come")}
  ${kit.check("what the second CPU sees of a changed entry, after its own flush", "dword [smp_seen]", 0xbbbb0002)}
  ${shared}
  add edi, ${p.size}
  mov esi, [smp_page_a]
  ${p.set("esi", "edi", (FRESH | Flags.pt | Flags.current) >>> 0)}
  mov dword [smp_drop], 0
  mov dword [smp_look], ${FRESH}
  ${tell(Send.other, "another message has come")}
  ${kit.check("a second new entry without a flush", "dword [smp_seen]", 0xaaaa0001)}
  ${send(kit, Icr.startUp)}
  ${tell(Send.other, "a CPU that runs takes no notice of a start-up message")}
  ${kit.check("it has still started once", "dword [ap_starts]", 1)}
  mov dword [ap_phase], 3           ; the second CPU closes itself and says so
  ${waitFor(kit, "the second CPU has interrupts off", 4)}
  mov ebx, [smp_came+4]
  ${write(kit, 0x310, TARGET)}
  ${write(kit, 0x300, Send.other | MESSAGE)}
  mov ecx, 20000
  dec ecx
  jnz $-1
  ${kit.check("a message waits for interrupts", "ebx", count(1))}
  inc ebx
  mov dword [ap_phase], 5
  ${waitFor(kit, "the message came with the call that lets interrupts in", 6)}
  ${kit.check("the message that waited has come", "ebx", count(1))}
  ${expectFlag(kit, "interrupts are off on the first CPU", false)}
  mov ebx, [smp_came]
  ${write(kit, 0x300, Send.self | MESSAGE)}
  ${kit.check("a message to oneself waits", "ebx", count(0))}
  ${interrupts(kit, true)}
  inc ebx
  ${kit.check("and is there before the call that lets it in returns", "ebx", count(0))}
  ${write(kit, 0x300, Send.self | MESSAGE)}
  inc ebx
  ${kit.check("with interrupts on it comes in the call that sends it, or just behind", "ebx", count(0))}
  ${interrupts(kit, false)}`;
}

/** Off line by INIT, on line again in a state that is given anew; off for good. */
function again(kit: Kit): string {
  return `mov dword [ap_phase], 7
  ${waitFor(kit, "the second CPU is off", 8)}
  ${start(kit, "start_again")}
  ${waitFor(kit, "the second CPU is on line again", 9)}
  ${kit.check("it has started twice", "dword [ap_starts]", 2)}`;
}

/** What the second CPU does. */
function secondary(kit: Kit): string {
  const { release: r } = kit.config, gdt = lin(Ap.gdt), tss = lin(Ap.tss), call = kit.call.bind(kit);
  const pages = r.namesWholeLowmem ? MAXMEM_PFN : MEMORY >> 12;
  const spin = (phase: number): string => {
    const again = kit.label();
    return `${again}:\n  cmp dword [ap_phase], ${phase}\n  jne ${again}`;
  };
  return `
start_native:                       ; from real mode: what the state would have done
  lgdt [ap_gdt_pointer]
  lidt [idt_pointer]
  mov eax, 0x68
  mov ss, ax
  mov esp, ${lin(Ap.stack)}
  mov eax, 0xd8
  mov fs, ax
  mov eax, ${r.apGs}
  mov gs, ax
  push dword 2
  popfd
  push dword 0x60
  push dword [ap_entry]
  retf
start_secondary:
  mov [ss:ap_eax], eax
  ${REGISTERS.slice(1).map((n) => `mov [ss:ap_${n}], ${n}`).join("\n  ")}
  mov [ss:ap_esp], esp
  pushfd
  pop dword [ss:ap_flags]
  ${["cs", "ss", "ds", "es", "fs", "gs"].map((n) => `mov eax, ${n}\n  mov [ss:ap_${n}], eax`).join("\n  ")}
  inc dword [ap_starts]
  ${call("SetLinearMapping", { slot: 0, address: PAGE_OFFSET, pages, pfn: 0 })}
  ${call("SetIDT", { pointer: "idt_pointer" })}
  ${call("SetGDT", { pointer: "ap_gdt_pointer" })}
  mov eax, 0xd8
  mov fs, eax
  mov eax, ${r.canary ? 0xe0 : 0}
  mov gs, eax
  mov eax, [fs:0x40]
  ${kit.check("per-CPU segment of the second CPU", "eax", 0x0a0b0c0d)}
  ${r.canary ? `mov eax, [gs:0x40]\n  ${kit.check("canary segment of the second CPU", "eax", 0x1a1b1c1d)}` : ""}
  ${call("GetGDT", { pointer: "stored" })}
  mov eax, [stored+2]
  ${kit.check("GetGDT on the second CPU", "eax", gdt)}
  mov edi, ${tss}
  mov ecx, 26
  xor eax, eax
  rep stosd
  mov dword [${tss + 8}], 0x68
  mov dword [${tss + 0x64}], 0x80000000
  mov dword [${tss + 4}], ${lin(Ap.kernelStack)}
  ${call("UpdateKernelStack", { ss0: 0x68, esp0: lin(Ap.kernelStack) })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 16, systemAt(tss, 0x2000 + 108, 0x89))}
  ${call("SetTR", { selector: 0x80 })}
  ${call("GetTR")}
  ${kit.check("GetTR on the second CPU", "eax", 0x80)}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, [0x0000ffff, 0x000f8200])}
  ${call("SetLDT", { selector: 0 })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 31, systemAt(tss + 0x800, 104, 0x89))}
  ${call("GetCR0")}
  or eax, 0x10
  ${kit.check("CR0 of the second CPU", "eax", (CR0 | 0x10) >>> 0)}
  ${call("GetCR3")}
  ${kit.check("CR3 of the second CPU", "eax", At.swapper)}
  ${call("GetCR4")}
  ${kit.check("CR4 of the second CPU", "eax", "dword [ap_cr4]")}
  ${call("SetCR4", { value: "dword [ap_cr4]" })}
  ${[0, 1, 2, 3, 6, 7].map((n) => call("SetDR", { number: n, value: 0 })).join("\n  ")}
  ${expectFlag(kit, "interrupts are off on the second CPU", false)}
  ${call("APICRead", { register: 0x20 })}
  ${kit.check("APIC id of the second CPU", "eax", TARGET)}
  ${call("APICRead", { register: 0x30 })}
  and eax, 0xf0
  ${kit.check("APIC of the second CPU is integrated", "eax", 0x10)}
  ${write(kit, 0xf0, 0x1ff)}
  ${write(kit, 0x80, 0)}
  ${timer(kit)}
  ${interrupts(kit, true)}
  mov dword [ap_phase], 2
  ${spin(3)}
  ${interrupts(kit, false)}
  mov ebx, [smp_came+4]
  mov dword [ap_phase], 4
  ${spin(5)}
  ${interrupts(kit, true)}
  inc ebx
  ${kit.check("the message is there before the call that lets it in returns", "ebx", "dword [smp_came+4]")}
  mov dword [ap_phase], 6
  ${spin(7)}
  ${interrupts(kit, false)}
  mov dword [ap_phase], 8
ap_off:
  cli
  hlt
  jmp ap_off
start_again:
  inc dword [ap_starts]
  ${call("SetIDT", { pointer: "idt_pointer" })}
  ${call("SetGDT", { pointer: "ap_gdt_pointer" })}
  ${call("GetCR3")}
  ${kit.check("CR3 of the second CPU, again", "eax", At.swapper)}
  ${expectFlag(kit, "interrupts are off on the second CPU, again", false)}
  mov dword [ap_phase], 9
  jmp ap_off`;
}

/** 9.4: an alarm of its own, on the local timer's vector; 2.6.21 names the vector first, the others afterwards. */
function timer(kit: Kit): string {
  const { release: r, localApic } = kit.config, done = kit.label(), LOCAL = 0x10000;
  if (!localApic) return "";
  const vector = write(kit, 0x320, r.lvtt.ioApic);
  return `cmp dword [has_timer], 0
  je ${done}
  mov dword [local_ticks], 0
  ${r.clockEvents ? `${periodic(kit, LOCAL)}\n  ${vector}` : `${vector}\n  ${periodic(kit, LOCAL)}`}
  ${wait(3)}
  mov eax, [local_ticks]
  sub eax, 3
  shr eax, 1
  ${kit.check("the second CPU's ticks come by its local timer", "eax", 0)}
  ${kit.call("CancelAlarm", { flags: (r.clockEvents ? 0 : 1) | (r.cancelsWithFlags ? 0x100 | LOCAL : 0) })}
  ${kit.check("the second CPU's alarm was armed", "eax", 1)}
  ${kit.call("CancelAlarm", { flags: r.clockEvents ? 0 : 1 })}
  ${kit.check("and is not any more", "eax", 0)}
${done}:`;
}

/** The handler of messages, real-mode code as bytes, and words. */
function code(kit: Kit): string {
  const words = [...REGISTERS, "esp", "flags", "cs", "ss", "ds", "es", "fs", "gs"];
  return `
smp_message:                        ; on whatever CPU: its number is the APIC's
  pushad
  push ds
  push es
  mov eax, 0x7b
  mov ds, eax
  mov es, eax
  mov eax, 0xb0
  xor edx, edx
  call dword [${kit.op("APICWrite")}]
  mov eax, 0x20
  call dword [${kit.op("APICRead")}]
  shr eax, 24
  mov ebx, eax
  mov esi, [smp_look]
  cmp dword [smp_drop], 0
  je smp_message_look
  mov eax, esi
  call dword [${kit.op("InvalPage")}]
smp_message_look:
  test ebx, ebx
  jz smp_message_done
  mov eax, [esi]
  mov [smp_seen], eax
smp_message_done:
  inc dword [smp_came+ebx*4]
  pop es
  pop ds
  popad
  jmp iret_exit
align 4
ap_gdt_pointer:
  dw 255
  dd ${lin(Ap.gdt)}
align 4
${words.map((n) => `ap_${n}: dd 0`).join("\n")}
${["by_state", "cr4", "entry", "phase", "starts"].map((n) => `ap_${n}: dd 0`).join("\n")}
smp_came: dd 0, 0
smp_look: dd 0
smp_drop: dd 0
smp_seen: dd 0
smp_page_a: dd 0
smp_page_b: dd 0
trampoline_image:
${trampoline().reduce((text, b, i) => `${text}${i % 16 === 0 ? "\n  db " : ", "}${b}`, "")}
align 4`;
}

/** Real mode to flat protected mode to paging; {@linkcode prepare} fills in CR4 and where to go on. */
function trampoline(): Uint8Array {
  const pointer = 0xe0;
  const real = assemble(
    `cli
    mov ax, cs
    mov ds, ax
    db 0x66, 0x0f, 0x01, 0x16, ${pointer}, 0
    mov eax, cr0
    or al, 1
    mov cr0, eax
    db 0x66, 0xea
    dd ${TRAMPOLINE + FLAT_AT}
    dw 0x60`,
    { origin: 0, bits: 16 },
  ).bytes;
  const flat = assemble(
    `mov eax, 0x68
    mov ss, ax
    mov eax, 0x7b
    mov ds, ax
    mov es, ax
    mov eax, [${TRAMPOLINE + CR4_AT}]
    mov cr4, eax
    mov eax, ${At.swapper}
    mov cr3, eax
    mov eax, ${CR0}
    mov cr0, eax
    jmp dword [${TRAMPOLINE + CR4_AT + 4}]`,
    { origin: TRAMPOLINE + FLAT_AT, bits: 32 },
  ).bytes;
  const image = new Uint8Array(0xf8), view = new DataView(image.buffer);
  image.set(real, 0);
  image.set(flat, FLAT_AT);
  view.setUint16(pointer, 255, true);
  view.setUint32(pointer + 2, Ap.gdt, true);
  return image;
}
