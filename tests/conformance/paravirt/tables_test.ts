/** Page tables that map themselves, are written by devices or behind the hypervisor's back. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { Copier } from "./copier.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, type RogueOptions, TABLE } from "./rogue.ts";
import { conformance, HIDES_NOTHING } from "./suite.ts";

const HYPERVISOR = 0x7c000000;
/** Entry of linear 0x300000 in the table that maps itself and all of the guest's code. */
const OWN = TABLE + 0x300 * 4;

const copy = (to: number, value: number): string =>
  `mov edx, 0x6f0\nmov eax, ${to}\nout dx, eax\nmov edx, 0x6f4\nmov eax, ${value}\nout dx, eax`;

conformance("tables", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string, options: RogueOptions = {}): Rogue =>
    rogue(candidate, body, { engine, ...options });

  on.test("a table that maps itself is written by plain stores of many kinds", () => {
    const stores: readonly string[] = [
      `mov dword [${OWN}], 0x400007`,
      `mov eax, 0x400007\nxchg eax, [${OWN}]`,
      `lock and dword [${OWN}], 0\nlock or dword [${OWN}], 0x400007`,
      `mov edi, ${OWN}\nmov ecx, 1\nmov eax, 0x400007\nrep stosd`,
      `mov esi, wanted\nmov edi, ${OWN}\nmov ecx, 2\nrep movsd\njmp over\nwanted: dd 0x400007, 0x301007\nover:`,
      `mov esp, ${OWN + 4}\npush dword 0x400007\nmov esp, 0x8f00`,
      `mov eax, [${OWN}]\nmov ecx, 0x400007\nlock cmpxchg [${OWN}], ecx`,
      `add dword [${OWN}], 0x100000`,
    ];
    for (const store of stores) {
      const r = run((k) => `
        mov dword [0x400000], 0x77
        mov eax, [0x300000]
        ${store}
        mov eax, 0x300000
        ${k.call("InvalPage")}
        mov eax, [0x300000]
        ${k.store(0)}
      `);
      assertEquals([store, r.stop.kind, r.result(0)], [store, "halt", 0x77]);
    }
  });

  on.test("a table of the guest that a device has written is looked at again", () => {
    const r = run((k) => `
      mov dword [0x400000], 0x77
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, [0x40000000]
      ${copy(FREE_TABLE, 0x400007)}
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      mov eax, [0x40000000]
      ${k.store(0)}
    `, { devices: [new Copier()] });
    assertEquals([r.stop.kind, r.result(0)], ["halt", 0x77]);
  });

  const reached = (body: (kit: Kit) => string, options: RogueOptions = {}): Rogue => {
    const r = run(body, options);
    assert(r.stop.kind === "killed", JSON.stringify(r.stop));
    assert(r.stop.code === "hypervisor-memory" || r.stop.code === "page-table", r.stop.code);
    return r;
  };
  const touch = `mov dword [0x300000], 0x41414141\nmov dword [0x40000000], 0x41414141`;
  const evil = HYPERVISOR + 7;

  on.unless(HIDES_NOTHING).test("no way of writing a table leads to the hypervisor", () => {
    const ways: readonly string[] = [
      `mov dword [${OWN}], ${evil}`,
      `mov eax, ${evil}\nxchg eax, [${OWN}]`,
      `mov edi, ${OWN}\nmov ecx, 1\nmov eax, ${evil}\nrep stosd`,
      `mov eax, ${evil}\nmov edx, ${OWN}\nmov ecx, 1\ncall SETPXE`,
      `mov esp, ${OWN + 4}\npush dword ${evil}\nmov esp, 0x8f00`,
      `mov eax, ${evil}\nmov ecx, ${evil}\nmov esp, ${OWN + 4}\npushad\nmov esp, 0x8f00`,
    ];
    for (const way of ways) {
      const r = reached((k) =>
        `mov eax, [0x300000]\n${way.replace("call SETPXE", k.call("SetPxE"))}\nmov eax, 0x300000\n${
          k.call("InvalPage")
        }\n${touch}`
      );
      const bytes = r.m.peek(HYPERVISOR, 4);
      assert(new DataView(bytes.buffer).getUint32(0, true) !== 0x41414141, way);
    }
  });

  /** Ways to have the hypervisor write to entry 2 or 3 of a table in use, on the guest's behalf. */
  const borrowed: readonly (readonly [what: string, way: (k: Kit) => string])[] = [
    ["WriteGDTEntry", (k) => entry(k, "WriteGDTEntry")],
    ["WriteLDTEntry", (k) => entry(k, "WriteLDTEntry")],
    ["WriteIDTEntry", (k) => entry(k, "WriteIDTEntry")],
    [
      "GetGDT",
      (k) => `mov dword [gdt_pointer+2], ${evil}\nlgdt [gdt_pointer]\nmov eax, ${FREE_TABLE + 6}\n${k.call("GetGDT")}`,
    ],
    [
      "GetIDT",
      (k) => `mov dword [idt_pointer+2], ${evil}\nlidt [idt_pointer]\nmov eax, ${FREE_TABLE + 6}\n${k.call("GetIDT")}`,
    ],
    ["the frame of a fault in ring 3", (k) => `
      mov eax, 0x68
      mov edx, ${FREE_TABLE + 16}
      ${k.call("UpdateKernelStack")}
      mov dword [tss+4], ${FREE_TABLE + 16}
      ${k.user("in_user")}
      in_user:
      mov esp, ${evil}
      ${k.attempt("ud2")}`],
    ["INS", () => `mov edi, ${FREE_TABLE + 8}\nmov edx, 0x6f0\nmov eax, ${evil}\nout dx, eax\ninsd`],
  ];
  const entry = (k: Kit, call: "WriteGDTEntry" | "WriteLDTEntry" | "WriteIDTEntry"): string =>
    `mov eax, ${FREE_TABLE}\nmov edx, 1\nmov ecx, ${evil}\npush dword ${evil}\n${k.call(call)}\nadd esp, 4`;

  for (const [what, way] of borrowed) {
    on.unless(HIDES_NOTHING).test(
      `a table in use that the hypervisor writes for the guest is looked at again: ${what}`,
      () => {
        const r = run((k) => `
        mov dword [0x300000], 0x77
        mov dword [${FREE_TABLE}], 0x300007
        mov eax, [0x40000000]
        ${k.store(0)}
        ${way(k)}
        mov eax, [0x40000000]
        mov dword [0x40002000], 0x41414141
        mov dword [0x40003000], 0x41414141
        mov eax, [0x40002000]
        ${k.store(1)}
      `, { devices: [new Copier()] });
        assertEquals([r.result(0), r.result(1) === 0x41414141], [0x77, false], JSON.stringify(r.stop));
        assertEquals(r.m.peek(HYPERVISOR, 0x2000).includes(0x41), false);
      },
    );
  }

  on.unless(HIDES_NOTHING).test("the hypervisor's own walk does not make a table writable that maps itself", () => {
    const r = reached(() => `
      mov dword [0x300000], 0x77
      mov dword [${FREE_TABLE}], ${FREE_TABLE + 7}
      mov dword [${FREE_TABLE + 4}], 0x300007
      mov eax, [0x40001000]
      lmsw [0x40000100]
      mov dword [0x40000008], ${evil}
      mov dword [0x40002000], 0x41414141
    `);
    assertEquals(r.m.peek(HYPERVISOR, 0x1000).includes(0x41), false);
  });

  on.unless(HIDES_NOTHING).test("neither does a device, nor the alias of a table while address line 20 is off", () => {
    reached(
      (k) =>
        `mov eax, [0x40000000 - 0x3fd00000]\n${copy(OWN, evil)}\nmov eax, 0x300000\n${k.call("InvalPage")}\n${touch}`,
      {
        devices: [new Copier()],
      },
    );
    const direct = run(() => copy(HYPERVISOR, 0x41414141), { devices: [new Copier()] });
    assertEquals(direct.stop.kind, "halt");
    assert(new DataView(direct.m.peek(HYPERVISOR, 4).buffer).getUint32(0, true) !== 0x41414141);
    reached((k) => `
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, [0x40000000]
      xor eax, eax
      out 0x92, al
      mov dword [${FREE_TABLE + 0x100000}], ${evil}
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      ${touch}
    `);
  });

  on.test("page tables where no RAM is end the guest or map nothing of the hypervisor's", () => {
    for (const at of [0xc8000, 0xfee00000, 0xd0000000]) {
      const r = run((k) => `
        mov dword [0x40400], ${at + 7}
        mov eax, 3
        ${k.call("FlushTLB")}
        ${k.attempt("mov eax, [0x40000000]")}
      `);
      assert(["halt", "killed"].includes(r.stop.kind), JSON.stringify(r.stop));
    }
  });
});
