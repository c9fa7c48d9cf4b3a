/**
 * The page walk over tables in a small map of words: formats, rights, error codes, accessed and dirty bits.
 */
import { loadPdptrs, type PhysicalWords, walk, WalkResult } from "../../../../lib/cpu/i386/mmu.ts";
import { PageFault, Pte } from "../../../../lib/spec/i386_regs.ts";
import { CpuState, Layout } from "../../../../lib/cpu/i386/state.ts";
import { Cr0, Cr4, Efer } from "../../../../lib/spec/i386_regs.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";

const { present, write, user, large, global, accessed, dirty } = Pte;

/** Sparse physical memory and a CPU with paging on. */
class Rig implements PhysicalWords {
  readonly words: Map<number, number> = new Map();
  readonly state: CpuState = new CpuState(new WebAssembly.Memory({ initial: 1 }), 4096);
  readonly out: WalkResult = new WalkResult();

  constructor(cr4 = 0, cr0 = 0) {
    this.state.set(Layout.cr0, Cr0.pe | Cr0.pg | cr0);
    this.state.set(Layout.cr3, 0x1000);
    this.state.set(Layout.cr4, cr4);
  }

  read32(phys: number): number {
    return (this.words.get(phys) ?? 0) | 0;
  }

  write32(phys: number, value: number): void {
    this.words.set(phys, value | 0);
  }

  /** -1: translated, otherwise the error code. */
  go(linear: number, how = ""): number {
    const ok = walk(this, this.state, linear, how.includes("w"), how.includes("u"), how.includes("x"), this.out);
    return ok ? -1 : this.out.errorCode;
  }
}

/** A 4 KiB page: linear 0x00403000 to 0x0009a000. */
function small(pde: number, pte: number, cr4 = 0, cr0 = 0): Rig {
  const rig = new Rig(cr4, cr0);
  rig.write32(0x1004, 0x2000 | pde);
  rig.write32(0x200c, 0x9a000 | pte);
  return rig;
}

Deno.test("walk of a 4 KiB page sets accessed at both levels and dirty on a write only", () => {
  const rig = small(present | write | user, present | write | user);
  assertEquals([rig.go(0x403123, "u"), rig.out.frame, rig.out.userWrite], [-1, 0x9a000, false]);
  assertEquals([rig.read32(0x1004) & 0x60, rig.read32(0x200c) & 0x60], [accessed, accessed]);
  assertEquals([rig.go(0x403123, "uw"), rig.out.userWrite, rig.out.systemWrite], [-1, true, true]);
  assertEquals([rig.read32(0x1004) & 0x60, rig.read32(0x200c) & 0x60], [accessed, accessed | dirty]);
});

Deno.test("walk reports absent and forbidden accesses with the right error code", () => {
  const all = present | write | user, kernel = present | write, fixed = present | user;
  const cases: [number, number, string, number, number][] = [
    [0, all, "uw", 0, PageFault.write | PageFault.user],
    [all, 0, "", 0, 0],
    [kernel, all, "u", 0, PageFault.protection | PageFault.user],
    [all, kernel, "uw", 0, PageFault.protection | PageFault.user | PageFault.write],
    [all, fixed, "uw", 0, PageFault.protection | PageFault.user | PageFault.write],
    [fixed, all, "w", Cr0.wp, PageFault.protection | PageFault.write],
    [fixed, all, "w", 0, -1],
    [kernel, kernel, "w", Cr0.wp, -1],
  ];
  for (const [pde, pte, how, cr0, code] of cases) {
    assertEquals(small(pde, pte, 0, cr0).go(0x403000, how), code, `${pde} ${pte} ${how}`);
  }
  const denied = small(all, fixed);
  denied.go(0x403000, "uw");
  assertEquals([denied.read32(0x1004) & accessed, denied.read32(0x200c) & 0x60], [accessed, 0]);
});

Deno.test("4 MiB pages need CR4.PSE and refuse reserved bits; global needs CR4.PGE", () => {
  const rig = new Rig(Cr4.pse | Cr4.pge);
  rig.write32(0x1004, 0x00800000 | present | write | large | global);
  assertEquals([rig.go(0x7ff123, "w"), rig.out.frame, rig.out.global], [-1, 0xbff000, true]);
  assertEquals(rig.read32(0x1004) & 0x60, accessed | dirty);
  rig.state.set(Layout.cr4, Cr4.pse);
  assertEquals([rig.go(0x7ff123), rig.out.global], [-1, false]);
  rig.write32(0x1004, 0x00802000 | present | large);
  assertEquals(rig.go(0x7ff123), PageFault.protection | PageFault.reserved);
});

/** PAE: linear 0x40201000, by pointer 1, entry 1, entry 1. */
function pae(pde: number, pdeHigh: number, pte: number, pteHigh: number, efer = 0): Rig {
  const rig = new Rig(Cr4.pae);
  rig.state.set(Layout.efer, efer);
  rig.write32(0x1008, 0x2000 | present);
  assertEquals(loadPdptrs(rig, rig.state, 0x1000), true);
  rig.write32(0x2008, 0x3000 | pde);
  rig.write32(0x200c, pdeHigh);
  rig.write32(0x3008, 0x9a000 | pte);
  rig.write32(0x300c, pteHigh);
  return rig;
}

Deno.test("PAE walks reach above 4 GiB, 2 MiB pages keep their offset", () => {
  const all = present | write | user;
  const rig = pae(all, 0, all, 3);
  assertEquals([rig.go(0x40201000), rig.out.frame], [-1, 0x3_0009_a000]);
  assertEquals(rig.go(0x80000000, "w"), PageFault.write);
  const big = pae(all, 0, all, 0);
  big.write32(0x2008, 0x00600000 | all | large);
  assertEquals([big.go(0x4020_5678, "w"), big.out.frame], [-1, 0x605000]);
  big.write32(0x2008, 0x00602000 | all | large);
  assertEquals(big.go(0x40205678), PageFault.protection | PageFault.reserved);
});

Deno.test("NX forbids fetches with EFER.NXE and is reserved without", () => {
  const all = present | write | user, nx = 0x80000000 | 0;
  const rig = pae(all, 0, all, nx, Efer.nxe);
  assertEquals([rig.go(0x40201000, "u"), rig.out.noExecute], [-1, true]);
  assertEquals(rig.go(0x40201000, "ux"), PageFault.protection | PageFault.user | PageFault.fetch);
  assertEquals(pae(all, nx, all, 0, Efer.nxe).go(0x40201000, "x"), PageFault.protection | PageFault.fetch);
  assertEquals(pae(all, 0, all, nx).go(0x40201000), PageFault.protection | PageFault.reserved);
  assertEquals(pae(all, 0, all, 0x10).go(0x40201000, "x"), PageFault.protection | PageFault.reserved);
});

Deno.test("loadPdptrs refuses reserved bits of present entries and loads nothing then", () => {
  const rig = pae(present, 0, present, 0);
  rig.write32(0x1000, 0x7000 | present | write);
  assertEquals([loadPdptrs(rig, rig.state, 0x1000), rig.state.get(Layout.pdptr)], [false, 0]);
  rig.write32(0x1000, 0x7000 | write);
  assertEquals(loadPdptrs(rig, rig.state, 0x1000), true);
});
