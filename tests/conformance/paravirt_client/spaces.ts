/**
 * Address spaces of processes on the client kernel: how one is made, switched to, entered and looked into.
 * Reference: 6.2, 6.3, 6.6, 7.2. Cold.
 */
import { writeEntry } from "./cpu_steps.ts";
import { attempt } from "./handlers.ts";
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";
import { Flags, type Pages } from "./pages.ts";
import { DATA, STACK, TABLE_INDEX, USER } from "./user_programs.ts";

/** Stack of entries from ring 3. */
export const KERNEL_STACK: number = lin(At.stack) - 0x2000;
/** Stack of SYSENTER. */
export const SYSENTER_STACK: number = lin(At.stack) - 0x3000;
const KERNEL_ENTRIES = 256;
/** Flags of an update to a space that is not current, and to the current one. */
export const PRIVATE: number = Flags.pt, CURRENT: number = Flags.pt | Flags.current;

/** A descriptor of a user segment at `base`. */
export function userSegment(base: number): readonly [number, number] {
  return [((base << 16) | 0xffff) >>> 0, ((base & 0xff000000) | 0x00cff200 | ((base >>> 16) & 0xff)) >>> 0];
}

/** Enters ring 3 at a label of the user's code; goes on when the program has ended, or has met a fault. */
export function user(kit: Kit, label: string, eflags = 0x202): string {
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
export function newSpace(kit: Kit, p: Pages, n: number): string {
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
export function entryOf(p: Pages, n: number, page: number): string {
  return `mov edi, [mm_${n}_table]\n  add edi, ${(TABLE_INDEX + page) * p.size}`;
}

/** A context switch to space `n` (or to the kernel's own, -1). */
export function switchTo(kit: Kit, n: number): string {
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
export function dataWord(kit: Kit, text: string, n: number, offset: number, expected: string | number): string {
  return `mov eax, [mm_${n}_table]
  mov eax, [eax+${(TABLE_INDEX + 1) * p1(kit)}]
  and eax, 0xfffff000
  mov eax, [eax+PAGE_OFFSET+${offset}]
  ${kit.check(text, "eax", expected)}`;
}
