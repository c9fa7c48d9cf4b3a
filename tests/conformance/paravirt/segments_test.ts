/** Segment registers after calls that change tables, and returns of which the guest hears at the place of its call. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { shadow } from "../../../mod.ts";
import { type Kit, type Rogue, rogue } from "./rogue.ts";
import { conformance, NO_CALLS, RING_0 } from "./suite.ts";

const GP = 13, DB = 1;
/** Two local tables of four entries. */
const LOCAL = 0x330000, OTHER = 0x331000;

/** A writable data segment of ring 3 at this base, as its two words. */
const words = (at: number): readonly [number, number] => [
  (((at & 0xffff) << 16) | 0xffff) >>> 0,
  (0x00cff200 | (at & 0xff000000) | ((at >>> 16) & 0xff)) >>> 0,
];
/** Entry `n` of a local table, stored without a word. */
const local = (table: number, n: number, base: number): string =>
  words(base).map((word, i) => `mov dword [${table + 8 * n + 4 * i}], ${word}`).join("\n");
/** Entry 17 of the global table names a local one. */
const name = (k: Kit, table: number): string => `
  push dword ${0x8200 | ((table >>> 16) & 0xff)}
  mov eax, gdt
  mov edx, 17
  mov ecx, ${(((table & 0xffff) << 16) | 31) >>> 0}
  ${k.call("WriteGDTEntry")}
  add esp, 4`;
const set = (k: Kit, selector: number): string => `mov eax, ${selector}\n${k.call("SetLDT")}`;
const lazy = (k: Kit, mode: number): string => `mov eax, ${mode}\n${k.call("SetLazyMode")}`;
const look = (k: Kit, n: number): string => `mov eax, [gs:0]\n${k.store(n)}\nmov eax, gs\n${k.store(n + 1)}`;
const MARKS = "mov dword [0x300000], 0x77\nmov dword [0x301000], 0x88";
const load = "mov eax, 0x0f\nmov gs, ax";

conformance("segments", (on) => {
  const { candidate, engine } = on;
  const run = (body: (k: Kit) => string): Rogue => {
    const r = rogue(candidate, body, { engine });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };
  const reloads = candidate.deprivileges && !candidate.transparent;

  on.test("SetLDT loads segment registers anew where a hypervisor is told, as the interface says", () => {
    const r = run((k) => `
      ${MARKS}
      ${local(LOCAL, 1, 0x300000)}
      ${name(k, LOCAL)}
      ${set(k, 0x88)}
      ${load}
      ${look(k, 0)}
      ${local(LOCAL, 1, 0x301000)}
      ${set(k, 0x88)}
      ${look(k, 2)}`);
    assertEquals([r.result(0), r.result(2), r.result(3)], [0x77, reloads ? 0x88 : 0x77, 0x0f]);
  });

  on.test("a register whose descriptor goes with the old table stays, for the kernel to save it", () => {
    const r = run((k) => `
      ${MARKS}
      ${local(LOCAL, 1, 0x300000)}
      ${name(k, LOCAL)}
      ${set(k, 0x88)}
      ${load}
      ${set(k, 0)}
      mov eax, gs
      ${k.store(0)}
      ${lazy(k, 2)}
      ${set(k, 0x88)}
      ${set(k, 0)}
      ${lazy(k, 0)}
      mov eax, gs
      ${k.store(1)}
      ${k.attempt("mov eax, 0x0f\nmov fs, ax")}`);
    assertEquals([r.result(0), r.result(1)], [0x0f, 0x0f]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[GP, 0x0c]]);
  });

  on.test("a selector loaded between SetLDT and the end of lazy mode is of the new table in the end", () => {
    const r = run((k) => `
      ${MARKS}
      ${local(LOCAL, 1, 0x300000)}
      ${local(OTHER, 1, 0x301000)}
      ${name(k, LOCAL)}
      ${set(k, 0x88)}
      ${lazy(k, 2)}
      ${name(k, OTHER)}
      ${set(k, 0x88)}
      ${load}
      ${lazy(k, 0)}
      ${look(k, 0)}`);
    assertEquals([r.result(0), r.result(1)], [0x88, 0x0f]);
  });

  on.unless(RING_0, NO_CALLS).test(
    "a guest that never ends lazy mode takes no more of the host's memory for that",
    () => {
      const r = run((k) => `
      ${lazy(k, 2)}
      mov ebx, 3000
      again:
      push dword 0x00cff200
      mov eax, gdt
      mov edx, 6
      mov ecx, 0x0000ffff
      ${k.call("WriteGDTEntry")}
      add esp, 4
      dec ebx
      jnz again`);
      const { "CPU batches": batches = 0, "CPU updates deferred": deferred } = r.m.paravirt.stats().backend;
      assertEquals(deferred, 3000);
      assert(batches >= 5, `${batches}`);
    },
  );

  on.unless(NO_CALLS).test("a single step through the ROM's IRET goes on behind it", () => {
    const r = run((k) => `
      mov eax, on_step
      mov edx, eax
      and eax, 0xffff
      or eax, 0x600000
      mov dx, 0x8e00
      mov [idt+8*${DB}], eax
      mov [idt+8*${DB}+4], edx
      pushfd
      push dword 0x60
      push dword behind
      pushfd
      or dword [esp], 0x100
      popfd
      ${k.call("IRET")}
      behind:
      jmp stop
      on_step:
      inc dword [ss:0x8000]
      cmp dword [ss:0x8000], 50
      jb on
      and dword [ss:esp+8], 0xfffffeff
      on:
      iretd`);
    assert(r.result(0) > 0 && r.result(0) < 10, `${r.result(0)} steps`);
  });

  on.unless(RING_0, NO_CALLS).test(
    "SYSEXIT that CPUID does not promise is a fault at its call, whatever the registers say",
    () => {
      const body = (k: Kit): string => `
      mov ecx, 0x174
      mov eax, 0x60
      xor edx, edx
      wrmsr
      mov dword [resume], back
      mov edx, in_user
      mov ecx, 0x9f00
      here: ${k.call("SYSEXIT")}
      back:
      jmp stop
      in_user:
      int 0x80`;
      const r = run(body), at = r.faults[0]?.eip ?? 0;
      assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[GP, 0]]);
      assert(at > 0x10000 && at < 0x20000, at.toString(16));
      if (on.backend !== "shadow") return;
      const offered = rogue({ ...candidate, make: () => shadow({ sysenter: true }) }, body, { engine });
      assertEquals([offered.stop.kind, offered.faults], ["halt", []]);
    },
  );
});
