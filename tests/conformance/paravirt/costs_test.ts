/** What events cost, as a guest of the interface sees it: its counters, its alarms, the time-stamp counter. */
import type { CostTable } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { conformance, HIDES_NOTHING, NO_CALLS } from "./suite.ts";

const PRICE = 1_000_000;

conformance("costs", (on) => {
  const { candidate, engine } = on;
  const run = (body: (k: Kit) => string, costs: CostTable): Rogue => {
    const r = rogue(candidate, body, { engine, costs });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };
  /** What `costs` adds to the time that a piece of code takes. */
  const added = (code: (k: Kit) => string, costs: CostTable): number => {
    const body = (k: Kit): string => `rdtsc\nmov ebp, eax\n${code(k)}\nrdtsc\nsub eax, ebp\n${k.store(0)}`;
    return run(body, costs).result(0) - run(body, {}).result(0);
  };
  const frequency = (k: Kit): string => k.call("GetCycleFrequency");

  on.unless(NO_CALLS).test("a call costs once, and every counter sees it", () => {
    assertEquals(added((k) => `${frequency(k)}\n${frequency(k)}`, { hypercall: PRICE }), 2 * PRICE);
    const counters = (k: Kit): string =>
      [0, 2, 1].map((counter, n) =>
        `xor eax, eax\n${k.call("GetCycleCounter")}\nmov ebx, eax\n${frequency(k)}\nxor eax, eax\n${
          counter === 2 ? "mov eax, 2" : ""
        }\n${k.call("GetCycleCounter")}\n${counter === 2 ? "" : "sub eax, ebx"}\n${k.store(n)}`
      ).join("\n");
    const dear = run(counters, { hypercall: PRICE }), free = run(counters, {});
    // The first reading is taken in its call, so two calls lie between them; nothing of it is stolen.
    assertEquals([0, 1, 2].map((n) => dear.result(n) - free.result(n)), [2 * PRICE, 0, 2 * PRICE]);
  });

  on.unless(NO_CALLS).test("an alarm is due earlier in the program when calls cost more", () => {
    const body = (k: Kit): string => `
      mov dword [${FREE_TABLE}], 0xfee00013
      mov dword [0x400000f0], 0x1ff
      mov dword [0x40000320], 0x31
      xor eax, eax
      ${k.call("GetCycleCounter")}
      mov ecx, edx
      mov edx, eax
      add edx, ${8 * PRICE}
      adc ecx, 0
      push dword 0
      push dword 0
      mov eax, 0x10000
      ${k.call("SetAlarm")}
      add esp, 8
      ${k.call("EnableInterrupts")}
      xor esi, esi
      more:
      inc esi
      ${frequency(k)}
      nop
      cmp dword [${TICKS}], 0
      je more
      ${k.store(0, "esi")}`;
    const calls = [PRICE, 2 * PRICE].map((hypercall) => {
      const r = rogue(candidate, body, { engine, costs: { hypercall }, budget: 3_000_000 });
      assertEquals(r.stop.kind, "halt");
      return r.result(0);
    });
    // SetAlarm and, where it leaves the guest, EnableInterrupts take their part.
    assert((calls[0] ?? 0) >= 5 && (calls[0] ?? 0) <= 7, calls.join());
    assert((calls[1] ?? 0) >= 2 && (calls[1] ?? 0) <= 3, calls.join());
  });

  on.test("events of the guest cost what their way costs", () => {
    const ring = candidate.deprivileges, hardware = candidate.transparent && !ring;
    const call = (k: Kit): string => k.attempt("mov ecx, 0x999\nrdmsr");
    assertEquals(added(call, { gate: PRICE }), ring ? 0 : PRICE);
    assertEquals(added(call, { deliver: PRICE }), ring ? PRICE : 0);
    const port = added(() => "in al, 0x21", { exit: PRICE });
    assertEquals(port, ring || hardware ? PRICE : 0);
    assertEquals(added(() => "in al, 0x21", { emulate: PRICE }), port);
  });

  on.unless(HIDES_NOTHING).test("a page fault that is hidden from the guest costs an exit and an entry", () => {
    const touch = (): string => "mov eax, [0x500000]\nmov eax, [0x500004]";
    const exits = added(touch, { exit: PRICE }) / PRICE;
    assert(exits >= (on.backend === "direct" ? 0 : 1) && exits <= 2, `${exits}`); // direct may have the entry already
    // Where a table is validated, all translations go, that of the code as well.
    assertEquals(added(touch, { tlbFill: PRICE }), (on.backend === "direct" ? 2 : 1) * PRICE);
  });
});
