/** Task switches and call gates of a guest: what the processor does, whether or not the tables are really its own. */
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { DIRECTORY, FREE_TABLE, type Kit, type Rogue, rogue } from "./rogue.ts";
import { conformance, HIDES_NOTHING, RING_0 } from "./suite.ts";

/** Task state of the second task, its selector, and that of a call gate. */
const TASK = 0xc000, SELECTOR = 0x08, GATE = 0x10;
const NT = 0x4000, TS = 8;

/** A second task that begins at a label; fields by offset in place of the ones it has. */
function task(entry: string, fields: Readonly<Record<number, number>> = {}, type = 0x89): string {
  const all: Record<number, number | string> = {
    0x1c: DIRECTORY,
    0x20: entry,
    0x24: 2,
    0x38: 0xb800,
    0x48: 0x7b,
    0x4c: 0x60,
    0x50: 0x68,
    0x54: 0x7b,
    ...fields,
  };
  return `
    mov dword [tss+0x1c], ${DIRECTORY}  ; the processor does not store it
    mov edi, ${TASK}
    mov ecx, 32
    xor eax, eax
    rep stosd
    ${Object.entries(all).map(([at, value]) => `mov dword [${TASK + Number(at)}], ${value}`).join("\n")}
    mov dword [gdt+${SELECTOR}], ${((TASK & 0xffff) << 16 | 0x67) >>> 0}
    mov dword [gdt+${SELECTOR + 4}], ${type << 8}
  `;
}

/** A call gate to a label, with parameters. */
function gate(entry: string, privilege: number, count: number, present = true): string {
  return `
    mov eax, ${entry}
    mov edx, eax
    and eax, 0xffff
    or eax, 0x600000
    mov dx, ${(present ? 0x8c00 : 0x0c00) | (privilege << 13) | count}
    mov [gdt+${GATE}], eax
    mov [gdt+${GATE + 4}], edx
  `;
}

const far = (verb: string, selector: number): string => `${verb} ${selector}:0`;

conformance("tasks", (on) => {
  const { candidate, engine } = on;
  const run = (body: (k: Kit) => string): Rogue => rogue(candidate, body, { engine });
  const results = (r: Rogue, count: number): number[] => Array.from({ length: count }, (_, n) => r.result(n));
  const word = (r: Rogue, at: number): number => new DataView(r.m.peek(at, 4).buffer).getUint32(0, true);

  on.test("a call to a task state enters it, and IRET comes back with everything as it was", () => {
    const r = run((k) => `
      ${task("second", { 0x28: 0x11, 0x34: 0x44 })}
      mov ebx, 0x77
      mov esi, esp
      ${far("call", SELECTOR)}
      cmp esi, esp
      jne stop
      ${k.store(0, "ebx")}
      pushfd
      pop eax
      ${k.store(1)}
      ${k.call("GetCR0")}
      ${k.store(2)}
      ${k.call("GetTR")}
      ${k.store(3)}
      mov eax, [gdt+${SELECTOR + 4}]
      ${k.store(4)}
      jmp stop
      second:
      ${k.store(5)}
      ${k.store(6, "ebx")}
      pushfd
      pop eax
      ${k.store(7)}
      ${k.call("GetTR")}
      ${k.store(8)}
      mov eax, [gdt+${SELECTOR + 4}]
      ${k.store(9)}
      ${k.store(10, "esp")}
      ${k.call("IRET")}
    `);
    assertEquals([r.stop.kind, r.faults], ["halt", []]);
    const [ebx, flags = 0, cr0 = 0, tr, free, eax, its, nested = 0, own, busy, esp] = results(r, 11);
    assertEquals([ebx, flags & NT, cr0 & TS, tr, free], [0x77, 0, TS, 0x80, 0x8900]);
    assertEquals([eax, its, nested & NT, own, busy, esp], [0x11, 0x44, NT, SELECTOR, 0x8b00, 0xb800]);
    assertEquals(word(r, TASK) & 0xffff, 0x80);
  });

  on.test("jumps go to and fro, each task going on where it left", () => {
    const r = run((k) => `
      ${task("second")}
      xor ebx, ebx
      ${far("jmp", SELECTOR)}
      inc ebx
      ${far("jmp", SELECTOR)}
      ${k.store(0, "ebx")}
      ${k.call("GetTR")}
      ${k.store(1)}
      mov eax, [gdt+${SELECTOR + 4}]
      ${k.store(2)}
      jmp stop
      second:
      mov ebx, 0x50
      ${far("jmp", 0x80)}
      inc ebx
      ${k.store(3, "ebx")}
      pushfd
      pop eax
      ${k.store(4)}
      ${far("jmp", 0x80)}
    `);
    assertEquals([r.stop.kind, r.faults], ["halt", []]);
    const [first, tr, free, second, flags = 0] = results(r, 5);
    assertEquals([first, tr, free, second, flags & NT], [1, 0x80, 0x8900, 0x51, 0]);
  });

  on.test("an exception whose gate is a task enters it with the error code, and it may change where the other goes on", () => {
    const r = run((k) => `
      ${task("second")}
      mov dword [idt+8*13], ${SELECTOR << 16}
      mov dword [idt+8*13+4], 0x8500
      mov ebx, 0x1234
      mov eax, 0x68
      lldt ax
      jmp stop
      goes_on:
      ${k.store(0, "ebx")}
      jmp stop
      second:
      pop eax
      ${k.store(1)}
      mov eax, [tss+0x34]
      ${k.store(2)}
      mov dword [tss+0x20], goes_on
      ${k.call("IRET")}
    `);
    assertEquals([r.stop.kind, r.faults, results(r, 3)], ["halt", [], [0x1234, 0x68, 0x1234]]);
  });

  on.test("INT from ring 3 to a task gate enters a kernel task and comes back to ring 3", () => {
    const r = run((k) => `
      ${task("second")}
      mov dword [idt+8*0x40], ${SELECTOR << 16}
      mov dword [idt+8*0x40+4], 0xe500
      ${k.user("in_user")}
      in_user:
      mov ebx, 0x99
      int 0x40
      ${k.store(0, "ebx")}
      mov eax, cs
      ${k.store(1)}
      int 0x80
      second:
      mov eax, [tss+0x4c]
      ${k.store(2)}
      ${k.call("IRET")}
    `);
    assertEquals([r.stop.kind, r.faults, results(r, 3)], ["halt", [], [0x99, 0x73, 0x73]]);
  });

  on.test("registers that the new task cannot have are its own fault", () => {
    const r = run((k) => `
      ${task("second", { 0x54: SELECTOR })}
      ${k.attempt(far("jmp", SELECTOR))}
      ${k.call("GetTR")}
      mov ebx, 0x7b
      mov ds, bx
      ${k.store(0)}
      jmp stop
      second:
      hlt
    `);
    assertEquals([r.stop.kind, r.result(0)], ["halt", SELECTOR]);
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[10, SELECTOR]]);
  });

  on.test("tasks and gates that are none, busy, not there or not allowed fault with their selector", () => {
    const r = run((k) => `
      ${task("stop")}
      ${k.attempt(far("call", 0x80))}                                     ; busy
      mov dword [gdt+${SELECTOR + 4}], 0x0900
      ${k.attempt(far("call", SELECTOR))}                                 ; not present
      mov dword [gdt+${SELECTOR + 4}], 0x8900
      mov dword [gdt+${SELECTOR}], 0xc0000066
      ${k.attempt(far("call", SELECTOR))}                                 ; too short
      ${gate("stop", 0, 0, false)}
      ${k.attempt(far("call", GATE))}
      ${gate("stop", 0, 0)}
      mov word [gdt+${GATE + 2}], 0x68
      ${k.attempt(far("call", GATE))}                                     ; to data
      mov word [gdt+${GATE + 2}], 0
      ${k.attempt(far("jmp", GATE))}                                      ; to nothing
      ${gate("stop", 0, 0)}
      mov dword [gdt+${SELECTOR}], 0xc0000067
      ${k.user("in_user")}
      in_user:
      ${k.attempt(far("call", GATE | 3))}                                 ; ring 0 alone
      ${k.attempt(far("jmp", SELECTOR | 3))}
      int 0x80
    `);
    assertEquals(r.stop.kind, "halt");
    assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [
      [13, 0x80],
      [11, SELECTOR],
      [10, SELECTOR],
      [11, GATE],
      [13, 0x68],
      [13, 0],
      [13, GATE],
      [13, SELECTOR],
    ]);
  });

  on.test("a call gate takes ring 3 to the kernel's stack with its parameters, and RETF takes it back", () => {
    const r = run((k) => `
      ${gate("entered", 3, 2)}
      ${k.user("in_user")}
      in_user:
      push dword 0x1111
      push dword 0x2222
      ${far("call", GATE | 3)}
      mov ecx, cs
      ${k.store(0, "ecx")}
      ${k.store(1, "esp")}
      int 0x80
      entered:
      mov eax, [esp+8]
      ${k.store(2)}
      mov eax, [esp+12]
      ${k.store(3)}
      mov eax, [esp+4]
      ${k.store(4)}
      mov eax, [esp+20]
      ${k.store(5)}
      mov eax, [esp+16]
      ${k.store(6)}
      mov eax, cs
      and eax, 0xfffc
      ${k.store(7)}
      ${k.store(8, "esp")}
      retf 8
    `);
    assertEquals([r.stop.kind, r.faults], ["halt", []]);
    assertEquals(results(r, 9), [0x73, 0x9f00, 0x2222, 0x1111, 0x73, 0x7b, 0x9ef8, 0x60, 0xa000 - 24]);
  });

  on.test("the kernel calls and jumps through a gate on its own stack", () => {
    const r = run((k) => `
      ${gate("entered", 0, 2)}
      mov esi, esp
      ${far("call", GATE)}
      ${k.store(0, "edi")}
      sub esi, esp
      ${k.store(1, "esi")}
      ${gate("jumped", 0, 0)}
      ${far("jmp", GATE)}
      jmp stop
      entered:
      mov edi, 0x31
      retf
      jumped:
      mov eax, 0x32
      ${k.store(2)}
    `);
    assertEquals([r.stop.kind, r.faults, results(r, 3)], ["halt", [], [0x31, 0, 0x32]]);
  });

  on.unless(RING_0).test("a switch to a 16-bit task ends the guest by name", () => {
    const r = run(() => `${task("stop", {}, 0x81)}\n${far("call", SELECTOR)}`);
    assert(r.stop.kind === "killed" && r.stop.code === "task-switch", JSON.stringify(r.stop));
    assert(r.stop.kind === "killed" && r.stop.call === "a switch to task 0x8");
  });

  on.unless(HIDES_NOTHING).test("a task state in the hypervisor's memory ends the guest", () => {
    const mapped = `mov dword [${FREE_TABLE}], 0x7c000007\n`;
    const bodies: readonly ((k: Kit) => string)[] = [
      () =>
        `${task("stop")}\nmov word [gdt+${SELECTOR + 2}], 0\nmov byte [gdt+${SELECTOR + 7}], 0x40\n${
          far("jmp", SELECTOR)
        }`,
      () => `
        ${task("stop")}
        mov dword [idt+8*13], ${SELECTOR << 16}
        mov dword [idt+8*13+4], 0x8500
        mov word [gdt+${SELECTOR + 2}], 0
        mov byte [gdt+${SELECTOR + 7}], 0x40
        mov ecx, 0x999
        rdmsr`,
    ];
    for (const body of bodies) {
      const r = run((k) => `${mapped}${body(k)}`);
      assert(r.stop.kind === "killed" && r.stop.code === "hypervisor-memory", JSON.stringify(r.stop));
    }
  });

  on.test("the new task has page tables and a local table of its own, and the old one has its own back", () => {
    const [other, table, local] = [0x45000, 0x46000, 0x330000];
    const r = run((k) => `
      mov dword [0x300000], 0x11111111
      mov dword [0x301000], 0x22222222
      mov dword [${FREE_TABLE}], 0x300007
      mov edi, ${other}
      mov esi, ${DIRECTORY}
      mov ecx, 1024
      rep movsd
      mov dword [${other} + 0x400], ${table + 7}
      mov dword [${table}], 0x301007
      mov dword [${local} + 8], 0x0000ffff
      mov dword [${local} + 12], 0x00cff230  ; base 0x300000, not accessed yet
      mov dword [gdt+0x90], ${((local & 0xffff) << 16 | 31) >>> 0}
      mov dword [gdt+0x94], ${0x8200 | (local >>> 16)}
      ${task("second", { 0x1c: other, 0x58: 0x0f, 0x60: 0x90 })}
      mov eax, [0x40000000]
      ${k.store(0)}
      ${far("call", SELECTOR)}
      mov eax, [0x40000000]
      ${k.store(4)}
      mov eax, cr3
      ${k.store(5)}
      jmp stop
      second:
      mov eax, [0x40000000]
      ${k.store(1)}
      mov eax, cr3
      ${k.store(2)}
      mov eax, [fs:0]
      ${k.store(3)}
      iretd
    `);
    assertEquals([r.stop.kind, r.faults], ["halt", []]);
    assertEquals(results(r, 6), [0x11111111, 0x22222222, other, 0x11111111, 0x11111111, DIRECTORY]);
  });

  on.unless(HIDES_NOTHING).test("page tables that a task state names do not lead to the hypervisor", () => {
    const body = (k: Kit): string => `
      mov dword [${FREE_TABLE}], 0x7c000007
      ${task("second")}
      ${far("jmp", SELECTOR)}
      second:
      mov dword [0x40000000], 0x41414141
      mov eax, [0x40000000]
      ${k.store(0)}`;
    for (const base of [DIRECTORY, 0x7c020000]) {
      const r = run((k) =>
        body(k).replace(`mov dword [${TASK + 0x1c}], ${DIRECTORY}`, `mov dword [${TASK + 0x1c}], ${base}`)
      );
      assert(r.stop.kind === "killed" && r.stop.code === "hypervisor-memory", JSON.stringify(r.stop));
      assertEquals([r.result(0), r.m.peek(0x7c000000, 0x1000).includes(0x41)], [0, false]);
      assert((r.m.cpu.get("cr3") as number) >= 0x7c000000);
    }
  });
});
