/** Where the interface's documents leave a choice: what is chosen, row by row of the reference's table of ambiguities. */
import { assertEquals } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { conformance, NO_CALLS, RING_0 } from "./suite.ts";

/** The local APIC at linear 0x40000000, switched on, its timer's vector 0x31. */
const APIC = `
  mov dword [${FREE_TABLE}], 0xfee00013
  mov dword [0x400000f0], 0x1ff
`;

conformance("choices", (on) => {
  const { candidate, engine } = on, told = on.unless(NO_CALLS), confined = on.unless(RING_0, NO_CALLS);
  const run = (body: (k: Kit) => string): Rogue => {
    const r = rogue(candidate, body, { engine });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };
  const results = (r: Rogue, n: number): number[] => Array.from({ length: n }, (_, i) => r.result(i));

  confined.test("UpdateKernelStack takes a selector, or a pointer to the task state, which says the same", () => {
    for (const first of [0x68, 0x12345678]) {
      const r = run((k) => `
        mov eax, on_call
        mov edx, eax
        and eax, 0xffff
        or eax, 0x600000
        mov dx, 0xee00
        mov [idt+8*0x80], eax
        mov [idt+8*0x80+4], edx
        mov eax, ${first}
        mov edx, 0x9800
        ${k.call("UpdateKernelStack")}
        ${k.user("in_user")}
        in_user:
        int 0x80
        on_call:
        mov [0x8000], esp
        mov eax, ss
        mov [0x8004], eax
        mov esp, 0x8f00
        jmp stop`);
      assertEquals(results(r, 2), [0x9800 - 20, 0x69]);
    }
  });

  confined.test("APIC calls take an offset, or any address with that offset", () => {
    const r = run((k) =>
      [0x30, 0xffffb030, 0xfee00030].map((register, i) => `mov eax, ${register}\n${k.call("APICRead")}\n${k.store(i)}`)
        .join("\n") +
      `\nmov eax, 0x7ffff080\nmov edx, 0x51\n${k.call("APICWrite")}\nmov eax, 0x80\n${k.call("APICRead")}\n${
        k.store(3)
      }`
    );
    const [offset] = results(r, 1);
    assertEquals([offset & 0xff, ...results(r, 4)], [0x14, offset, offset, offset, 0x51]);
  });

  confined.test("GetInterruptMask is the mask and nothing else, and SetInterruptMask takes nothing else", () => {
    const r = run((k) => `
      ${k.call("GetInterruptMask")}
      ${k.store(0)}
      mov eax, 0xfffffdff                ; everything but the mask: single steps, nested task, level 3
      stc
      ${k.call("SetInterruptMask")}
      pushfd
      pop dword [0x8004]
      mov eax, 0xffffffff
      ${k.call("SetInterruptMask")}
      ${k.call("GetInterruptMask")}
      ${k.store(2)}
      pushfd
      pop dword [0x800c]
      ${k.call("DisableInterrupts")}
      ${k.call("GetInterruptMask")}
      ${k.store(4)}`);
    const [first, off, on, flags, last] = results(r, 5);
    assertEquals([first, on, last], [0, 0x200, 0]);
    // No single step, no interrupt flag, no nested task, no level.
    assertEquals([off & 0x7700, flags & 0x7700], [0, 0x200]);
  });

  told.test("what is pending is delivered before EnableInterrupts is over, and Halt does not wait for more", () => {
    for (const call of ["EnableInterrupts", "Halt"] as const) {
      const r = run((k) => `
        ${APIC}
        mov dword [0x40000300], 0x00040031
        mov eax, [${TICKS}]
        ${k.store(0)}
        ${k.call(call)}
        mov eax, [${TICKS}]
        ${k.store(1)}
        ${k.call("DisableInterrupts")}`);
      assertEquals([call, ...results(r, 2)], [call, 0, 1]);
    }
  });

  told.test("SetInterruptMask with the mask delivers what is pending, without it does not", () => {
    const r = run((k) => `
      ${APIC}
      mov dword [0x40000300], 0x00040031
      xor eax, eax
      ${k.call("SetInterruptMask")}
      mov eax, [${TICKS}]
      ${k.store(0)}
      mov eax, 0x200
      ${k.call("SetInterruptMask")}
      mov eax, [${TICKS}]
      ${k.store(1)}
      ${k.call("DisableInterrupts")}`);
    assertEquals(results(r, 2), [0, 1]);
  });

  told.test("FlushTLB with the global bit alone flushes everything", () => {
    for (const flags of [2, 3]) {
      const r = run((k) => `
        mov dword [0x300000], 0x11
        mov dword [0x301000], 0x22
        mov eax, 0x80
        ${k.call("SetCR4")}
        mov dword [${FREE_TABLE}], 0x300107
        mov eax, [0x40000000]
        mov dword [${FREE_TABLE}], 0x301107
        mov eax, ${flags}
        ${k.call("FlushTLB")}
        mov eax, [0x40000000]
        ${k.store(0)}
        ${k.call("GetCR4")}
        ${k.store(1)}`);
      assertEquals([flags, ...results(r, 2)], [flags, 0x22, 0x80]);
    }
  });

  told.test("switching PGE off flushes everything and reads back as it was written", () => {
    const r = run((k) => `
      mov dword [0x300000], 0x11
      mov dword [0x301000], 0x22
      mov eax, 0x80
      ${k.call("SetCR4")}
      mov dword [${FREE_TABLE}], 0x300107
      mov eax, [0x40000000]
      mov dword [${FREE_TABLE}], 0x301107
      xor eax, eax
      ${k.call("SetCR4")}
      mov eax, [0x40000000]
      ${k.store(0)}
      ${k.call("GetCR4")}
      ${k.store(1)}`);
    assertEquals(results(r, 2), [0x22, 0]);
  });

  told.test("AllocatePage does not touch the page: ZEROED is a hint, and a clone was copied by the guest", () => {
    const r = run((k) =>
      [0x41, 0x42, 0x62].map((flags, i) => `
      mov dword [0x310ffc], 0x5a5a5a00
      push dword 256
      push dword 768
      mov eax, 0x310
      mov edx, ${flags}
      mov ecx, 0x40
      ${k.call("AllocatePage")}
      add esp, 8
      mov eax, [0x310ffc]
      ${k.store(i)}
      mov eax, 0x310
      mov edx, ${flags & ~0x20}
      ${k.call("ReleasePage")}`).join("\n")
    );
    assertEquals(results(r, 3), [0x5a5a5a00, 0x5a5a5a00, 0x5a5a5a00]);
  });

  told.test("the level in the flags of an update decides nothing", () => {
    for (const level of [0, 1, 2, 4, 8, 15]) {
      const r = run((k) => `
        mov dword [0x300000], 0x77
        mov eax, 0x300007
        mov edx, ${FREE_TABLE}
        mov ecx, ${level}
        ${k.call("SetPxE")}
        mov eax, [0x40000000]
        ${k.store(0)}`);
      assertEquals([level, r.result(0)], [level, 0x77]);
    }
  });

  told.test("counters that there are not read as 0, have no alarm, and cancel nothing", () => {
    const r = run((k) => `
      mov eax, 3
      ${k.call("GetCycleCounter")}
      or eax, edx
      ${k.store(0)}
      push dword 0
      push dword 0
      mov eax, 2
      xor edx, edx
      xor ecx, ecx
      ${k.call("SetAlarm")}
      add esp, 8
      mov eax, 2
      ${k.call("CancelAlarm")}
      ${k.store(1)}
      xor eax, eax
      ${k.call("CancelAlarm")}
      ${k.store(2)}`);
    assertEquals(results(r, 3), [0, 0, 0]);
  });
});
