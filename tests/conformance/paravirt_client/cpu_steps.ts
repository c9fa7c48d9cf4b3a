/**
 * Steps of the client kernel that concern the processor: interrupt flag through every size of site, control and debug
 * registers, descriptor tables, IDT. Reference: 3.2 (strict calls), 4.3 (sites), 5.3, 7.2-7.4, 11.1 rows 13, 14, 16, 18. Cold.
 */
import { attempt } from "./handlers.ts";
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";

/** EFLAGS bits that must not come through SetInterruptMask: TF, IOPL, NT, AC, ID. */
const OTHER_FLAGS = 0x247100;

interface IrqSites {
  readonly disable: readonly string[];
  readonly enable: readonly string[];
  readonly save: readonly string[];
  readonly restore: readonly string[];
  readonly both: readonly string[];
}

const made = new WeakMap<Kit, IrqSites>();

/** One site of each kind and size that the release has. */
function irqSites(kit: Kit): IrqSites {
  const before = made.get(kit);
  if (before !== undefined) return before;
  const { release: r } = kit.config;
  const c = r.siteInC === 10 ? ["ecx", "edx"] : [];
  const assembly = (name: "DisableInterrupts" | "EnableInterrupts"): string[] =>
    r.sitesInAssembly.map((s) => kit.siteFunction([name], s.saves, s.call));
  const sites: IrqSites = {
    disable: [kit.siteFunction(["DisableInterrupts"], c, 6), ...assembly("DisableInterrupts")],
    enable: [kit.siteFunction(["EnableInterrupts"], c, 6), ...assembly("EnableInterrupts")],
    save: [kit.siteFunction(["GetInterruptMask"], c, 6)],
    restore: [kit.siteFunction(["SetInterruptMask"], c, 6)],
    both: r.saveAndDisable ? [kit.siteFunction(["GetInterruptMask", "DisableInterrupts"], ["ecx", "edx"], 6)] : [],
  };
  made.set(kit, sites);
  return sites;
}

/** The flag as the first site of its kind tells it, against what is expected. */
export function expectFlag(kit: Kit, text: string, on: boolean): string {
  return `${kit.callSite("GetInterruptMask", irqSites(kit).save[0] ?? "")}
  and eax, 0x200
  ${kit.check(text, "eax", on ? 0x200 : 0)}`;
}

/** Switches interrupts by a patched site. */
export function interrupts(kit: Kit, on: boolean): string {
  const { enable, disable } = irqSites(kit);
  return kit.callSite(on ? "EnableInterrupts" : "DisableInterrupts", (on ? enable : disable)[0] ?? "");
}

/** The sites before they are patched: through the pointers, interrupts stay off. */
export function unpatched(kit: Kit): string {
  const { disable, save, restore } = irqSites(kit);
  return `
unpatched_sites:
  ${disable.map((s) => kit.callSite("DisableInterrupts", s)).join("\n  ")}
  ${restore.map((s) => `mov eax, ${OTHER_FLAGS}\n  ${kit.callSite("SetInterruptMask", s)}`).join("\n  ")}
  ${save.map((s) => kit.callSite("GetInterruptMask", s)).join("\n  ")}
  and eax, 0x200
  ${kit.check("interrupts are off during activation", "eax", 0)}
  ret`;
}

/** Every site, patched, both ways; interrupt controllers are masked meanwhile. */
export function flagSteps(kit: Kit): string {
  const s = irqSites(kit);
  const steps = [
    ...s.enable.flatMap((site, i) => [
      kit.callSite("EnableInterrupts", site),
      expectFlag(kit, `EnableInterrupts at site form ${i}`, true),
      kit.callSite("DisableInterrupts", s.disable[i % s.disable.length] ?? ""),
      expectFlag(kit, `DisableInterrupts at site form ${i}`, false),
    ]),
    ...s.restore.flatMap((site) => [
      `mov eax, ${0x200 | OTHER_FLAGS}`,
      kit.callSite("SetInterruptMask", site),
      expectFlag(kit, "SetInterruptMask with bit 9 and others", true),
      `mov eax, ${OTHER_FLAGS}`,
      kit.callSite("SetInterruptMask", site),
      expectFlag(kit, "SetInterruptMask without bit 9, with others", false),
    ]),
    ...s.both.flatMap((site) => [
      interrupts(kit, true),
      kit.callSite("GetInterruptMask", site),
      "and eax, 0x200",
      kit.check("save and disable gives the flag as it was", "eax", 0x200),
      expectFlag(kit, "save and disable disables", false),
    ]),
    "pushfd\n  pop eax\n  and eax, 0x247000",
    kit.check("no other flag has come through SetInterruptMask", "eax", 0),
  ];
  return `
flag_steps:
  ${steps.join("\n  ")}
  ret
${s.disable.length > 0 ? kit.siteFunctions.join("\n") : ""}`;
}

/** Control and debug registers; CPUID against the instruction; what has no effect that is seen. */
export function registerSteps(kit: Kit): string {
  const { call, check } = { call: kit.call.bind(kit), check: kit.check.bind(kit) };
  const debug = [0, 1, 2, 3].flatMap((n) => [
    call("SetDR", { number: n, value: 0x1000 * (n + 1) }),
    call("GetDR", { number: n }),
    check(`DR${n}`, "eax", 0x1000 * (n + 1)),
  ]);
  return `
register_steps:
  ${call("GetCR0")}
  mov ebx, eax
  and eax, 0x80010001
  ${check("CR0 has PG, WP, PE", "eax", 0x80010001)}
  ${call("GetCR3")}
  ${check("CR3 is the kernel's directory", "eax", At.swapper)}
  mov esi, 0x12345678
  ${call("SetCR2", { value: "esi" })}
  ${call("GetCR2")}
  ${check("CR2", "eax", 0x12345678)}
  mov esi, ebx
  or esi, 8
  ${call("SetCR0", { value: "esi" })}
  ${call("GetCR0")}
  ${check("CR0 with TS", "eax", "esi")}
  ${attempt(kit, "fld1")}
  mov eax, [fault_end]
  ${check("with TS, the FPU's vector", "dword [eax-32]", 7)}
  ${call("CLTS")}
  ${call("GetCR0")}
  and esi, 0xfffffff7
  ${check("CR0 after CLTS", "eax", "esi")}
  fninit
  ${call("GetCR4")}
  mov ebx, eax
  ${call("SetCR4", { value: "ebx" })}
  ${call("GetCR4")}
  ${check("CR4 rewritten", "eax", "ebx")}
  ${debug.join("\n  ")}
  ${[0, 1, 2, 3, 6, 7].map((n) => call("SetDR", { number: n, value: 0 })).join("\n  ")}
  ${call("GetDR", { number: 3 })}
  ${check("DR3 cleared", "eax", 0)}
  ${call("GetDR", { number: 7 })}
  and eax, 0xff
  ${check("DR7 cleared", "eax", 0)}
  ${call("WBINVD")}
  ${call("IODelay")}
  ${call("RDTSC")}
  mov esi, eax
  mov edi, edx
  ${call("RDTSC")}
  sub eax, esi
  sbb edx, edi
  ${check("the time-stamp counter goes forwards", "edx", 0)}
  ${call("CPUID", { leaf: 0, subleaf: 0 })}
  mov [results], ebx
  mov [results+4], ecx
  mov [results+8], edx
  xor eax, eax
  xor ecx, ecx
  cpuid
  ${check("CPUID leaf 0 EBX", "ebx", "dword [results]")}
  ${check("CPUID leaf 0 ECX", "ecx", "dword [results+4]")}
  ${check("CPUID leaf 0 EDX", "edx", "dword [results+8]")}
  ${call("CPUID", { leaf: 1, subleaf: 0 })}
  mov [features], edx
  ret
features: dd 0
results equ ${lin(At.results)}`;
}

/** Descriptor words of a flat data segment at `base`. */
export function flatAt(base: number): readonly [number, number] {
  const low = ((base << 16) | 0xffff) >>> 0, high = ((base & 0xff000000) | 0x00cf9200 | ((base >>> 16) & 0xff)) >>> 0;
  return [low, high];
}

/** Descriptor words of a task state or local table of `size` bytes. */
export function systemAt(base: number, size: number, type: number): readonly [number, number] {
  const low = ((base << 16) | (size - 1)) >>> 0,
    high = ((base & 0xff000000) | type << 8 | ((base >>> 16) & 0xff)) >>> 0;
  return [low, high];
}

/** A write to an entry of a descriptor table and a look at it. */
export function writeEntry(
  kit: Kit,
  name: "WriteGDTEntry" | "WriteLDTEntry" | "WriteIDTEntry",
  base: number,
  index: number,
  [low, high]: readonly [number, number],
): string {
  return `${kit.call(name, { base, index, low, high })}
  ${kit.check(`${name} ${index}: low dword`, `dword [${base + 8 * index}]`, low)}
  and dword [${base + 8 * index + 4}], 0xffffffff
  ${kit.check(`${name} ${index}: high dword`, `dword [${base + 8 * index + 4}]`, high)}`;
}

/** GDT of the CPU, per-CPU segment, traps, task, local table: rows 13 and 14. */
export function tableSteps(kit: Kit): string {
  const { release: r } = kit.config, gdt = lin(At.gdt), call = kit.call.bind(kit);
  const percpu = flatAt(lin(At.results));
  const reload = `mov eax, 0xd8\n  mov fs, eax\n  mov eax, ${r.canary ? 0xe0 : 0}\n  mov gs, eax`;
  return `
table_steps:
  mov esi, gdt_image                ; plain stores into a table that is not loaded yet
  mov edi, ${gdt}
  mov ecx, 64
  rep movsd
  ${writeEntry(kit, "WriteGDTEntry", gdt, 27, percpu)}
  ${r.canary ? writeEntry(kit, "WriteGDTEntry", gdt, 28, flatAt(lin(At.results) + 0x100)) : ""}
  ${call("SetGDT", { pointer: "gdt_pointer" })}
  ${reload}
  mov dword [results+0x40], 0x11223344
  mov dword [results+0x140], 0x55667788
  mov eax, [fs:0x40]
  ${kit.check("per-CPU segment in FS", "eax", 0x11223344)}
  ${r.canary ? `mov eax, [gs:0x40]\n  ${kit.check("canary segment in GS", "eax", 0x55667788)}` : ""}
  ${call("GetGDT", { pointer: "stored" })}
  ${
    kit.check("GetGDT limit and base", "dword [stored]", "dword [gdt_pointer]").replace(
      "cmp dword [stored], dword [gdt_pointer]",
      "mov eax, [gdt_pointer]\n  cmp dword [stored], eax",
    )
  }
  movzx eax, word [stored+4]
  ${kit.check("GetGDT base, upper half", "eax", gdt >>> 16)}
  xor ebx, ebx
table_gate:                         ; trap_init, then the double fault's task gate later
  mov eax, [exception_table+ebx*4]
  mov ecx, 0x8e00
  cmp ebx, 3
  je table_gate_user
  cmp ebx, 4
  jne table_gate_write
table_gate_user:
  mov ecx, 0xee00
table_gate_write:
  call set_gate
  inc ebx
  cmp ebx, 20
  jb table_gate
  mov ebx, 0x80
  mov eax, system_call
  mov ecx, 0xef00
  call set_gate
  ${call("SetIDT", { pointer: "idt_pointer" })}
  ${call("GetIDT", { pointer: "stored" })}
  movzx eax, word [stored]
  ${kit.check("GetIDT limit", "eax", 2047)}
  mov eax, [stored+2]
  ${kit.check("GetIDT base", "eax", lin(At.idt))}
  ${call("SetGDT", { pointer: "gdt_pointer" })}
  ${reload}
  mov edi, ${lin(At.tss)}
  mov ecx, 26
  xor eax, eax
  rep stosd
  mov dword [${lin(At.tss) + 8}], 0x68
  mov dword [${lin(At.tss) + 16}], 0x60
  mov dword [${lin(At.tss) + 0x64}], 0x80000000
  mov dword [${lin(At.tss) + 4}], ${lin(At.stack)}
  ${call("UpdateKernelStack", { ss0: 0x68, esp0: lin(At.stack) })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 16, systemAt(lin(At.tss), 0x2000 + 108, 0x89))}
  ${call("SetTR", { selector: 0x80 })}
  ${call("GetTR")}
  ${kit.check("GetTR", "eax", 0x80)}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, [0x0000ffff, 0x000f8200])}
  ${call("SetLDT", { selector: 0 })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 31, systemAt(lin(At.tss) + 0x800, 104, 0x89))}
  ret

set_gate:                           ; EBX: vector, EAX: handler, ECX: type
  mov edi, eax
  and edi, 0xffff0000
  or edi, ecx
  mov esi, eax
  and esi, 0xffff
  or esi, 0x600000
  ${call("WriteIDTEntry", { base: lin(At.idt), index: "ebx", low: "esi", high: "edi" })}
  mov eax, [${lin(At.idt)}+ebx*8]
  ${kit.check("gate, low dword", "eax", "esi")}
  mov eax, [${lin(At.idt)}+ebx*8+4]
  ${kit.check("gate, high dword", "eax", "edi")}
  ret
gdt_pointer:
  dw 255
  dd ${gdt}
idt_pointer:
  dw 2047
  dd ${lin(At.idt)}
stored: dd 0, 0`;
}

/** init_IRQ: gates of all device vectors, the controllers started and masked. */
export function interruptSteps(kit: Kit): string {
  const { release: r, localApic } = kit.config, { lvtt, irq0 } = r;
  const out = (port: number, value: number): string => `mov al, ${value}\n  out ${port}, al`;
  return `
interrupt_steps:
  mov ebx, 0x20
interrupt_gate:
  mov eax, other_line
  cmp ebx, 0x80
  je interrupt_next
  cmp ebx, ${irq0}
  jne interrupt_local
  mov eax, ${localApic && lvtt.ioApic === irq0 ? "timer_shared\n  jmp interrupt_set" : "timer_line"}
interrupt_local:
  ${localApic ? `cmp ebx, ${lvtt.ioApic}\n  jne interrupt_set\n  mov eax, timer_local` : ""}
interrupt_set:
  mov ecx, 0x8e00
  call set_gate
interrupt_next:
  inc ebx
  cmp ebx, 256
  jb interrupt_gate
  ${out(0x20, 0x11)}
  ${out(0x21, irq0)}
  ${out(0x21, 4)}
  ${out(0x21, 1)}
  ${out(0xa0, 0x11)}
  ${out(0xa1, irq0 + 8)}
  ${out(0xa1, 2)}
  ${out(0xa1, 1)}
  ${out(0x21, 0xff)}
  ${out(0xa1, 0xff)}
  ret`;
}
