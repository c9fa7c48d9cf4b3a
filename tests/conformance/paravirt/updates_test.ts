/**
 * When a change of a page table takes effect: at the latest where the interface says.
 *
 * A processor that walks the guest's own tables may go on by a translation that it has until the guest flushes it, as on
 * bare hardware; the interface asks no more. Shadow tables are changed with the entry, and then nothing is left to go by:
 * at once, or for a deferred change with whatever call or event ends the waiting.
 */
import { assertEquals } from "../../../scripts/deps/std.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue } from "./rogue.ts";
import { conformance } from "./suite.ts";

const OLD = 0x11111111, NEW = 0x22222222, PF = 14;
/** Linear 0x40000000 shows the old page, and has been used. */
const USED = `
  mov dword [0x300000], ${OLD}
  mov dword [0x301000], ${NEW}
  mov dword [${FREE_TABLE}], 0x300007
  mov eax, [0x40000000]
`;
/** SetPxE of its entry; 0x31: of the current space, may be deferred. */
const set = (k: Kit, entry: number, flags: number): string =>
  `mov eax, ${entry}\nmov edx, ${FREE_TABLE}\nmov ecx, ${0x40000000 + flags}\n${k.call("SetPxE")}`;
const look = (k: Kit, n: number): string => `mov eax, [0x40000000]\n${k.store(n)}`;

/** What flushes, so that it takes effect for every processor; and what a hypervisor must have done by then besides. */
const FLUSHES: Readonly<Record<string, (k: Kit) => string>> = {
  InvalPage: (k) => `mov eax, 0x40000000\n${k.call("InvalPage")}`,
  "FlushTLB without global ones": (k) => `mov eax, 1\n${k.call("FlushTLB")}`,
  FlushTLB: (k) => `mov eax, 3\n${k.call("FlushTLB")}`,
  SetCR3: (k) => `mov eax, ${DIRECTORY}\n${k.call("SetCR3")}`,
};
const DRAINS: Readonly<Record<string, (k: Kit) => string>> = {
  ...FLUSHES,
  "the end of lazy mode": (k) => `xor eax, eax\n${k.call("SetLazyMode")}`,
  EnableInterrupts: (k) => `${k.call("EnableInterrupts")}\n${k.call("DisableInterrupts")}`,
  SetInterruptMask: (k) => `mov eax, 0x200\n${k.call("SetInterruptMask")}\n${k.call("DisableInterrupts")}`,
  "IRET in the kernel": (k) => `pushfd\npush dword 0x60\npush dword behind\n${k.call("IRET")}\nbehind:`,
  AllocatePage: (k) =>
    `push dword 0\npush dword 0\nmov eax, ${FREE_TABLE >>> 12}\nmov edx, 0x41\nxor ecx, ecx\n${
      k.call("AllocatePage")
    }\nadd esp, 8`,
  ReleasePage: (k) => `mov eax, ${FREE_TABLE >>> 12}\nmov edx, 0x41\n${k.call("ReleasePage")}`,
  APICWrite: (k) => `mov eax, 0x80\nxor edx, edx\n${k.call("APICWrite")}`,
  "a page fault": (k) => k.attempt("mov eax, [0x50000000]"),
  "a fault of another kind": (k) => k.attempt("ud2"),
};

conformance("updates", (on) => {
  const { candidate, engine } = on, shadows = on.backend === "shadow";
  const run = (body: (k: Kit) => string): Rogue => {
    const r = rogue(candidate, body, { engine });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };

  on.test("a cleared entry is gone with the flush, or at once where tables are shadowed and the hypervisor is told", () => {
    const r = run((k) => `
      ${USED}
      ${set(k, 0, 0x11)}
      mov eax, [${FREE_TABLE}]
      ${k.store(0)}
      ${k.attempt(look(k, 1))}
      ${FLUSHES["InvalPage"]?.(k)}
      ${k.attempt(look(k, 2))}`);
    assertEquals([r.result(0), r.result(2)], [0, 0]);
    assertEquals(r.faults.filter((f) => f.vector === PF).length, shadows ? 2 : 1);
    assertEquals(r.result(1), shadows ? 0 : OLD, "a processor goes by the translation that it has");
  });

  on.test("an entry that becomes present needs no flush", () => {
    const r = run((k) => `
      ${USED}
      ${set(k, 0, 0x11)}
      ${FLUSHES["InvalPage"]?.(k)}
      ${k.attempt(look(k, 0))}
      ${set(k, 0x301007, 0x11)}
      ${look(k, 1)}`);
    assertEquals([r.result(0), r.result(1)], [0, NEW]);
  });

  on.test("an entry that allows more needs no flush, deferred or not", () => {
    for (const flags of [0x11, 0x31]) {
      const r = run((k) => `
        ${USED}
        ${set(k, 0x300005, 0x11)}
        ${FLUSHES["InvalPage"]?.(k)}
        mov eax, cr0
        or eax, 0x10000
        ${k.call("SetCR0")}
        ${k.attempt("mov dword [0x40000000], 0x33")}
        ${look(k, 0)}
        ${set(k, 0x300007, flags)}
        ${k.attempt("mov dword [0x40000000], 0x33")}
        ${look(k, 1)}`);
      assertEquals([r.result(0), r.result(1), r.faults.map((f) => f.errorCode)], [OLD, 0x33, [3]]);
    }
  });

  on.test("a deferred change is in effect after whatever flushes", () => {
    for (const [what, flush] of Object.entries(FLUSHES)) {
      const r = run((k) => `${USED}\n${set(k, 0x301007, 0x31)}\n${flush(k)}\n${look(k, 0)}`);
      assertEquals([what, r.result(0)], [what, NEW]);
    }
  });

  on.test("a deferred change is in effect after every call and event that must find it done", () => {
    for (const [what, drain] of Object.entries(shadows ? DRAINS : FLUSHES)) {
      const r = run((k) => `
        ${USED}
        mov eax, 1
        ${k.call("SetLazyMode")}
        ${set(k, 0x301007, 0x31)}
        mov eax, [${FREE_TABLE}]
        ${k.store(1)}
        ${drain(k)}
        ${look(k, 0)}`);
      assertEquals([what, r.result(1), r.result(0)], [what, 0x301007, NEW]);
    }
  });
});
