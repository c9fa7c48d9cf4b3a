/** The mappings a guest names with SetLinearMapping, and calls that are aimed at memory of the hypervisor. */
import type { StopReason } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue, type RogueOptions, TABLE } from "./rogue.ts";
import { conformance, HIDES_NOTHING, NO_CALLS, RING_0 } from "./suite.ts";

const HYPERVISOR = 0x7c000000;
/** Linear addresses at which nothing is mapped until a test does it. */
const WINDOW = 0x40010000, OTHER = 0x40020000;

const word = (r: Rogue, at: number): number => new DataView(r.m.peek(at, 4).buffer).getUint32(0, true);
const ended = (stop: StopReason): string => stop.kind === "killed" ? `${stop.code} ${stop.call}` : stop.kind;

/** SetLinearMapping, then the mapping itself, as a kernel does in this order when it maps a page table of high memory. */
function map(k: Kit, slot: number, at: number, pages: number, pfn: number): string {
  const entries = Array.from(
    { length: pages },
    (_, i) => `mov dword [${FREE_TABLE + (((at >>> 12) & 0x3ff) + i) * 4}], ${(pfn + i) * 4096 + 3}`,
  );
  return `mov eax, ${slot}
    mov edx, ${at}
    mov ecx, ${pages}
    push dword ${pfn}
    ${k.call("SetLinearMapping")}
    add esp, 4
    ${entries.join("\n")}
    mov eax, 1
    ${k.call("FlushTLB")}`;
}

conformance("mappings", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string, options: RogueOptions = {}): Rogue =>
    rogue(candidate, body, { engine, ...options });

  on.test("entries of page tables seen through each slot of SetLinearMapping, as high ones are", () => {
    for (const slot of [0, 1, 2, 3]) {
      // A table in frame 0x500 for linear 0x40400000, a second one in 0x501: the slot leads to one, then to the other.
      const r = run((k) => `
        mov dword [0x300000], 0x11111111
        mov dword [0x301000], 0x22222222
        mov dword [${DIRECTORY + 0x404}], 0x500007
        mov dword [${DIRECTORY + 0x408}], 0x501007
        ${map(k, slot, WINDOW, 1, 0x500)}
        mov eax, 0x300007
        mov edx, ${WINDOW}
        mov ecx, 0x40400011
        ${k.call("SetPxE")}
        mov eax, [${WINDOW}]
        ${k.store(0)}
        mov eax, [0x40400000]
        ${k.store(1)}
        ${map(k, slot, WINDOW, 1, 0x501)}
        mov eax, 0x301007
        mov edx, ${WINDOW + 4}
        mov ecx, 0x40801031
        ${k.call("SetPxE")}
        mov eax, [0x40801000]
        ${k.store(2)}
        lock and dword [${WINDOW + 4}], 0
        mov eax, ${WINDOW + 4}
        mov edx, 0x40801011
        ${k.call("UpdatePxE")}
        mov eax, 0x40801000
        ${k.call("InvalPage")}
        ${k.attempt("mov eax, [0x40801000]")}
        mov eax, [0x40400000]
        ${k.store(3)}
      `);
      assertEquals(ended(r.stop), "halt", `slot ${slot}`);
      assertEquals(
        [0, 1, 2, 3].map((n) => r.result(n)),
        [r.result(0) | 0x300007, 0x11111111, 0x22222222, 0x11111111],
        `slot ${slot}`,
      );
      assertEquals([word(r, 0x500000) & ~0x60, word(r, 0x501004)], [0x300007, 0], `slot ${slot}`);
      assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[14, 0]], `slot ${slot}`);
    }
  });

  on.test("entries of 64 bits through slots 1 and 2 of SetLinearMapping, both in use at once", () => {
    const set = (k: Kit, pte: number, at: number): string => `
        mov eax, ${pte}
        xor edx, edx
        mov ecx, ${at}
        push dword 1
        ${k.call("SetPxELong")}
        add esp, 4`;
    const names = (k: Kit, slot: number, at: number, pfn: number): string => `
        mov dword [${FREE_TABLE + (((at >>> 12) & 0x1ff) * 8)}], ${pfn * 4096 + 3}
        mov eax, ${slot}
        mov edx, ${at}
        mov ecx, 1
        push dword ${pfn}
        ${k.call("SetLinearMapping")}
        add esp, 4`;
    const r = run(
      (k) => `
        mov dword [0x300000], 0x11111111
        mov dword [0x301000], 0x22222222
        mov dword [${DIRECTORY + 0x2008}], 0x500007
        mov dword [${DIRECTORY + 0x2010}], 0x501007
        ${names(k, 1, WINDOW, 0x500)}
        ${names(k, 2, OTHER, 0x501)}
        mov eax, 1
        ${k.call("FlushTLB")}
        ${set(k, 0x300007, WINDOW + 8)}
        ${set(k, 0x301007, OTHER + 16)}
        mov eax, [0x40201000]
        ${k.store(0)}
        mov eax, [0x40402000]
        ${k.store(1)}
      `,
      { pae: true },
    );
    assertEquals(ended(r.stop), "halt");
    assertEquals([r.result(0), r.result(1)], [0x11111111, 0x22222222]);
  });

  on.unless(RING_0, NO_CALLS).test("a slot that was named anew, and one that was taken back, lead nowhere else", () => {
    const r = run((k) => `
      ${map(k, 1, WINDOW, 2, 0x500)}
      xor ecx, ecx
      mov eax, 1
      mov edx, ${WINDOW}
      push dword 0x500
      ${k.call("SetLinearMapping")}
      add esp, 4
      mov dword [${FREE_TABLE + 0x40}], 0x502003
      mov eax, 3
      ${k.call("FlushTLB")}
      mov eax, 0x1234
      mov edx, ${WINDOW}
      mov ecx, 1
      ${k.call("SetPxE")}
    `);
    assertEquals([ended(r.stop), word(r, 0x500000), word(r, 0x502000)], ["halt", 0, 0x1234]);
  });

  on.unless(RING_0, NO_CALLS).test(
    "a mapping that is not of whole pages is refused: entries would not be aligned",
    () => {
      // Two stores that straddle entries would make one that nobody has looked at.
      for (const at of [WINDOW + 1, WINDOW + 4, WINDOW + 0xfff]) {
        const r = run((k) => `
        mov eax, 3
        mov edx, ${at}
        mov ecx, 16
        push dword ${TABLE >>> 12}
        ${k.call("SetLinearMapping")}
        add esp, 4
        mov eax, 0x00000700
        mov edx, ${WINDOW + 4}
        mov ecx, 1
        ${k.call("SetPxE")}
      `);
        assertEquals(ended(r.stop), "bad-argument SetLinearMapping");
      }
    },
  );

  on.unless(RING_0, NO_CALLS).test(
    "a mapping beyond 4 GiB, or over the end of the address space, reaches nothing",
    () => {
      for (const pfn of [0x100000, 0x107c000, 0xffffffff, 0x1000000 + (HYPERVISOR >>> 12)]) {
        const r = run((k) => `
        mov eax, 3
        mov edx, 0xfffff000
        mov ecx, 0xffffffff
        push dword ${pfn}
        ${k.call("SetLinearMapping")}
        add esp, 4
        mov eax, 0x41414141
        mov edx, 0xfffffffc
        mov ecx, 1
        ${k.call("SetPxE")}
      `);
        assertEquals(ended(r.stop), "halt", pfn.toString(16));
        assertEquals([word(r, 0xffc), r.m.peek(HYPERVISOR, 0x1000).includes(0x41)], [0, false]);
      }
    },
  );
});

/** Calls whose pointer leads to a page of the hypervisor's, mapped at 0x40000000. */
const AIMED: readonly (readonly [string, (k: Kit) => string])[] = [
  ["SetPxE", (k) => `mov eax, 7\nmov edx, 0x40000000\nmov ecx, 1\n${k.call("SetPxE")}`],
  ["SetPxELong", (k) => `mov eax, 7\nxor edx, edx\nmov ecx, 0x40000000\npush dword 1\n${k.call("SetPxELong")}`],
  ["SetGDT", (k) => `mov eax, 0x40000000\n${k.call("SetGDT")}`],
  ["SetIDT", (k) => `mov eax, 0x40000000\n${k.call("SetIDT")}`],
  ["GetGDT", (k) => `mov eax, 0x40000000\n${k.call("GetGDT")}`],
  ["GetIDT", (k) => `mov eax, 0x40000000\n${k.call("GetIDT")}`],
  ["WriteGDTEntry", (k) => `mov eax, 0x40000000\nxor edx, edx\nmov ecx, 1\npush dword 2\n${k.call("WriteGDTEntry")}`],
  ["WriteLDTEntry", (k) => `mov eax, 0x40000000\nxor edx, edx\nmov ecx, 1\npush dword 2\n${k.call("WriteLDTEntry")}`],
  ["WriteIDTEntry", (k) => `mov eax, 0x40000000\nxor edx, edx\nmov ecx, 1\npush dword 2\n${k.call("WriteIDTEntry")}`],
  ["SetInitialAPState", (k) => `mov eax, 0x40000000\nxor edx, edx\n${k.call("SetInitialAPState")}`],
  ["IRET", (k) => `mov esp, 0x40000000\njmp ${k.slot("IRET")}`],
  ["SetCR3", (k) => `mov eax, ${HYPERVISOR + 0x20000}\n${k.call("SetCR3")}`],
];

conformance("aimed", (on) => {
  const { candidate, engine } = on;
  on.unless(RING_0, NO_CALLS).test("a call that is aimed at the hypervisor's memory ends the guest by name", () => {
    for (const [call, body] of AIMED) {
      const r = rogue(candidate, (k) => `mov dword [${FREE_TABLE}], ${HYPERVISOR + 7}\n${body(k)}`, { engine });
      assertEquals(ended(r.stop), `hypervisor-memory ${call}`);
      assert(r.m.paravirt.stats().calls[call] === 1, call);
    }
  });

  on.unless(RING_0).test(
    "events and emulated instructions that need the hypervisor's memory end the guest",
    () => {
      const ways: readonly (readonly [string, (k: Kit) => string])[] = [
        ["page at 0x40000ffc", () => "mov esp, 0x40001000\nud2"],
        ["page at 0x40000018", () => "mov dword [idt_pointer+2], 0x40000000\nlidt [idt_pointer]\nint3"],
        ["page at 0x40000000", () => "lgdt [0x40000000]"],
        ["CR3 0x7c020000", () => `mov eax, ${HYPERVISOR + 0x20000}\nmov cr3, eax`],
        [
          "page at 0x40000000",
          (k) => `mov eax, 0x3000\n${k.call("SetIOPLMask")}\nmov edi, 0x40000000\nmov edx, 0x61\ninsb`,
        ],
      ];
      for (const [what, body] of ways) {
        const r = rogue(candidate, (k) => `mov dword [${FREE_TABLE}], ${HYPERVISOR + 7}\n${body(k)}`, { engine });
        assertEquals(ended(r.stop), `hypervisor-memory ${what}`);
      }
    },
  );

  on.unless(HIDES_NOTHING).test("a page table in the hypervisor's memory ends the guest", () => {
    const r = rogue(candidate, (k) => `
      mov dword [${DIRECTORY + 0x404}], ${HYPERVISOR + 0x26007}
      mov eax, 1
      ${k.call("FlushTLB")}
      mov eax, [0x40400000]
    `, { engine });
    assertEquals(ended(r.stop), "hypervisor-memory page table of 0x40400000");
  });
});
