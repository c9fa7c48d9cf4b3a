/**
 * Page-table entries as a client kernel writes them, with two levels or three: which call, which flags, and a look at
 * memory afterwards. Reference: 6.1-6.4. Cold.
 */
import { At, lin } from "./head.ts";
import type { Kit } from "./kit.ts";

/** Flags of an update beside the level. */
export const Flags = { pt: 1, pd: 2, pdp: 4, current: 0x10, defer: 0x20 } as const;

/** Bits of entries as Linux writes them. */
export const Bits = {
  table: 0x67,
  kernel: 0x63,
  kernelLarge: 0xe3,
  user: 0x67,
  userRead: 0x25,
  global: 0x100,
} as const;

/** Entries of a kernel. */
export class Pages {
  readonly kit: Kit;
  readonly pae: boolean;
  /** Bytes of an entry. */
  readonly size: 4 | 8;
  /** log2 of what a directory entry maps. */
  readonly shift: 21 | 22;
  /** Entries of a table, less one. */
  readonly mask: 511 | 1023;
  /** AllocatePage flags of a page table and of a directory. */
  readonly l1: number;
  readonly l2: number;

  constructor(kit: Kit) {
    this.kit = kit;
    this.pae = kit.config.pae;
    this.size = this.pae ? 8 : 4;
    this.shift = this.pae ? 21 : 22;
    this.mask = this.pae ? 511 : 1023;
    this.l1 = this.pae ? 0x51 : 0x41;
    this.l2 = this.pae ? 0x52 : 0x42;
  }

  /** Sets an entry by the call of this kernel; `pte` and `ptep` are registers that calls keep, or numbers. */
  set(pte: string | number, ptep: string | number, flags: string | number, text = "an entry is there at once"): string {
    return `${this.#set(pte, ptep, flags, "call")}
  mov eax, [${ptep}]
  ${typeof pte === "number" ? "" : `mov ecx, ${pte}`}
  ${this.kit.check(text, "eax", typeof pte === "number" ? pte : "ecx")}`;
  }

  /** The same in a handler. */
  rawSet(pte: string | number, ptep: string | number, flags: string | number): string {
    return this.#set(pte, ptep, flags, "raw");
  }

  #set(pte: string | number, ptep: string | number, flags: string | number, how: "call" | "raw"): string {
    return this.pae
      ? this.kit[how]("SetPxELong", { pte: [pte, 0], ptep, flags })
      : this.kit[how]("SetPxE", { pte, ptep, flags });
  }

  /** The entry was changed by a store. */
  update(ptep: string | number, flags: string | number, how: "call" | "raw" = "call"): string {
    return this.kit[how](this.pae ? "UpdatePxELong" : "UpdatePxE", { ptep, flags });
  }

  /** ptep_get_and_clear: an exchange, with PAE the high half after it. */
  getAndClear(ptep: string): string {
    return `xor eax, eax\n  xchg [${ptep}], eax${this.pae ? `\n  mov dword [${ptep}+4], 0` : ""}`;
  }

  /** Announces a page; EAX-EDX are gone. `pfn` as for {@linkcode Kit.call}. */
  allocate(pfn: string | number, flags: number, clone = 0, start = 0, count = 0): string {
    return this.kit.call("AllocatePage", { pfn, flags, clone, start, count });
  }

  /** A fresh zeroed page: its linear address in `register`. */
  fresh(register: string): string {
    return `call fresh_page\n  mov ${register}, eax`;
  }

  /** Frame number of a page at a linear address of the direct map, in a register. */
  frame(register: string, of: string): string {
    return `lea ${register}, [${of}-PAGE_OFFSET]\n  shr ${register}, 12`;
  }

  /** A fresh page table, announced and hung into the directory entry at `entry`. Its linear address in EBX. */
  newTable(entry: string | number, bits: number = Bits.table): string {
    return `${this.fresh("ebx")}
  ${this.frame("esi", "ebx")}
  ${this.allocate("esi", this.l1)}
  lea esi, [ebx-PAGE_OFFSET+${bits}]
  ${this.set("esi", entry, Flags.pd, "a directory entry is there at once")}`;
  }

  /** Code that the entries need: fresh pages. */
  get code(): string {
    return `
fresh_page:                         ; a zeroed page of the direct map in EAX
  push edi
  push ecx
  mov edi, [free]
  add dword [free], 0x1000
  push edi
  mov ecx, 1024
  xor eax, eax
  rep stosd
  pop eax
  pop ecx
  pop edi
  ret
free: dd ${lin(At.free)}`;
  }
}
