/** Guests that attack a de-privileging hypervisor: privileged instructions, its memory, its ROM, its calls. */
import { inject, type StopReason } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue } from "./rogue.ts";
import { conformance, HIDES_NOTHING, NO_CALLS, RING_0 } from "./suite.ts";

const GP = 13, PF = 14, UD = 6;
const HYPERVISOR = 0x7c000000;
const HYPERVISOR_SIZE = 0x1000000;

/** The hypervisor still holds the real registers. */
function assertConfined({ m }: Rogue): void {
  const cr3 = m.cpu.get("cr3") as number, gdt = m.cpu.get("gdt") as number;
  for (const at of [cr3, gdt]) assert(at >= HYPERVISOR && at < HYPERVISOR + HYPERVISOR_SIZE, at.toString(16));
  assert((m.cpu.get("cpl") as number) !== 0);
  assertEquals(m.cpu.eflags & 0x3000, 0, "I/O privilege");
}

const killedFor = (stop: StopReason): string => stop.kind === "killed" ? stop.code : stop.kind;

conformance("attacks", (on) => {
  const { candidate, engine } = on;
  const run = (body: (kit: Kit) => string, options = {}): Rogue => rogue(candidate, body, { engine, ...options });

  const { deprivileges } = candidate, hides = candidate.make().memory !== undefined;
  const kernelCs = deprivileges && !candidate.transparent ? 0x61 : 0x60;
  /** As {@linkcode assertConfined}; a guest that keeps ring 0 is confined by its page tables alone. */
  const assertKept = (r: Rogue): void => {
    if (deprivileges) return assertConfined(r);
    const cr3 = r.m.cpu.get("cr3") as number;
    if (hides) assert(cr3 >= HYPERVISOR && cr3 < HYPERVISOR + HYPERVISOR_SIZE, cr3.toString(16));
  };

  on.unless(RING_0, NO_CALLS).test("Init takes the guest to ring 1", () => {
    const r = run((k) =>
      `mov eax, cs\n${k.store(0)}\nmov eax, ss\n${k.store(1)}\nsgdt [0x8100]\nstr eax\n${k.store(2)}`
    );
    assertEquals([r.stop.kind, r.result(0), r.result(1), r.result(2)], ["halt", 0x61, 0x69, 0]);
    assertKept(r);
  });

  on.test("privileged instructions act on the guest's registers, not on the hypervisor's", () => {
    const r = run((k) => `
      mov eax, 0x12345
      mov cr2, eax
      mov eax, cr2
      ${k.store(0)}
      mov eax, cr0
      or eax, 8
      mov cr0, eax
      mov eax, cr0
      ${k.store(1)}
      clts
      mov eax, cr0
      ${k.store(2)}
      mov eax, cr3
      ${k.store(3)}
      mov cr3, eax
      mov eax, cr4
      or eax, 0x10
      mov cr4, eax
      mov eax, cr4
      ${k.store(4)}
      mov eax, 0x77777
      mov dr1, eax
      mov eax, dr1
      ${k.store(5)}
      mov ecx, 0x174
      mov eax, 0x60
      xor edx, edx
      wrmsr
      xor eax, eax
      rdmsr
      ${k.store(6)}
      lgdt [gdt_pointer]
      lidt [idt_pointer]
      xor eax, eax
      lldt ax
      wbinvd
      invd
      invlpg [0x5000]
      mov eax, cr0
      lmsw ax
      sti
      pushfd
      pop eax
      ${k.store(7)}
      cli
      pushfd
      pop eax
      ${k.store(8)}
      mov eax, 0x68
      mov ss, ax
      mov eax, ss
      ${k.store(9)}
      push dword 0x68
      pop ss
      lss esp, [stack_pointer]
      push dword 0x60
      push dword far_back
      retf
      far_back:
      pushfd
      push dword 0x60
      push dword iret_back
      iretd
      iret_back:
      mov eax, cs
      ${k.store(10)}
      mov al, 0xfe
      out 0x21, al
      xor eax, eax
      in al, 0x21
      ${k.store(11)}
      hlt
      stack_pointer:
      dd 0x8ff0
      dw 0x68
    `);
    assertEquals(r.stop.kind, "halt");
    assertEquals(r.faults, []);
    assertEquals(
      [0, 1, 2, 3, 4, 5, 6].map((n) => r.result(n)),
      [
        0x12345,
        r.result(2) | 8,
        r.result(1) & ~8,
        0x40000,
        0x10,
        0x77777,
        0x60,
      ].map((n) => n >>> 0),
    );
    assertEquals([r.result(7) & 0x200, r.result(8) & 0x200], [0x200, 0]);
    assertEquals([r.result(9), r.result(10), r.result(11)], [kernelCs + 8, kernelCs, 0xfe]);
    assertKept(r);
    assertEquals(r.m.cpu.get("dr7"), 0x400);
  });

  on.test("what no guest may do is a fault of the guest at its instruction", () => {
    const r = run((k) => `
      ${k.attempt("mov ecx, 0x999\n rdmsr")}
      ${k.attempt("mov ecx, 0x999\n wrmsr")}
      ${k.attempt("rdpmc")}
      ${k.attempt("mov eax, 0x40\n mov cr4, eax")}
      ${k.attempt("mov eax, 0x48\n ltr ax")}
      ${k.attempt("mov eax, 0x60\n lldt ax")}
      ${k.attempt("mov eax, 0x70\n mov ss, ax")}
      ${k.attempt("mov eax, 0xf00\n mov ds, ax")}
      ${k.attempt("mov eax, 0x80\n mov fs, ax")}
      ${k.attempt("int 0x21")}
      ${k.attempt("ud2")}
    `);
    assertEquals(r.stop.kind, "halt");
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [
      [GP, 0],
      [GP, 0],
      [GP, 0],
      [GP, 0],
      [GP, 0x48],
      [GP, 0x60],
      [GP, 0x70],
      [GP, 0xf00],
      [GP, 0x80],
      [GP, 0x10a],
      [UD, 0xffff],
    ]);
    assert(r.faults.every((f) => f.cs === kernelCs), JSON.stringify(r.faults));
    assertKept(r);
  });

  for (const [what, entry] of [["one page", 7], ["another of them", 0x300007]] as const) {
    on.unless(HIDES_NOTHING).test(`mapping ${what} of the hypervisor ends the guest`, () => {
      const r = run((k) =>
        `mov dword [${FREE_TABLE}], ${HYPERVISOR + entry}\nmov dword [0x40000000], 0x41414141\n${k.store(0)}`
      );
      assertEquals(killedFor(r.stop), "hypervisor-memory");
      const bytes = r.m.peek(HYPERVISOR + (entry & ~0xfff), 4);
      assert(new DataView(bytes.buffer).getUint32(0, true) !== 0x41414141);
      assertKept(r);
    });
  }

  on.unless(HIDES_NOTHING).test("a large page over the hypervisor ends the guest", () => {
    const r = run((k) => `
      mov eax, 0x10
      ${k.call("SetCR4")}
      mov dword [0x40404], ${HYPERVISOR + 0x87}
      mov dword [0x40400000], 0x41414141
    `);
    assertEquals(killedFor(r.stop), "hypervisor-memory");
    assertKept(r);
  });

  on.unless(HIDES_NOTHING).test("page tables in the hypervisor's memory show nothing of it", () => {
    for (const target of [HYPERVISOR, HYPERVISOR + 0x20000, HYPERVISOR + 0x21000, HYPERVISOR + 0x26000]) {
      const r = run((k) => `mov eax, ${target}\n${k.call("SetCR3")}\nmov eax, [0x5000]\n${k.store(0)}`);
      assert(r.stop.kind === "killed" || r.stop.kind === "fault", JSON.stringify(r.stop));
      assertEquals(r.result(0), 0);
      const r2 = run((k) =>
        `mov dword [0x40400], ${target + 7}\nmov eax, 1\n${k.call("FlushTLB")}\n${
          k.attempt(`mov eax, [0x40000000]\n${k.store(0)}`)
        }`
      );
      assert(r2.result(0) === 0 || r2.result(0) === 0xffffffff, r2.result(0).toString(16));
    }
  });

  on.test("entries changed without a word take effect at the flush, as on a bare CPU", () => {
    const r = run((k) => `
      mov dword [0x300000], 0x11111111
      mov dword [0x301000], 0x22222222
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, [0x40000000]
      ${k.store(0)}
      mov dword [${FREE_TABLE}], 0x301007
      mov eax, 1
      ${k.call("FlushTLB")}
      mov eax, [0x40000000]
      ${k.store(1)}
      mov dword [${FREE_TABLE}], 0x300007
      mov eax, 0x40000000
      ${k.call("InvalPage")}
      mov eax, [0x40000000]
      ${k.store(2)}
      mov dword [${FREE_TABLE}], 0x301007
      mov eax, cr3
      mov cr3, eax
      mov eax, [0x40000000]
      ${k.store(3)}
      mov dword [${FREE_TABLE}], 0
      invlpg [0x40000000]
      ${k.attempt("mov eax, [0x40000000]")}
      mov eax, cr2
      ${k.store(4)}
    `);
    assertEquals(r.stop.kind, "halt");
    assertEquals([0, 1, 2, 3].map((n) => r.result(n)), [0x11111111, 0x22222222, 0x11111111, 0x22222222]);
    assertEquals([r.result(4), r.faults.map((f) => [f.vector, f.errorCode])], [0x40000000, [[PF, 0]]]);
  });

  on.unless(RING_0, NO_CALLS).test("jumping into the middle of the ROM gains nothing", () => {
    for (let offset = 1; offset < 12; offset++) {
      const r = run((k) => `${k.attempt(`push dword stop\nmov eax, ${k.slot("SetCR0") + offset}\njmp eax`)}`, {
        budget: 100_000,
      });
      assert(["halt", "killed", "budget", "fault"].includes(r.stop.kind), JSON.stringify(r.stop));
      assertKept(r);
    }
  });

  on.unless(RING_0, NO_CALLS).test(
    "a hypercall instruction elsewhere is undefined, in a copy of the ROM and in ring 3",
    () => {
      const r = run((k) => `
      ${k.attempt("vmcall")}
      mov esi, 0xc8000
      mov edi, 0x500000
      mov ecx, 0x800
      rep movsd
      mov dword [resume], back
      ${k.user("in_user")}
      in_user:
      mov eax, ${0x500000 - 0xc8000} + ${k.slot("GetCR3")}
      call eax
      back:
      int 0x80
    `);
      assertEquals(r.faults.map((f) => [f.vector, f.cs]), [[UD, 0x61], [UD, 0x73]]);
    },
  );

  on.test("ring 3 has no privileges", () => {
    const tries = ["cli", "hlt", "in al, 0x21", "mov eax, cr3", "mov eax, 0x68\nmov ss, ax", "int 0x0e", "lgdt [0]"];
    const r = run((k) => `
      ${k.user("in_user")}
      in_user:
      ${tries.map((code) => k.attempt(code)).join("\n")}
      int 0x80
    `);
    assertEquals(r.stop.kind, "halt");
    assertEquals(r.faults.map((f) => f.vector), [GP, GP, GP, GP, GP, GP, GP]);
    assertEquals(r.faults.map((f) => f.errorCode), [0, 0, 0, 0, 0x68, 0x72, 0]);
    assert(r.faults.every((f) => f.cs === 0x73));
  });

  on.unless(RING_0, NO_CALLS).test("wrong arguments end the guest or are its fault, at the call", () => {
    const killed: readonly ((k: Kit) => string)[] = [
      (k) => `mov eax, 7\n${k.call("SetLazyMode")}`,
      (k) => `mov eax, 9\npush dword 0\n${k.call("SetLinearMapping")}`,
      (k) => `mov edx, ${FREE_TABLE + 2}\n${k.call("SetPxE")}`,
      (k) => `mov ecx, ${FREE_TABLE + 4}\npush dword 1\n${k.call("SetPxELong")}`,
      (k) => `mov eax, 8\n${k.call("SetDR")}`,
    ];
    for (const body of killed) {
      const r = run(body);
      assertEquals(killedFor(r.stop), "bad-argument");
      assertKept(r);
    }
    const r = run((k) =>
      [
        `xor eax, eax\n${k.call("SetTR")}`,
        `mov eax, 0x60\n${k.call("SetLDT")}`,
        `mov eax, 0x40\n${k.call("SetCR4")}`,
        `mov eax, 0x20000000\n${k.call("SetCR0")}`,
        `mov ecx, 0x999\n${k.call("RDMSR")}`,
        `mov eax, 0x40000000\n${k.call("SetGDT")}`,
        `mov eax, 0x3ffffffc\n${k.call("GetIDT")}`,
        `mov edx, 0x40000000\nxor ecx, ecx\n${k.call("SetPxE")}`,
      ].map((code) => k.attempt(code)).join("\n")
    );
    assertEquals(r.stop.kind, "halt");
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [
      [GP, 0],
      [GP, 0x60],
      [GP, 0],
      [GP, 0],
      [GP, 0],
      [PF, 0],
      [PF, 2],
      [PF, 2],
    ]);
    assert(r.faults.every((f) => f.eip >= 0xc8000 && f.eip < 0xd0000));
  });

  on.unless(HIDES_NOTHING).test("switching off address line 20 does not bend the hypervisor's memory", () => {
    const r = run((k) => `
      xor eax, eax
      out 0x92, al
      mov eax, 3
      ${k.call("FlushTLB")}
      mov dword [${FREE_TABLE}], ${HYPERVISOR + 0x100007}
      mov dword [0x40000000], 0x41414141
    `);
    assertEquals(killedFor(r.stop), "hypervisor-memory");
  });

  on.test("a guest without stack or handlers is shut down, not the host", () => {
    const noHandlers = run(() => `mov dword [idt+13*8+4], 0\nmov dword [idt+8*8+4], 0\nmov ecx, 0x999\nrdmsr`);
    assertEquals(noHandlers.stop.kind, "fault");
    const noStack = run(() => `mov esp, 0x50000000\nud2`);
    assertEquals(noStack.stop.kind, "fault");
  });

  on.unless(RING_0, NO_CALLS).test(
    "the first CPU sends itself INIT: its machine is reset, and no real-mode code runs",
    () => {
      // At the reset vector there is a jump to 0:0, which is the guest's.
      const plant = "mov dword [0], 0x0006c766\nmov dword [4], 0x41414180\nmov word [8], 0xf441";
      const ways: readonly ((k: Kit) => string)[] = [
        () => "mov dword [0x40000310], 0\nmov dword [0x40000300], 0x00004500",
        () => "mov dword [0x40000300], 0x00044500",
        (k) => `mov eax, 0x300\nmov edx, 0x44500\n${k.call("APICWrite")}`,
      ];
      for (const way of ways) {
        const r = run((k) => `${plant}\nmov dword [${FREE_TABLE}], 0xfee00013\n${way(k)}\nhere: jmp here`);
        assertEquals(r.stop.kind, "reset");
        assertEquals(r.result(0), 0);
        // Not even if the run goes on all the same.
        inject(r.m, { nmi: true });
        r.m.run({ instructions: 1000 });
        assertEquals(r.result(0), 0);
      }
    },
  );
});
