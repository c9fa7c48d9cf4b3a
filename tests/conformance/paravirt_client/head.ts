/**
 * The client kernel before any paravirtual call: from the boot loader to linear PAGE_OFFSET, with plain stores and
 * privileged instructions, as the head code of a kernel; its data; the place in which every checked call is made.
 *
 * Reference: 6.8 (boot tables with and without PAE), 7.1 (state at Init), 7.2 (descriptors). Cold data.
 */
import { type Config, RELEASES } from "./releases.ts";
import { Keep, type Kit } from "./kit.ts";

/** Start of the kernel's linear space. */
export const PAGE_OFFSET = 0xc0000000;
/** Linear address of the image. */
export const ORIGIN: number = PAGE_OFFSET + 0x100000;
/** RAM. */
export const MEMORY: number = 32 << 20;
/** Physical addresses of what head and journal use. */
export const At = {
  swapper: 0x180000,
  /** PAE boot: directories of the first and the last GiB. */
  lowDirectory: 0x181000,
  highDirectory: 0x184000,
  /** Boot page tables of 8 MiB: two, or four with PAE. */
  tables: 0x185000,
  fixmapTable: 0x18a000,
  zeroPage: 0x18b000,
  fixmapDirectory: 0x18c000,
  idt: 0x190000,
  gdt: 0x191000,
  tss: 0x192000,
  bootIdt: 0x193000,
  ldt: 0x194000,
  stack: 0x1a0000,
  results: 0x1b0000,
  faults: 0x1c0000,
  queries: 0x200000,
  failures: 0x210000,
  calls: 0x220000,
  callsEnd: 0x2f0000,
  free: 0x300000,
} as const;

/** Linear address of a physical one in the kernel's direct map. */
export function lin(at: number): number {
  return PAGE_OFFSET + at;
}

/** Present and writable, for the kernel. */
const PRESENT = 3;

function bootTables(config: Config): string {
  const pae = config.pae && !config.release.switchesToPae;
  const size = pae ? 8 : 4;
  const fill = `
  mov edi, ${At.swapper}
  mov ecx, ${(At.idt - At.swapper) / 4}
  xor eax, eax
  rep stosd
  mov edi, ${At.tables}
  mov eax, ${PRESENT}
head_fill:
  mov [edi], eax
  add edi, ${size}
  add eax, 0x1000
  cmp eax, ${0x800000 + PRESENT}
  jb head_fill`;
  if (!pae) {
    return `${fill}
  mov dword [${At.swapper}], ${At.tables + PRESENT}
  mov dword [${At.swapper + 4}], ${At.tables + 0x1000 + PRESENT}
  mov dword [${At.swapper + 0xc00}], ${At.tables + PRESENT}
  mov dword [${At.swapper + 0xc04}], ${At.tables + 0x1000 + PRESENT}`;
  }
  const directories = [At.lowDirectory, At.highDirectory].flatMap((d) =>
    [0, 1, 2, 3].map((i) => `mov dword [${d + 8 * i}], ${At.tables + 0x1000 * i + PRESENT}`)
  );
  return `${fill}
  ${directories.join("\n  ")}
  mov dword [${At.swapper}], ${At.lowDirectory + 1}
  mov dword [${At.swapper + 24}], ${At.highDirectory + 1}
  mov eax, cr4
  or eax, 0x20
  mov cr4, eax`;
}

/** The head code; it ends by falling into the next part, at PAGE_OFFSET, with interrupts off. */
export function head({ config }: Kit): string {
  return `
PAGE_OFFSET equ ${PAGE_OFFSET}
start:
  cli
  cld
  mov esp, ${At.stack}
  lgdt [boot_gdt_pointer - PAGE_OFFSET]
  push dword 0x60
  push dword head_flat - PAGE_OFFSET
  retf
head_flat:
  mov eax, 0x68
  mov ss, ax
  mov eax, 0x7b
  mov ds, ax
  mov es, ax
  ${bootTables(config)}
  mov eax, ${At.swapper}
  mov cr3, eax
  mov eax, cr0
  or eax, 0x80050022                ; PG, AM, WP, NE, MP
  mov cr0, eax
  mov eax, head_high
  jmp eax
head_high:
  mov esp, ${lin(At.stack)}
  lgdt [early_gdt_pointer]
  mov esi, exception_table          ; the boot IDT: gates of the exceptions
  mov edi, ${lin(At.bootIdt)}
  xor ecx, ecx
head_gate:
  mov eax, [esi+ecx*4]
  mov edx, eax
  and eax, 0xffff
  or eax, 0x600000
  mov dx, 0x8e00
  mov [edi+ecx*8], eax
  mov [edi+ecx*8+4], edx
  inc ecx
  cmp ecx, 32
  jb head_gate
  lidt [boot_idt_pointer]
  mov eax, ${config.release.fsAtInit}
  mov fs, ax
  xor eax, eax
  mov gs, ax
  lldt ax
  push dword 2
  popfd
  xor ebx, ebx
  xor ebp, ebp`;
}

/** A comparison after a call; on a mismatch `what` is logged. */
function must(kit: Kit, test: string, what: string, jump = "je"): string {
  const ok = kit.label(), id = kit.checks.push(`registers: ${what}`) - 1;
  return `${test}\n  ${jump} ${ok}\n  push dword ${id}\n  call register_failed\n${ok}:`;
}

const SENTINELS = { ebx: 0x5eb0b0b0, esi: 0x5e515151, edi: 0x5ed1d1d1, ebp: 0x5eb9b9b9 } as const;

/**
 * Makes the call that a thunk has described: sentinels in what must be kept, garbage elsewhere; afterwards everything
 * that the interface promises is compared, and what it does not promise is destroyed. Not used by handlers.
 */
export function checked(kit: Kit): string {
  const keep = (bit: number, reg: string): string => {
    const skip = kit.label();
    return `test dword [ss:chk_keep], ${bit}\n  jz ${skip}\n  mov eax, [ss:chk_r${reg}]\n  ${
      must(kit, `cmp eax, [ss:chk_${reg}]`, `${reg.toUpperCase()} is not kept`)
    }\n${skip}:`;
  };
  return `
checked:
  pop dword [ss:chk_ret]
  mov [ss:chk_eax], eax
  mov [ss:chk_ecx], ecx
  mov [ss:chk_edx], edx
  mov [ss:chk_ebx], ebx
  mov [ss:chk_esi], esi
  mov [ss:chk_edi], edi
  mov [ss:chk_ebp], ebp
  mov [ss:chk_esp], esp
  mov edi, 32
  xadd [ss:call_end], edi
  cmp edi, ${lin(At.callsEnd)}
  jae bug_log
  mov [ss:chk_slot], edi
  mov esi, [ss:chk_no]
  mov [ss:edi], esi
  mov [ss:edi+4], eax
  mov [ss:edi+8], ecx
  mov [ss:edi+12], edx
  mov esi, [ss:esp]
  mov [ss:edi+16], esi
  mov esi, [ss:esp+4]
  mov [ss:edi+20], esi
  mov dword [ss:edi+24], 0
  mov dword [ss:edi+28], 0
  test dword [ss:chk_keep], ${Keep.noDs}
  jz checked_segments
  cmp dword [ss:flat_only], 0       ; an indirect call through DS is still there
  jne checked_segments
  xor esi, esi                      ; only CS and SS are promised to be flat
  mov ds, si
  mov es, si
checked_segments:
  mov [ss:chk_ds], ds
  mov [ss:chk_es], es
  mov [ss:chk_fs], fs
  mov [ss:chk_gs], gs
  mov [ss:chk_cs], cs
  mov [ss:chk_ss], ss
  mov ebx, ${SENTINELS.ebx}
  mov edi, ${SENTINELS.edi}
  mov ebp, ${SENTINELS.ebp}
  mov esi, [ss:chk_fn]
  mov esi, [ss:esi]
  mov [ss:chk_target], esi
  mov esi, ${SENTINELS.esi}
  call dword [ss:chk_target]
  mov [ss:chk_reax], eax
  mov [ss:chk_recx], ecx
  mov [ss:chk_redx], edx
  mov [ss:chk_rebx], ebx
  pushfd
  pop eax
  ${must(kit, "test eax, 0x47500", "DF, TF, NT, RF or AC is set", "jz")}
  ${must(kit, "cmp esp, [ss:chk_esp]", "ESP is not kept")}
  ${must(kit, `cmp esi, ${SENTINELS.esi}`, "ESI is not kept")}
  ${must(kit, `cmp edi, ${SENTINELS.edi}`, "EDI is not kept")}
  ${must(kit, `cmp ebp, ${SENTINELS.ebp}`, "EBP is not kept")}
  test dword [ss:chk_keep], ${Keep.cpuid}
  jnz checked_cpuid
  ${must(kit, `cmp ebx, ${SENTINELS.ebx}`, "EBX is not kept")}
checked_cpuid:
  ${keep(Keep.eax, "eax")}
  ${keep(Keep.ecx, "ecx")}
  ${keep(Keep.edx, "edx")}
  ${
    ["ds", "es", "fs", "gs"].map((s) =>
      `mov eax, ${s}\n  ${must(kit, `cmp ax, [ss:chk_${s}]`, `${s.toUpperCase()} is not kept`)}`
    ).join("\n  ")
  }
  test dword [ss:chk_keep], ${Keep.init}
  jnz checked_data
  ${
    ["cs", "ss"].map((s) => `mov eax, ${s}\n  ${must(kit, `cmp ax, [ss:chk_${s}]`, `${s.toUpperCase()} is not kept`)}`)
      .join("\n  ")
  }
checked_data:
  mov eax, 0x7b
  mov ds, ax
  mov es, ax
  mov edi, [ss:chk_slot]
  mov eax, [ss:chk_reax]
  mov [ss:edi+24], eax
  mov edx, [ss:chk_redx]
  mov [ss:edi+28], edx
  mov esi, 0xdeadc0de               ; what is not promised is gone
  mov ecx, esi
  test dword [ss:chk_keep], ${Keep.resultEax | Keep.eax}
  cmovz eax, esi
  test dword [ss:chk_keep], ${Keep.resultEdx | Keep.edx}
  cmovz edx, esi
  test dword [ss:chk_keep], ${Keep.ecx | Keep.cpuid}
  cmovnz ecx, [ss:chk_recx]
  mov ebx, [ss:chk_ebx]
  test dword [ss:chk_keep], ${Keep.cpuid}
  cmovnz ebx, [ss:chk_rebx]
  mov esi, [ss:chk_esi]
  mov edi, [ss:chk_edi]
  mov ebp, [ss:chk_ebp]
  push dword [ss:chk_ret]
  ret

register_failed:                    ; on the stack: text; keeps all registers
  pushad
  mov eax, [ss:esp+36]
  mov edx, [ss:chk_no]
  shl edx, 16
  or edx, 0x80000000
  or eax, edx
  mov edx, [ss:chk_reax]
  call log_failure
  popad
  ret 4

check_failed:                       ; on the stack: value
  pushad
  mov eax, [ss:ck_id]
  mov edx, [ss:esp+36]
  call log_failure
  popad
  ret 4

log_failure:                        ; EAX: text, EDX: value
  mov ecx, 8
  xadd [ss:failure_end], ecx
  cmp ecx, ${lin(At.calls)}
  jae bug_log
  mov [ss:ecx], eax
  mov [ss:ecx+4], edx
  ret

bug_log:
  mov dword [ss:bug], 99
  jmp bug_stop`;
}

/** Data of head and checks. */
export function headData(kit: Kit): string {
  const words = ["ret", "eax", "ecx", "edx", "ebx", "esi", "edi", "ebp", "esp", "slot", "no", "fn", "keep", "target"];
  const segments = ["ds", "es", "fs", "gs", "cs", "ss"];
  return `
align 8
gdt_image:                          ; as the kernel's image holds it
  times 24 dd 0
  dd 0x0000ffff, 0x00cf9a00         ; 12: kernel code
  dd 0x0000ffff, 0x00cf9200         ; 13: kernel data
  dd 0x0000ffff, 0x00cffa00         ; 14: user code
  dd 0x0000ffff, 0x00cff200         ; 15: user data
  times 20 dd 0
  dd 0, 0                           ; 26: espfix
  dd 0x0000ffff, 0x00cf9200         ; 27: per-CPU
  times 8 dd 0
early_gdt_pointer:
  dw 255
  dd gdt_image
boot_gdt_pointer:
  dw 255
  dd gdt_image - PAGE_OFFSET
boot_idt_pointer:
  dw 2047
  dd ${lin(At.bootIdt)}
align 4
${[...words, "reax", "recx", "redx", "rebx", ...segments].map((w) => `chk_${w}: dd 0`).join("\n")}
ck_id: dd 0
ck_count: dd 0
flat_only: dd 1
bug: dd 0
stage: dd 0
failure_end: dd ${lin(At.failures)}
call_end: dd ${lin(At.calls)}
release: dd ${RELEASES.indexOf(kit.config.release)}`;
}
