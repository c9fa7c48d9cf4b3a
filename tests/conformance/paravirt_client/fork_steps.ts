/**
 * Steps of the client kernel with two processes: a fork-like copy in MMU lazy mode, copy on write, accessed and dirty bits,
 * exit and the release of pages. Reference: 6.2-6.4, 6.6, 6.7. Cold.
 */
import { attempt } from "./handlers.ts";
import type { Kit } from "./kit.ts";
import { Bits, Flags, type Pages } from "./pages.ts";
import { CURRENT, dataWord, entryOf, newSpace, PRIVATE, switchTo, user } from "./spaces.ts";
import { DATA, TABLE_INDEX, USER } from "./user_programs.ts";

/** A second address space that shares the first one's pages, in MMU lazy mode; both write; both end. */
export function fork(kit: Kit, p: Pages): string {
  const { release: r } = kit.config;
  // copy_pte_range maps both tables: the child's in slot 1, the parent's, nested, in slot 2.
  const share = (page: number, va: number): string => `
  ${r.highPte ? highEntry(p, 2, page) : entryOf(p, 0, page)}
  lock and dword [edi], 0xfffffffd  ; ptep_set_wrprotect
  ${p.update("edi", va | CURRENT)}
  mov esi, [edi]
  and esi, 0xffffffbf               ; clean
  ${r.highPte ? highEntry(p, 1, page) : entryOf(p, 1, page)}
  ${p.set("esi", "edi", PRIVATE)}
  ${r.kmapLeavesLazy ? `${kit.call("SetLazyMode", { mode: 0 })}\n  ${kit.call("SetLazyMode", { mode: 1 })}` : ""}`;
  return `
fork_steps:
  ${newSpace(kit, p, 1)}
  ${r.highPte ? `${mapHigh(kit, 1, 1)}\n  ${mapHigh(kit, 2, 0)}` : ""}
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
  ${r.highPte ? `${mapHigh(kit, 1, 0)}\n  ${highEntry(p, 1, 1)}` : entryOf(p, 0, 1)}
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
high_page_1: dd 0
high_page_2: dd 0`;
}

/** The table of space `n` seen through a slot: the fixmap entry, then the hint (6.7). */
function mapHigh(kit: Kit, slot: 1 | 2, n: number): string {
  return `mov ebx, [mm_${n}_table]
  sub ebx, PAGE_OFFSET
  mov ebp, ebx
  shr ebp, 12
  or ebx, ${Bits.kernel}
  mov ecx, ${5 + slot}
  call set_fixmap
  mov [high_page_${slot}], esi
  ${kit.call("SetLinearMapping", { slot, address: "esi", pages: 1, pfn: "ebp" })}`;
}

function highEntry(p: Pages, slot: 1 | 2, page: number): string {
  return `mov edi, [high_page_${slot}]\n  add edi, ${(TABLE_INDEX + page) * p.size}`;
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
