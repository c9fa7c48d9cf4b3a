/**
 * Steps of the client kernel with processes: address spaces with the kernel's part cloned, context switches in CPU lazy
 * mode, ring 3 and back by IRET, INT 0x80, SYSENTER and SYSEXIT, demand paging, fork-like copies in MMU lazy mode,
 * exit and the release of pages, a local table, IRET frames that fault.
 *
 * Reference: 6.2-6.8, 7.2, 7.5-7.7, 11.1 row 27. Cold.
 */
import { attempt } from "./handlers.ts";
import { expectFlag, systemAt, writeEntry } from "./cpu_steps.ts";
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";
import { Bits, Flags, Pages } from "./pages.ts";
import { interruptedUser } from "./time_steps.ts";

/** The user's pages: code, read only; data and stack, on demand. */
export const USER = 0x08048000, DATA = 0x08049000;
const TABLE_INDEX = 0x48;
const STACK = DATA + 0xf00;
/** Stack of entries from ring 3. */
const KERNEL_STACK = lin(At.stack) - 0x2000;
const SYSENTER_STACK = lin(At.stack) - 0x3000;
const KERNEL_ENTRIES = 256;
const PRIVATE = Flags.pt, CURRENT = Flags.pt | Flags.current;

/** A descriptor of a user segment at `base`. */
function userSegment(base: number): readonly [number, number] {
  return [((base << 16) | 0xffff) >>> 0, ((base & 0xff000000) | 0x00cff200 | ((base >>> 16) & 0xff)) >>> 0];
}

/** Enters ring 3 at a label of the user's code; goes on when the program has ended, or has met a fault. */
function user(kit: Kit, label: string, eflags = 0x202): string {
  return attempt(
    kit,
    `push dword 0x7b
  push dword ${STACK}
  push dword ${eflags}
  push dword 0x73
  push dword ${label} - user_start + ${USER}
  jmp iret_exit`,
  );
}

/** An address space in `mm_N`: the directory's linear address, the page table's after it; not current. */
function newSpace(kit: Kit, p: Pages, n: number): string {
  const { release: r } = kit.config, swapper = At.swapper >> 12;
  const lines: string[] = [];
  if (!p.pae) {
    lines.push(
      p.fresh("ebp"),
      `mov [mm_${n}], ebp`,
      `mov esi, ${lin(At.swapper) + 4 * 768}\n  lea edi, [ebp+${4 * 768}]\n  mov ecx, ${KERNEL_ENTRIES}\n  rep movsd`,
      p.frame("ebx", "ebp"),
      p.allocate("ebx", p.l2 | 0x20, swapper, 768, KERNEL_ENTRIES),
      `lea edi, [ebp+${4 * (USER >>> 22)}]`,
    );
  } else {
    lines.push(
      r.sharesPointers ? `mov ebp, [pointer_page]\n  add ebp, ${32 * n}` : p.fresh("ebp"),
      `mov [mm_${n}], ebp`,
      `mov eax, [${lin(At.swapper) + 24}]\n  mov [ebp+24], eax\n  mov dword [ebp+28], 0`,
    );
    if (r.announcesPointers) lines.push(p.frame("ebx", "ebp"), p.allocate("ebx", p.l2 | 0x20, swapper, 3, 1));
    for (let i = 0; i < 3; i++) {
      lines.push(
        p.fresh("ebx"),
        p.frame("esi", "ebx"),
        p.allocate("esi", p.l2),
        `lea esi, [ebx-PAGE_OFFSET+1]\n  lea edi, [ebp+${8 * i}]`,
        p.set("esi", "edi", Flags.pdp, "a directory pointer is there at once"),
      );
    }
    lines.push(`mov edi, [ebp]\n  lea edi, [edi+PAGE_OFFSET-1+${8 * (USER >>> 21)}]`);
  }
  lines.push(`mov [mm_${n}_entry], edi`, p.newTable("edi"), `mov [mm_${n}_table], ebx`);
  return lines.join("\n  ");
}

/** Entry `page` of a space's table, in EDI. */
function entryOf(p: Pages, n: number, page: number): string {
  return `mov edi, [mm_${n}_table]\n  add edi, ${(TABLE_INDEX + page) * p.size}`;
}

/** A context switch to space `n` (or to the kernel's own, -1). */
function switchTo(kit: Kit, n: number): string {
  const { release: r } = kit.config, gdt = lin(At.gdt);
  const lines = [
    kit.call("SetLazyMode", { mode: 2 }),
    n < 0 ? `mov ebx, ${At.swapper}` : `mov ebx, [mm_${n}]\n  sub ebx, PAGE_OFFSET`,
    kit.call("SetCR3", { value: "ebx" }),
    `mov dword [${lin(At.tss) + 4}], ${KERNEL_STACK}`,
    kit.call("UpdateKernelStack", { ss0: 0x68, esp0: KERNEL_STACK }),
    ...[6, 7].map((i) =>
      writeEntry(kit, "WriteGDTEntry", gdt, i, userSegment(DATA + 0x100 * (i - 6) + 0x10 * Math.max(0, n)))
    ),
  ];
  const skip = kit.label();
  lines.push(`cmp dword [kernel_rpl], 0\n  je ${skip}`, kit.call("SetIOPLMask", { mask: 0 }), `${skip}:`);
  if (r.clearsTsInSwitch) lines.push(kit.call("CLTS"));
  lines.push(
    kit.call("SetLazyMode", { mode: 0 }),
    r.clearsTsInSwitch ? "" : kit.call("CLTS"),
    kit.call("GetCR3"),
    kit.check("CR3 after the switch", "eax", "ebx"),
    n < 0 ? "" : `mov eax, [mm_${n}_table]\n  add eax, ${(TABLE_INDEX + 1) * p1(kit)}\n  mov [data_entry], eax`,
  );
  return lines.join("\n  ");
}

function p1(kit: Kit): number {
  return kit.config.pae ? 8 : 4;
}

/** A word of the user's data page, through the direct map. */
function dataWord(kit: Kit, text: string, n: number, offset: number, expected: string | number): string {
  return `mov eax, [mm_${n}_table]
  mov eax, [eax+${(TABLE_INDEX + 1) * p1(kit)}]
  and eax, 0xfffff000
  mov eax, [eax+PAGE_OFFSET+${offset}]
  ${kit.check(text, "eax", expected)}`;
}

/** First process: ring 3 and back, demand paging, segments of its own. */
function firstProcess(kit: Kit, p: Pages): string {
  const ldt = lin(At.ldt), gdt = lin(At.gdt), { release: r } = kit.config;
  const write = r.ldtThroughIdt ? "WriteIDTEntry" : "WriteLDTEntry";
  return `
first_process:
  ${p.fresh("eax")}
  mov [pointer_page], eax
  ${p.fresh("esi")}
  mov [user_page], esi
  mov edi, esi
  mov esi, user_start
  mov ecx, user_end - user_start
  rep movsb
  ${newSpace(kit, p, 0)}
  ${entryOf(p, 0, 0)}
  mov esi, [user_page]
  lea esi, [esi-PAGE_OFFSET+${Bits.userRead}]
  ${p.set("esi", "edi", PRIVATE)}
  ${switchTo(kit, 0)}
  mov dword [demand], demand_user
  ${writeEntry(kit, write, ldt, 1, userSegment(USER))}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, systemAt(ldt, 5 * 8, 0x82))}
  ${kit.call("SetLDT", { selector: 0x88 })}
  ${user(kit, "program_calls")}
  mov dword [demand], 0
  ${kit.check("system calls", "dword [system_calls]", 1)}
  ${kit.check("CS of the caller", "dword [system_cs]", 0x73)}
  mov eax, [system_flags]
  and eax, 0x3200
  ${kit.check("IF and IOPL of the caller", "eax", 0x200)}
  ${kit.check("the frame is on the kernel's stack", "dword [system_top]", KERNEL_STACK)}
  ${dataWord(kit, "registers across INT 0x80", 0, 0, 0)}
  ${dataWord(kit, "CS in ring 3", 0, 4, 0x73)}
  ${dataWord(kit, "SS in ring 3", 0, 8, 0x7b)}
  ${dataWord(kit, "the user's stack pointer", 0, 12, STACK)}
  ${dataWord(kit, "IF in ring 3", 0, 16, 0x200)}
  ${dataWord(kit, "a TLS segment", 0, 20, 0x73)}
  ${dataWord(kit, "a segment of the local table", 0, 24, 0x90909090)}
  mov eax, 0
  mov gs, eax
  ${kit.call("SetLDT", { selector: 0 })}
  ${writeEntry(kit, "WriteGDTEntry", gdt, 17, [0x0000ffff, 0x000f8200])}
  ${kit.check("a trap gate leaves interrupts on", "dword [last_mask]", 0x200)}
  ${expectFlag(kit, "interrupts are off after the handler disabled them", false)}
  ${interruptedUser(kit, user(kit, "program_counts"))}
  ${user(kit, "program_privileged")}
  mov eax, [fault_end]
  ${kit.check("HLT in ring 3: #GP", "dword [eax-32]", 13)}
  ${kit.check("HLT in ring 3: CS", "dword [eax-20]", 0x73)}
  ${user(kit, "program_reads_kernel")}
  mov eax, [fault_end]
  ${kit.check("ring 3 reads the kernel: #PF", "dword [eax-32]", 14)}
  ${kit.check("ring 3 reads the kernel: error code", "dword [eax-28]", 5)}
  ${kit.check("ring 3 reads the kernel: CR2", "dword [eax-12]", lin(0x100000))}
  ${user(kit, "program_writes_code")}
  mov eax, [fault_end]
  ${kit.check("ring 3 writes a read-only page: error code", "dword [eax-28]", 7)}
  ret

demand_user:                        ; EAX: address, EDX: error code; EAX = 0: done
  push ebx
  push esi
  push edi
  push edx
  mov ebx, eax
  and ebx, 0xfffff000
  cmp ebx, ${DATA}
  jne demand_not
  mov edi, [data_entry]
  test edx, 1
  jnz demand_protected
  call fresh_page
  lea esi, [eax-PAGE_OFFSET+${Bits.user}]
  ${p.rawSet("esi", "edi", p.pae && r.setPtePresent ? DATA | CURRENT | Flags.defer : DATA | CURRENT)}
  inc dword [demanded]
  jmp demand_done
demand_protected:
  test edx, 2
  jz demand_not
  inc dword [copied]
  cmp dword [copies], 0
  je demand_reuse
  call fresh_page                   ; break of a copy-on-write share
  push eax
  mov esi, [edi]
  and esi, 0xfffff000
  add esi, PAGE_OFFSET
  push edi
  mov edi, eax
  mov ecx, 1024
  rep movsd
  pop edi
  ${p.getAndClear("edi")}
  ${p.update("edi", DATA | CURRENT, "raw")}
  ${kit.raw("InvalPage", { address: "ebx" })}
  pop esi
  lea esi, [esi-PAGE_OFFSET+${Bits.user}]
  ${p.rawSet("esi", "edi", DATA | CURRENT)}
  jmp demand_done
demand_reuse:                       ; ptep_set_access_flags
  or dword [edi], 0x42
  ${p.update("edi", DATA | CURRENT | Flags.defer, "raw")}
  ${kit.raw("InvalPage", { address: "ebx" })}
demand_done:
  xor eax, eax
demand_leave:
  pop edx
  pop edi
  pop esi
  pop ebx
  ret
demand_not:
  mov eax, 1
  jmp demand_leave`;
}

/** SYSENTER and SYSEXIT, where CPUID promises them. */
function systemEnter(kit: Kit): string {
  return `
sysenter_steps:
  test dword [features], 0x800
  jz sysenter_done
  mov ecx, 0x174
  xor edx, edx
  mov eax, 0x60
  wrmsr
  mov ecx, 0x175
  mov eax, ${SYSENTER_STACK}
  wrmsr
  mov ecx, 0x176
  mov eax, sysenter_entry
  wrmsr
  ${user(kit, "program_sysenter")}
  mov dword [demand], 0
  ${kit.check("SYSENTER came", "dword [sysenters]", 1)}
  ${kit.check("ESP of SYSENTER", "dword [sysenter_esp]", SYSENTER_STACK)}
  mov eax, [sysenter_cs]
  and eax, 0xfffc
  ${kit.check("CS of SYSENTER, but for its ring", "eax", 0x60)}
  ${dataWord(kit, "registers across SYSENTER and SYSEXIT", 0, 0, 0)}
  ${dataWord(kit, "ESP after SYSEXIT", 0, 12, STACK - 0x40)}
  ${dataWord(kit, "IF after SYSEXIT", 0, 16, 0x200)}
sysenter_done:
  ret
sysenter_entry:
  mov [ss:sysenter_esp], esp
  mov esp, ${KERNEL_STACK}
  push ebp
  push edi
  mov eax, cs
  mov [ss:sysenter_cs], eax
  inc dword [ss:sysenters]
  pop edx                           ; where the user goes on, and with which stack
  pop ecx
  mov eax, 0x5a5a5a5a
${kit.site(["SYSEXIT"], [], 7, true)}
sysenters: dd 0
sysenter_esp: dd 0
sysenter_cs: dd 0`;
}

/** IRET frames that fault: at the site, below the frame. */
function badReturns(kit: Kit): string {
  const frames: readonly (readonly [string, number, number, number, number])[] = [
    ["a data segment for CS", 0x7b, 0x7b, 13, 0x78],
    ["a null CS", 0, 0x7b, 13, 0],
    ["the kernel's SS", 0x73, 0x68, 13, 0x68],
    ["CS of an empty entry", 0x93, 0x7b, 13, 0x90],
  ];
  return `
bad_returns:
  ${
    frames.map(([text, cs, ss, vector, code]) => `
  ${
      attempt(
        kit,
        `mov [frame_top], esp
  push dword ${ss}
  push dword ${STACK}
  push dword 0x202
  push dword ${cs}
  push dword ${USER}
  mov [frame_at], esp
  jmp iret_exit`,
      )
    }
  mov esp, [frame_top]
  mov eax, [fault_end]
  ${kit.check(`IRET with ${text}: vector`, "dword [eax-32]", vector)}
  ${kit.check(`IRET with ${text}: error code`, "dword [eax-28]", code)}
  mov ecx, [frame_at]
  sub ecx, 12
  ${kit.check(`IRET with ${text}: the fault's frame lies below the one of IRET`, "dword [eax-8]", "ecx")}
  cmp dword [site_known], 0
  je ${`bad_${cs}_${ss}`}
  ${kit.check(`IRET with ${text}: at the site`, "dword [eax-24]", "iret_site")}
bad_${cs}_${ss}:`).join("\n")
  }
  ret
frame_at: dd 0
frame_top: dd 0
site_known: dd 0`;
}

/** A second address space that shares the first one's pages, in MMU lazy mode; both write; both end. */
function fork(kit: Kit, p: Pages): string {
  const { release: r } = kit.config;
  const share = (page: number, va: number): string => `
  ${entryOf(p, 0, page)}
  lock and dword [edi], 0xfffffffd  ; ptep_set_wrprotect
  ${p.update("edi", va | CURRENT)}
  mov esi, [edi]
  and esi, 0xffffffbf               ; clean
  ${r.highPte ? highEntry(p, page) : entryOf(p, 1, page)}
  ${p.set("esi", "edi", PRIVATE)}
  ${r.kmapLeavesLazy ? `${kit.call("SetLazyMode", { mode: 0 })}\n  ${kit.call("SetLazyMode", { mode: 1 })}` : ""}`;
  return `
fork_steps:
  ${newSpace(kit, p, 1)}
  ${r.highPte ? mapHigh(kit) : ""}
  ${kit.call("SetLazyMode", { mode: 1 })}
  ${share(0, USER)}
  ${share(1, DATA)}
  ${kit.call("SetLazyMode", { mode: 0 })}
  ${kit.call("FlushTLB", { flags: 1 })}
  mov dword [demand], demand_user
  mov dword [copies], 1
  ${user(kit, "program_marks")}
  ${kit.check("a write to a shared page was copied", "dword [copied]", 1)}
  ${dataWord(kit, "the parent's page", 0, 32, 0x1111)}
  ${dataWord(kit, "the child's page", 1, 32, 0)}
  ${switchTo(kit, 1)}
  mov dword [copies], 0
  ${user(kit, "program_marks")}
  ${kit.check("the child's page was made writable", "dword [copied]", 2)}
  ${dataWord(kit, "the child's page, written", 1, 32, 0x1111)}
  ${user(kit, "program_marks")}
  ${kit.check("no more faults in the child", "dword [copied]", 2)}
  ${switchTo(kit, 0)}
  ${user(kit, "program_marks")}
  ${kit.check("no more faults in the parent", "dword [copied]", 2)}
  ${dataWord(kit, "the parent's page, twice", 0, 32, 0x2222)}
  ${entryOf(p, 0, 1)}
  lock and dword [edi], 0xffffff9f  ; test_and_clear_young, and dirty
  ${p.update("edi", r.defersYoung ? DATA | CURRENT | Flags.defer : DATA | CURRENT)}
  ${kit.call("InvalPage", { address: DATA })}
  ${user(kit, "program_reads")}
  ${entryOf(p, 0, 1)}
  mov eax, [edi]
  and eax, 0x60
  ${kit.check("accessed again, not dirty", "eax", 0x20)}
  ${user(kit, "program_marks")}
  ${entryOf(p, 0, 1)}
  mov eax, [edi]
  and eax, 0x60
  ${kit.check("dirty again", "eax", 0x60)}
  mov dword [demand], 0
  ${exit(kit, p, 1, true)}
  ${user(kit, "program_marks")}
  ${dataWord(kit, "the parent lives on", 0, 32, 0x4444)}
  ${exit(kit, p, 0, false)}
  ret
copied: dd 0
copies: dd 0
high_page: dd 0`;
}

/** A page-table page seen through slot 1: the fixmap entry, then the hint (6.7). */
function mapHigh(kit: Kit): string {
  return `mov ebx, [mm_1_table]
  sub ebx, PAGE_OFFSET
  mov ebp, ebx
  shr ebp, 12
  or ebx, ${Bits.kernel}
  mov ecx, 6
  call set_fixmap
  mov [high_page], esi
  ${kit.call("SetLinearMapping", { slot: 1, address: "esi", pages: 1, pfn: "ebp" })}`;
}

function highEntry(p: Pages, page: number): string {
  return `mov edi, [high_page]\n  add edi, ${(TABLE_INDEX + page) * p.size}`;
}

/** A process ends: its entries go, its pages are released as the release does it. `other`: it is not the current one. */
function exit(kit: Kit, p: Pages, n: number, other: boolean): string {
  const { release: r } = kit.config, lines: string[] = [kit.call("SetLazyMode", { mode: 1 })];
  for (const [page, va] of [[0, USER], [1, DATA]] as const) {
    lines.push(entryOf(p, n, page));
    const flags = other ? PRIVATE : va | CURRENT;
    if (!r.silentTeardown) lines.push(p.set(0, "edi", flags, "an entry is gone at once"));
    else if (other) lines.push(p.getAndClear("edi"), p.update("edi", flags));
    else lines.push(`mov dword [edi], 0${p.pae ? "\n  mov dword [edi+4], 0" : ""}`); // a whole space goes: not a word
  }
  lines.push(kit.call("SetLazyMode", { mode: 0 }), other ? "" : kit.call("FlushTLB", { flags: 1 }));
  if (!other) {
    lines.push(
      attempt(kit, `mov eax, [${DATA}]`),
      "mov eax, [fault_end]",
      kit.check("the exited space is empty: #PF", "dword [eax-32]", 14),
      kit.check("the exited space is empty: address", "dword [eax-12]", DATA),
    );
  }
  lines.push(
    `mov edi, [mm_${n}_entry]`,
    p.set(0, "edi", Flags.pd, "a directory entry is gone at once"),
    `mov ebx, [mm_${n}_table]`,
    p.frame("esi", "ebx"),
    kit.call("ReleasePage", { pfn: "esi", flags: p.l1 }),
  );
  if (!other) lines.push(switchTo(kit, -1));
  lines.push(`mov ebp, [mm_${n}]`);
  if (p.pae) {
    for (let i = 0; i < 3; i++) {
      lines.push(
        `mov ebx, [ebp+${8 * i}]\n  and ebx, 0xfffff000\n  shr ebx, 12`,
        r.announcesPointers ? `mov dword [ebp+${8 * i}], 0\n  mov dword [ebp+${8 * i + 4}], 0` : "",
        kit.call("ReleasePage", { pfn: "ebx", flags: p.l2 }),
      );
    }
  }
  const released = r.releasesDirectory === "free" || (r.releasesDirectory === "cache" && !p.pae);
  if (released) lines.push(p.frame("ebx", "ebp"), kit.call("ReleasePage", { pfn: "ebx", flags: p.l2 }));
  if (p.pae && r.sharesPointers) return lines.join("\n  "); // others still live in the page
  // In between releases the page stays registered, and becomes data, and a page table again.
  lines.push(
    `mov edi, ebp\n  and edi, 0xfffff000\n  mov ecx, 1024\n  mov eax, 0x61626364\n  rep stosd`,
    `mov eax, [ebp]`,
    kit.check("a former directory is plain memory", "eax", 0x61626364),
    p.frame("ebx", "ebp"),
    p.allocate("ebx", p.l1),
    `mov eax, [ebp]`,
    kit.check("announcing a page leaves what it holds", "eax", 0x61626364),
    kit.call("ReleasePage", { pfn: "ebx", flags: p.l1 }),
  );
  return lines.join("\n  ");
}

/** What runs in ring 3. EBP and EDI hold the place to go on for SYSENTER, as the kernel and it have agreed. */
function programs(): string {
  const end = "xor eax, eax\n  int 0x80";
  return `
user_start:
  nop
  nop
  nop
  nop
program_calls:
  mov eax, 0x33
  mov fs, eax
  mov eax, 0x0f
  mov gs, eax
  mov ebx, 0x11111111
  mov ecx, 0x22222222
  mov edx, 0x33333333
  mov esi, 0x44444444
  mov edi, 0x55555555
  mov ebp, 0x66666666
  mov eax, 0x1234
  int 0x80
  sub eax, 0x2468
  xor ebx, 0x11111111
  or eax, ebx
  xor ecx, 0x22222222
  or eax, ecx
  xor edx, 0x33333333
  or eax, edx
  xor esi, 0x44444444
  or eax, esi
  xor edi, 0x55555555
  or eax, edi
  xor ebp, 0x66666666
  or eax, ebp
  mov [${DATA}], eax
  mov eax, cs
  mov [${DATA + 4}], eax
  mov eax, ss
  mov [${DATA + 8}], eax
  mov [${DATA + 12}], esp
  pushfd
  pop eax
  and eax, 0x200
  mov [${DATA + 16}], eax
  mov eax, [fs:4]
  mov [${DATA + 20}], eax
  mov eax, [gs:0]
  mov [${DATA + 24}], eax
  xor eax, eax
  mov gs, eax
  mov fs, eax
  ${end}
program_counts:
  mov ecx, 0x180000
program_count:
  dec ecx
  jnz program_count
  ${end}
program_privileged:
  hlt
program_reads_kernel:
  mov eax, [${lin(0x100000)}]
program_writes_code:
  mov dword [${USER}], 1
program_marks:
  add dword [${DATA + 32}], 0x1111
  ${end}
program_reads:
  mov eax, [${DATA + 32}]
  ${end}
program_sysenter:
  mov ebx, 0x11111111
  mov esi, 0x44444444
  mov edi, program_sysexit - user_start + ${USER}
  mov ebp, ${STACK - 0x40}
  db 0x0f, 0x34
program_sysexit:
  mov [${DATA + 12}], esp
  sub eax, 0x5a5a5a5a
  xor ebx, 0x11111111
  or eax, ebx
  xor esi, 0x44444444
  or eax, esi
  xor ebp, ${STACK - 0x40}
  or eax, ebp
  mov [${DATA}], eax
  pushfd
  pop eax
  and eax, 0x200
  mov [${DATA + 16}], eax
  ${end}
user_end:`;
}

/** All steps with processes. */
export function processSteps(kit: Kit): string {
  const p = new Pages(kit);
  const spaces = [0, 1].map((n) => `mm_${n}: dd 0\nmm_${n}_table: dd 0\nmm_${n}_entry: dd 0`);
  return [
    firstProcess(kit, p),
    systemEnter(kit),
    badReturns(kit),
    fork(kit, p),
    programs(),
    "align 4",
    ...spaces,
    "user_page: dd 0\npointer_page: dd 0\ndata_entry: dd 0\ndemanded: dd 0",
  ].join("\n");
}
