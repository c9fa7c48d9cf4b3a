/**
 * Probe, activation and patching, as a kernel does them. The tables of queries, operations and sites are in the program.
 *
 * Reference: 2.5 (checks in order), 4.1-4.4 (relocation, what becomes of each answer, patching), 4.5 (queries), 6.7.
 * A kernel BUGs where an answer cannot be used; so does this one: `bug` gets a number and the machine halts. Cold data.
 */
import { At, lin, MEMORY, PAGE_OFFSET } from "./head.ts";
import { type Kit, numberOf } from "./kit.ts";
import { queries, type Query, USES } from "./queries.ts";

/** Numbers of the kernel's own BUGs. */
export const Bug = { jumpToFunction: 1, badSite: 2, siteTooShort: 3, combined: 4 } as const;
/** Pages of low memory at most, by a reserve of 128 MiB for vmalloc (6.7). */
export const MAXMEM_PFN = 0x38000;

/** Looks for the ROM; leaves its linear address in `rom`, or 0. */
export function probe(kit: Kit): string {
  return `
probe:
  mov ebx, PAGE_OFFSET + 0xc0000
probe_next:
  cmp word [ebx], 0xaa55
  jne probe_step
  cmp dword [ebx+8], 0x696d5663
  jne probe_step
  cmp byte [ebx+0x0d], 3
  jne probe_mismatched
  mov al, [ebx+0x0c]
  inc eax
  movzx esi, word [ebx+0x18]
  test esi, esi
  jz probe_no_pci
  add esi, ebx
  cmp word [esi+4], 0x15ad
  jne probe_unknown
  cmp word [esi+6], 0x0801
  jne probe_unknown
probe_known:
  movzx eax, word [ebx+0x16]        ; licence: exactly GPL or GPL v2
  test eax, eax
  jz probe_licence
  add eax, ebx
  cmp dword [eax], 0x004c5047
  je probe_found
  cmp dword [eax], 0x204c5047
  jne probe_licence
  cmp word [eax+4], 0x3276
  jne probe_licence
  cmp byte [eax+6], 0
  je probe_found
probe_licence:
  inc dword [rom_unlicensed]
  jmp probe_step
probe_mismatched:
  inc dword [rom_mismatched]
  jmp probe_step
probe_no_pci:
  inc dword [rom_no_pci]
  jmp probe_step
probe_unknown:
  inc dword [rom_unknown]
  jmp probe_known
probe_step:
  add ebx, 2048
  cmp ebx, PAGE_OFFSET + 0xe0000
  jb probe_next
  xor ebx, ebx
  mov [rom], ebx
  ret
probe_found:
  mov [rom], ebx
  xor eax, eax                      ; the BIOS' own test of the image: sum and PCI signature
  movzx ecx, byte [ebx+2]
  shl ecx, 9
  mov edx, ebx
probe_sum:
  add al, [edx]
  inc edx
  dec ecx
  jnz probe_sum
  ${kit.check("sum of the ROM's bytes", "eax", 0)}
  ${kit.check("PCI signature", "dword [esi]", 0x52494350)}
  movzx eax, byte [ebx+2]
  movzx ecx, word [esi+0x10]
  ${kit.check("length in the PCI structure", "ecx", "eax")}
  movzx ecx, word [ebx+0x1a]
  ${kit.check("PnP signature", "dword [ebx+ecx]", 0x506e5024)}
  mov eax, [ebx+0x10]               ; reserve_top_address(-virtual_top)
  sub eax, 0x1000
  mov [fixmap_top], eax
  ret`;
}

/** Init, the queries, the operations, the sites, and the first call that goes through them. */
export function activation(kit: Kit): string {
  const { release: r } = kit.config;
  const pages = r.namesWholeLowmem ? MAXMEM_PFN : MEMORY >> 12;
  return `
activate:
  mov ebx, [rom]
  test ebx, ebx
  jz activate_bare
  lea eax, [ebx+0x80]
  mov [${kit.op("Init")}], eax
  lea eax, [ebx+0x88]
  mov [${kit.op("GetRelocationInfo")}], eax
  sgdt [table_before]
  ${kit.call("Init")}
  test eax, eax
  jnz activate_bare                 ; the ROM failed: all stays native
  mov dword [active], 1
  mov eax, cs
  mov ecx, eax
  and ecx, 3
  mov [kernel_rpl], ecx
  and eax, 0xfffc
  ${kit.check("CS after Init, but for its ring", "eax", 0x60)}
  mov eax, ss
  and eax, 0xfffc
  ${kit.check("SS after Init, but for its ring", "eax", 0x68)}
  mov eax, [kernel_rpl]
  shr eax, 1
  ${kit.check("ring after Init is 0 or 1", "eax", 0)}

  mov dword [${kit.op("IRET")}], 0x0badbab0     ; poison, as in the kernel: only a patched site works
  mov dword [${kit.op("SYSEXIT")}], 0xfeedbab0
  mov ebx, query_table
activate_query:
  cmp dword [ebx+4], ${USES.indexOf("timerFunction")}
  jne activate_ask
  cmp dword [has_timer], 0
  je activate_done
activate_ask:
  ${kit.call("GetRelocationInfo", { call: "dword [ebx]" })}
  call note_query
  movzx edx, dl
  mov ecx, [ebx+4]                  ; use
  mov esi, [ebx+8]                  ; operation
  cmp ecx, ${USES.indexOf("timer")}
  je activate_timer
  cmp edx, 1
  je activate_store                 ; CALL_REL
  cmp edx, 2
  jne activate_not_jump
  test ecx, ecx
  jnz bug_jump                      ; wrappers and functions cannot be jumped to
  inc dword [unknown_types]
  jmp activate_done
activate_not_jump:
  cmp edx, 3
  jne activate_unknown
  test ecx, ecx
  jnz activate_done
  mov eax, empty
  jmp activate_store
activate_unknown:
  test edx, edx
  jz activate_done
  inc dword [unknown_types]
  jmp activate_done
activate_timer:
  test edx, edx
  jz activate_done
  mov dword [has_timer], 1
activate_store:
  mov [esi], eax
activate_done:
  add ebx, 12
  cmp ebx, query_table_end
  jb activate_query
  mov dword [stage], 2
  call unpatched_sites
  call patch_sites
  mov dword [stage], 3
  cmp dword [${kit.op("GetInterruptMask")}], native_GetInterruptMask
  je activate_named
  mov dword [flat_only], 0
activate_named:
  ${kit.call("SetLinearMapping", { slot: 0, address: PAGE_OFFSET, pages, pfn: 0 })}
activate_bare:
  ret

note_query:                         ; EAX, EDX: answer; EBX: row
  push edi
  mov edi, 16
  xadd [query_end], edi
  push dword [ebx]
  pop dword [edi]
  mov [edi+4], eax
  mov [edi+8], edx
  mov dword [edi+12], ebx
  pop edi
  ret

; --- every site of the table, in its order (4.3, 4.4)
patch_sites:
  mov ebx, site_table
  mov ebp, site_table_end
patch_range:                        ; EBX, EBP: rows of 16 bytes: site, bytes, call, second call or -1
  cmp ebx, ebp
  jae patch_end
  cmp dword [ebx+4], 5
  jb bug_short
  ${kit.call("GetRelocationInfo", { call: "dword [ebx+8]" })}
  call note_site
  mov esi, [ebx]
  mov edi, [ebx+4]
  add edi, esi                      ; end of the site
  movzx edx, dl
  cmp dword [ebx+12], -1
  jne patch_two
  test edx, edx
  jz patch_next                     ; left as it was
  cmp edx, 1
  jne patch_not_call
  cmp dword [ebx+8], ${numberOf("IRET")}
  jne patch_call
  mov dword [site_known], 1         ; the backend knows where it was called from
  jmp patch_call
patch_not_call:
  cmp edx, 2
  je patch_jump
  cmp edx, 3
  jne bug_site
  jmp patch_fill
patch_call:
  mov byte [esi], 0xe8
  jmp patch_target
patch_jump:
  mov byte [esi], 0xe9
patch_target:
  sub eax, esi
  sub eax, 5
  mov [esi+1], eax
  add esi, 5
patch_fill:
  cmp esi, edi
  jae patch_next
  mov byte [esi], 0x90
  inc esi
  jmp patch_fill
patch_two:                          ; two calls, 5 bytes each
  cmp edx, 1
  jne bug_combined
  mov byte [esi], 0xe8
  sub eax, esi
  sub eax, 5
  mov [esi+1], eax
  add esi, 5
  ${kit.call("GetRelocationInfo", { call: "dword [ebx+12]" })}
  cmp dl, 1
  jne bug_combined
  jmp patch_call
patch_next:
  add ebx, 16
  jmp patch_range
patch_end:
  ret

note_site:                          ; an answer must be what it was
  inc dword [site_queries]
  push ecx
  push esi
  mov ecx, ${lin(At.queries)}
note_site_next:
  mov esi, [ebx+8]
  cmp [ecx], esi
  jne note_site_step
  cmp [ecx+4], eax
  jne note_site_changed
  cmp [ecx+8], edx
  jne note_site_changed
note_site_step:
  add ecx, 16
  cmp ecx, [query_end]
  jb note_site_next
  pop esi
  pop ecx
  ret
note_site_changed:
  inc dword [changed_answers]
  jmp note_site_step

${bug("bug_jump", Bug.jumpToFunction)}
${bug("bug_site", Bug.badSite)}
${bug("bug_short", Bug.siteTooShort)}
${bug("bug_combined", Bug.combined)}
empty:
  ret`;
}

function bug(label: string, n: number): string {
  return `${label}:\n  mov dword [bug], ${n}\n  jmp bug_stop`;
}

/** Tables of queries and sites, and what activation found. Last: all sites are known by now. */
export function activationData(kit: Kit): string {
  const row = (q: Query): string => `  dd ${numberOf(q.name)}, ${USES.indexOf(q.use)}, ${kit.op(q.name)}`;
  const sites = kit.sites.map((s) => {
    const [first, second] = s.calls.map(numberOf);
    return `  dd ${s.label}, ${s.bytes}, ${first}, ${second ?? -1}`;
  });
  return `
align 4
query_table:
${queries(kit.config).map(row).join("\n")}
query_table_end:
site_table:
${sites.join("\n")}
site_table_end:
rom: dd 0
active: dd 0
rom_mismatched: dd 0
rom_no_pci: dd 0
rom_unknown: dd 0
rom_unlicensed: dd 0
kernel_rpl: dd 0
has_timer: dd 0
unknown_types: dd 0
site_queries: dd 0
changed_answers: dd 0
fixmap_top: dd 0xfffff000
query_end: dd ${lin(At.queries)}
table_before: dd 0, 0`;
}
