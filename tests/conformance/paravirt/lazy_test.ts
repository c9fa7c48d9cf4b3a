/** CPU lazy mode: what a context switch changes waits until the guest could tell, and nobody can tell afterwards. */
import type { VmiPcMachine } from "../../../mod.ts";
import type { ParavirtCall } from "../../../lib/vmi/paravirt/backend.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { conformance, DEFERS_NOTHING, NO_CALLS } from "./suite.ts";

/** A second directory, and its table of linear 0x40000000. */
const OTHER = 0x45000, OTHER_TABLE = 0x46000;

/** Linear 0x40000000 is 0x11111111 in the first space and 0x22222222 in the second, the next page is in the second only. */
const SPACES = `
  mov dword [0x300000], 0x11111111
  mov dword [0x301000], 0x22222222
  mov dword [0x302000], 0x33333333
  mov dword [${FREE_TABLE}], 0x300007
  mov edi, ${OTHER}
  mov esi, ${DIRECTORY}
  mov ecx, 1024
  rep movsd
  mov ecx, 1024
  xor eax, eax
  rep stosd
  mov dword [${OTHER} + 0x400], ${OTHER_TABLE + 7}
  mov dword [${OTHER_TABLE}], 0x301007
  mov dword [${OTHER_TABLE} + 4], 0x302007
`;
const lazy = (k: Kit, mode: number): string => `mov eax, ${mode}\n${k.call("SetLazyMode")}`;
const base = (k: Kit, at: number): string => `mov eax, ${at}\n${k.call("SetCR3")}`;
const look = (k: Kit, n: number, at = 0x40000000): string => `mov eax, [${at}]\n${k.store(n)}`;
/** WriteGDTEntry 6: a writable data segment at this base. */
const entry = (k: Kit, at: number): string => {
  const high = 0x00cff200 | (at & 0xff000000) | ((at >>> 16) & 0xff), low = ((at & 0xffff) << 16) | 0xffff;
  return `push dword ${high}\nmov eax, gdt\nmov edx, 6\nmov ecx, ${low >>> 0}\n${k.call("WriteGDTEntry")}\nadd esp, 4`;
};
const stack = (k: Kit, esp: number): string => `mov eax, 0x68\nmov edx, ${esp}\n${k.call("UpdateKernelStack")}`;

conformance("lazy", (on) => {
  const { candidate, engine } = on, keeps = on.unless(NO_CALLS, DEFERS_NOTHING);
  /** Is something kept at all? Otherwise every change takes effect at once, and the guest can tell within the mode. */
  const isKept = candidate.deprivileges && !candidate.transparent;
  const one = 0x11111111, two = 0x22222222, three = 0x33333333;
  const run = (body: (k: Kit) => string, prepare: (m: VmiPcMachine) => void = () => {}): Rogue => {
    const r = rogue(candidate, body, { engine, prepare });
    assertEquals(r.stop.kind, "halt", JSON.stringify(r.stop));
    return r;
  };
  const stats = (r: Rogue, name: string): number => r.m.paravirt.stats().backend[name] ?? 0;

  on.test("SetCR3 takes effect when the mode ends, at another call, and at once outside the mode", () => {
    const r = run((k) => `
      ${SPACES}
      ${look(k, 0)}
      ${lazy(k, 2)}
      ${base(k, DIRECTORY)}
      ${base(k, OTHER)}
      ${look(k, 1)}
      ${lazy(k, 0)}
      ${look(k, 2)}
      ${lazy(k, 2)}
      ${base(k, DIRECTORY)}
      ${look(k, 3)}
      ${k.call("GetCR3")}
      ${k.store(4)}
      ${look(k, 5)}
      ${lazy(k, 0)}
      ${base(k, OTHER)}
      ${look(k, 6)}
    `);
    const within = isKept ? [one, two, two] : [two, two, one];
    assertEquals([0, 1, 2, 3, 4, 5, 6].map((n) => r.result(n)), [one, ...within, DIRECTORY, one, two]);
    assertEquals([stats(r, "CPU updates deferred"), stats(r, "CPU batches")], isKept ? [3, 2] : [0, 0]);
    assertEquals(r.faults, []);
  });

  on.test("a page fault that comes of the old space is tried again in the new one", () => {
    const r = run((k) =>
      `${SPACES}\n${lazy(k, 2)}\n${base(k, OTHER)}\n${look(k, 0, 0x40001000)}\n${look(k, 1)}\n${lazy(k, 0)}
      ${lazy(k, 2)}\n${base(k, DIRECTORY)}\nmov ecx, 1\n${look(k, 2, 0x40001000)}
      ${k.attempt(look(k, 3, 0x40001000))}\n${lazy(k, 0)}\n${k.attempt(look(k, 3, 0x40001000))}`
    );
    assertEquals([0, 1, 2].map((n) => r.result(n)), [three, two, isKept ? three : 0]);
    // What is mapped in the old space alone is read there as long as it lasts, and is the guest's fault afterwards.
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[14, 0]]);
    assertEquals(stats(r, "exits deferred state"), isKept ? 1 : 0);
  });

  on.test("a descriptor is in memory at once, and a load of it that faults is tried again", () => {
    const r = run((k) => `
      mov dword [0x300000], 0x77
      mov dword [0x301000], 0x88
      ${lazy(k, 2)}
      ${entry(k, 0x300000)}
      mov eax, [gdt+0x30]
      ${k.store(0)}
      mov eax, 0x33
      mov gs, ax
      mov eax, [gs:0]
      ${k.store(1)}
      ${entry(k, 0x301000)}
      mov eax, 0x33
      mov gs, ax
      mov eax, [gs:0]
      ${k.store(2)}
      ${lazy(k, 0)}
      mov eax, 0x33
      mov gs, ax
      mov eax, [gs:0]
      ${k.store(3)}
    `);
    assertEquals([0, 1, 2, 3].map((n) => r.result(n)), [0x0000ffff, 0x77, isKept ? 0x77 : 0x88, 0x88]);
    assertEquals([r.faults, stats(r, "exits deferred state")], [[], isKept ? 1 : 0]);
  });

  keeps.test("what is kept is done before the guest goes to ring 3, and before it takes an interrupt", () => {
    const r = run((k) => `
      mov eax, on_call
      mov edx, eax
      and eax, 0xffff
      or eax, 0x600000
      mov dx, 0xee00
      mov [idt+8*0x80], eax
      mov [idt+8*0x80+4], edx
      ${SPACES}
      mov dword [${FREE_TABLE} + 8], 0xfee00013
      mov dword [${OTHER_TABLE} + 8], 0xfee00013
      mov dword [${OTHER} + 0x400], ${OTHER_TABLE + 7}
      mov dword [0x400020f0], 0x1ff
      ${lazy(k, 2)}
      ${stack(k, 0x9800)}
      mov eax, 0x3000
      ${k.call("SetIOPLMask")}
      ${k.user("in_user")}
      in_user:
      in al, 0x21                       ; level 3 allows it
      int 0x80
      on_call:
      mov [${0x8000 + 4 * 5}], esp
      mov esp, 0x8f00
      jmp stop
    `);
    assertEquals([r.result(5), r.faults], [0x9800 - 20, []]);
    assertEquals(stats(r, "CPU batches"), 1);
    const other = run((k) => `
      ${SPACES}
      mov dword [${FREE_TABLE}], 0xfee00013
      mov dword [${OTHER_TABLE}], 0xfee00013
      mov dword [${OTHER_TABLE} + 12], 0x301007
      mov dword [0x400000f0], 0x1ff
      ${k.call("EnableInterrupts")}
      ${lazy(k, 2)}
      ${base(k, OTHER)}
      mov dword [0x40000300], 0x00040031
      nop
      ${k.call("GetCR3")}
      ${k.call("DisableInterrupts")}
      ${look(k, 1, 0x40003000)}
    `);
    const ticks = new DataView(other.m.peek(TICKS, 4).buffer).getUint32(0, true);
    assertEquals([ticks, other.result(1), stats(other, "CPU batches")], [1, 0x22222222, 1]);
  });

  on.test("bad arguments are faults at the call", () => {
    const r = run((k) =>
      `${SPACES}\n${lazy(k, 2)}\n${k.attempt(`mov eax, 0x60\n${k.call("SetLDT")}`)}\n${base(k, OTHER)}\n${
        k.attempt(`mov eax, 0xf8\n${k.call("SetLDT")}`)
      }\n${base(k, DIRECTORY)}\n${lazy(k, 0)}`
    );
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[13, 0x60], [13, 0xf8]]);
  });

  keeps.test("reordered by a script in the mode, a context switch ends in the same state", () => {
    const body = (k: Kit): string => `
      ${SPACES}
      ${lazy(k, 2)}
      ${base(k, OTHER)}
      ${stack(k, 0x9800)}
      ${entry(k, 0x301000)}
      mov eax, 0x1000
      ${k.call("SetIOPLMask")}
      ${lazy(k, 0)}
      ${look(k, 0)}
      mov eax, 0x33
      mov fs, ax
      mov eax, [fs:0]
      ${k.store(1)}
      ${k.call("GetCR3")}
      ${k.store(2)}`;
    const NAMES = ["SetCR3", "UpdateKernelStack", "WriteGDTEntry", "SetIOPLMask"] as const;
    const reorder = (m: VmiPcMachine): void => {
      const held: ParavirtCall[] = [];
      for (const name of NAMES) {
        m.paravirt.override(name, (call) => {
          held.push(call as unknown as ParavirtCall);
          return undefined;
        });
      }
      m.paravirt.before("SetLazyMode", ({ args }) => {
        if (args.mode !== 0) return;
        assertEquals(held.map((call) => call.name), [...NAMES]);
        for (const call of held.splice(0).reverse()) call.forward();
      });
    };
    const plain = run(body), back = run(body, reorder);
    for (const r of [plain, back]) {
      assertEquals([0, 1, 2].map((n) => r.result(n)), [0x22222222, 0x22222222, OTHER]);
      assertEquals([stats(r, "CPU updates deferred"), stats(r, "CPU batches")], [4, 1]);
    }
    assertEquals(back.m.hash() === plain.m.hash(), true);
  });

  on.test("a snapshot in the mode carries what is kept", () => {
    let m: VmiPcMachine | undefined;
    const body = (k: Kit): string =>
      `${SPACES}\n${lazy(k, 2)}\n${base(k, OTHER)}\nmov ebx, 0\nhere: cmp ebx, 0\nje here\n${lazy(k, 0)}\n${
        look(k, 0)
      }`;
    const r = rogue(candidate, body, { engine, budget: 100_000, prepare: (made) => m = made });
    assertEquals(r.stop.kind, "budget");
    assert(m !== undefined);
    const here = m.snapshot();
    for (let i = 0; i < 2; i++) {
      m.cpu.set("ebx", 1);
      assertEquals(m.run({ instructions: 100_000 }).kind, "halt");
      assertEquals([r.result(0), stats(r, "CPU batches")], [two, isKept ? 1 : 0]);
      m.restore(here);
      assertEquals(stats(r, "CPU batches"), 0);
    }
  });
});
