/**
 * Steps of the client kernel that build its own address space: the direct map (with the switch to PAE of early
 * releases), fixmap, write-protect test, the low mappings' end, vmalloc and a module.
 *
 * Reference: 6.2, 6.3, 6.7-6.9, 11.1 rows 4, 7-11, 15, 25, 26, 11.2. Cold.
 */
import { APIC_SLOT, attempt } from "./handlers.ts";
import { At, lin, MEMORY } from "./head.ts";
import type { Kit } from "./kit.ts";
import { Bits, Flags, Pages } from "./pages.ts";

/** What the boot tables map already. */
const BOOT_MAPPED = 0x800000;
const CR4 = { pse: 0x10, pae: 0x20, pge: 0x80 } as const;
/** Linear address of the module. */
export const MODULE = 0xf8001000;

/** Where the table of early ioremap is hung in before activation, by a plain store. */
export function earlyFixmap({ config }: Kit): string {
  if (!config.release.earlyFixmap) return "";
  return config.pae
    ? `mov dword [${lin(At.highDirectory) + 511 * 8}], ${At.fixmapDirectory + Bits.table}`
    : `mov dword [${lin(At.swapper) + 1023 * 4}], ${At.fixmapDirectory + Bits.table}`;
}

/** The direct map: row 8, and 11.2 for the releases before. */
export function directMap(kit: Kit): string {
  const p = new Pages(kit), { release: r, largePages } = kit.config;
  const switches = p.pae && r.switchesToPae, from = switches ? 0 : BOOT_MAPPED;
  const lines: string[] = [
    `mov dword [kernel_pmd], ${switches ? 0 : lin(p.pae ? At.highDirectory : At.swapper + 0xc00)}`,
    kit.call("GetCR4"),
    `mov ebp, eax\n  or ebp, ${(largePages ? CR4.pse : 0) | CR4.pge}`,
    kit.call("SetCR4", { value: "ebp" }),
  ];
  if (switches) {
    for (let i = 0; i < 4; i++) lines.push(p.set(At.zeroPage + 1, lin(At.swapper) + 8 * i, Flags.pdp));
    lines.push(
      p.fresh("ebx"),
      "mov [kernel_pmd], ebx",
      p.frame("esi", "ebx"),
      p.allocate("esi", p.l2),
      "lea esi, [ebx-PAGE_OFFSET+1]",
      p.set("esi", lin(At.swapper) + 24, Flags.pdp),
    );
  }
  const entries = (MEMORY - from) >>> p.shift, big = 1 << p.shift;
  for (let i = 0; i < entries; i++) {
    const at = from + i * big;
    // One region beyond the kernel's own has small pages even where large ones are to be had.
    const small = !largePages || at === BOOT_MAPPED;
    lines.push(`mov edi, [kernel_pmd]\n  add edi, ${(at >>> p.shift) * p.size}`);
    if (!small) lines.push(p.set(at + Bits.kernelLarge, "edi", Flags.pd, "a large page is there at once"));
    else lines.push(`mov dword [fill_at], ${at}\n  call fill_table`);
  }
  lines.push(kit.call("SetCR3", { value: At.swapper }));
  if (switches) lines.push(`or ebp, ${CR4.pae}`, kit.call("SetCR4", { value: "ebp" }));
  lines.push(
    kit.call("FlushTLB", { flags: 3 }),
    kit.call("GetCR3"),
    kit.check("CR3 as set", "eax", At.swapper),
    kit.call("GetCR4"),
    kit.check("CR4 as set", "eax", "ebp"),
  );
  const announced = p.pae ? r.announcesKernelDirectory.pae : r.announcesKernelDirectory.plain;
  if (announced) lines.push(p.allocate(At.swapper >> 12, p.l2));
  for (const at of [BOOT_MAPPED + 0x1000, BOOT_MAPPED + 0x1ff000, 0x1800000, MEMORY - 4]) {
    lines.push(
      `mov dword [${lin(at)}], ${(0x5a000000 + at) >>> 0}`,
      kit.check("direct map", `dword [${lin(at)}]`, (0x5a000000 + at) >>> 0),
    );
  }
  return `
direct_map:
  ${lines.join("\n  ")}
  ret

fill_table:                         ; EDI: directory entry, fill_at: first byte that it maps
  ${p.newTable("edi")}
  push ebp
  mov ebp, [fill_at]
  add ebp, ${Bits.kernel}
  mov edi, ${p.mask + 1}
fill_entry:
  ${p.set("ebp", "ebx", Flags.pt)}
  add ebp, 0x1000
  add ebx, ${p.size}
  dec edi
  jnz fill_entry
  pop ebp
  ret
fill_at: dd 0
kernel_pmd: dd 0
${p.code}`;
}

/** Fixmap, local APIC, write-protect test, end of the low mappings, vmalloc and the module. */
export function mappingSteps(kit: Kit): string {
  const p = new Pages(kit), { release: r } = kit.config;
  const zapped = p.pae ? 3 : 768, zap = p.pae && r.switchesToPae ? At.zeroPage + 1 : 0;
  const entry = `lea edi, [edi*${p.size}]\n  add edi, [kernel_pmd]`;
  const indexed = (address: string): string =>
    `mov edi, ${address}\n  sub edi, PAGE_OFFSET\n  shr edi, ${p.shift}\n  ${entry}`;
  return `
mapping_steps:
  ${indexed("[fixmap_top]")}
  mov esi, ${At.fixmapTable >> 12}
  ${p.allocate("esi", p.l1)}
  ${p.set(At.fixmapTable + Bits.table, "edi", Flags.pd)}
  ${r.earlyFixmap ? kit.call("ReleasePage", { pfn: At.fixmapDirectory >> 12, flags: p.l1 }) : ""}
  ${kit.call("FlushTLB", { flags: 3 })}
  mov ebx, 0xfee0017b
  mov ecx, ${APIC_SLOT}
  call set_fixmap
  mov [apic_page], esi
  ${kit.call("APICRead", { register: 0x30 })}
  mov ebp, eax
  mov eax, [apic_page]
  mov eax, [eax+0x30]
  ${kit.check("APIC version by call and by memory", "ebp", "eax")}
  and eax, 0xf0
  ${kit.check("APIC is integrated", "eax", 0x10)}
  ${kit.call("APICRead", { register: 0x20 })}
  ${kit.check("APIC id of the first CPU", "eax", 0)}
  mov ebx, 0x100025                 ; the kernel's first page, read only
  mov ecx, 4
  call set_fixmap
  mov [wp_page], esi
  ${attempt(kit, "mov byte [esi], 0x11")}
  mov eax, [fault_end]
  ${kit.check("write-protect test: #PF", "dword [eax-32]", 14)}
  ${kit.check("write-protect test: error code", "dword [eax-28]", 3)}
  mov ecx, [wp_page]
  ${kit.check("write-protect test: CR2", "dword [eax-12]", "ecx")}
  mov edi, ${lin(At.swapper)}
  mov ebx, ${zapped}
zap_entry:
  ${p.set(zap, "edi", p.pae ? Flags.pdp : Flags.pd, "a low entry is gone")}
  add edi, ${p.size}
  dec ebx
  jnz zap_entry
  ${kit.call("FlushTLB", { flags: 3 })}
  ${attempt(kit, "mov eax, [0x100000]")}
  mov eax, [fault_end]
  ${kit.check("low mappings are gone: #PF", "dword [eax-32]", 14)}
  ${kit.check("low mappings are gone: error code", "dword [eax-28]", 0)}
  ${kit.check("low mappings are gone: CR2", "dword [eax-12]", 0x100000)}
  ret

set_fixmap:                         ; EBX: entry, ECX: slot; its linear address in ESI
  mov esi, ecx
  shl esi, 12
  neg esi
  add esi, [fixmap_top]
  mov edi, esi
  shr edi, 12
  and edi, ${p.mask}
  lea edi, [edi*${p.size}+${lin(At.fixmapTable)}]
  ${p.set("ebx", "edi", Flags.pt, "a fixmap entry is there at once")}
  ${kit.call("InvalPage", { address: "esi" })}
  ret
wp_page: dd 0

vmalloc_steps:
  ${indexed(`${MODULE}`)}
  ${p.newTable("edi")}
  mov [vmalloc_table], ebx
  ${p.fresh("esi")}
  mov [module_page], esi
  lea esi, [esi-PAGE_OFFSET+${Bits.kernel}]
  add ebx, ${p.size}
  ${p.set("esi", "ebx", (MODULE | Flags.pt | Flags.current) >>> 0, "a vmalloc entry is there at once")}
  mov esi, module_start
  mov edi, ${MODULE}
  mov ecx, module_end - module_start
  rep movsb
  mov eax, [module_page]
  mov ecx, [module_start]
  ${kit.check("the module through its page", "dword [eax]", "ecx")}
  mov ebx, module_table
  mov ebp, module_table_end
  cmp dword [active], 0
  je vmalloc_loaded
  call patch_range
vmalloc_loaded:
  ${kit.callSite("DisableInterrupts", "module_site_0")}
  ${kit.callSite("GetInterruptMask", "module_site_1")}
  and eax, 0x200
  ${kit.check("the module disables interrupts", "eax", 0)}
  mov eax, 0x247100
  ${kit.callSite("SetInterruptMask", "module_site_2")}
  ret
vmalloc_table: dd 0
module_page: dd 0
${moduleCode(kit)}`;
}

/** A module: three functions with a site each, and the table its loader patches by. */
function moduleCode(kit: Kit): string {
  const saves = kit.config.release.siteInC === 10 ? ["ecx", "edx"] : [];
  const calls = ["DisableInterrupts", "GetInterruptMask", "SetInterruptMask"] as const;
  const bodies = calls.map((call) => `${kit.site([call], saves, 6, false, true)}\n  ret`);
  const moved = (label: string): string => `${label} - module_start + ${MODULE}`;
  const numbers: Record<typeof calls[number], number> = {
    DisableInterrupts: 30,
    GetInterruptMask: 31,
    SetInterruptMask: 32,
  };
  const rows = kit.moduleSites.map((s, i) =>
    `  dd ${moved(s.label)}, ${s.bytes}, ${numbers[calls[i] ?? "DisableInterrupts"]}, -1`
  );
  const holders = kit.moduleSites.map((s) => `fn_${s.label}: dd ${moved(s.label)}`);
  return [
    "align 4",
    "module_start:",
    ...bodies,
    "module_end:",
    "align 4",
    "module_table:",
    ...rows,
    "module_table_end:",
    ...holders,
  ]
    .join("\n");
}
