/** Virtual-8086 programs of a guest: what its I/O privilege level and port bitmap say is so, whoever holds the real ones. */
import { assemble } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, type Rogue, rogue, TICKS } from "./rogue.ts";
import { conformance } from "./suite.ts";

/** Where the program lies: segment and linear address. */
const SEGMENT = 0x600, AT = SEGMENT << 4;
const VM = 0x20000, IF = 0x200;

/** Enters the program with this I/O privilege level and interrupt flag; #GP and vector 0x80 end up at `end`. */
function enter(k: Kit, iopl: number, flags = 0): string {
  return `
    ${gate(13, "v86_end", 0x8e00)}
    ${gate(0x80, "v86_end_call", 0xee00)}
    mov eax, ${iopl << 12}
    ${k.call("SetIOPLMask")}
    mov eax, 0x11111111
    xor ebx, ebx
    xor ecx, ecx
    xor edx, edx
    push dword 0x3456                   ; gs, fs, ds, es, ss
    push dword 0x2345
    push dword 0x0800
    push dword 0x1234
    push dword 0x0700
    push dword 0x0400
    push dword ${VM | (iopl << 12) | flags | 2}
    push dword ${SEGMENT}
    push dword 0
    ${k.call("IRET")}
    v86_end_call:
    push dword 0xffff
    v86_end:                            ; data segments are null, the stack has the frame
    ${[...Array(10).keys()].map((n) => `pop dword [ss:0x8000+4*${n}]`).join("\n")}
    mov [ss:0x8040], eax
    mov [ss:0x8044], ebx
    mov [ss:0x8048], ecx
    mov [ss:0x804c], edx
    mov eax, 0x7b
    mov ds, ax
    mov es, ax
    jmp stop
  `;
}

function gate(vector: number, label: string, type: number): string {
  return `
    mov eax, ${label}
    mov edx, eax
    and eax, 0xffff
    or eax, 0x600000
    mov dx, ${type}
    mov [idt+8*${vector}], eax
    mov [idt+8*${vector}+4], edx`;
}

/** Registers at the end: the frame from the error code on, then EAX to EDX. */
interface End {
  readonly r: Rogue;
  readonly code: number;
  readonly ip: number;
  readonly cs: number;
  readonly flags: number;
  readonly rest: readonly number[];
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

conformance("v86", (on) => {
  const { candidate, engine } = on;
  const run = (program: string, iopl: number, flags = 0, before: (k: Kit) => string = () => ""): End => {
    const bytes = assemble(program, { origin: 0, bits: 16 }).bytes;
    const r = rogue(candidate, (k) => `${before(k)}\n${enter(k, iopl, flags)}`, {
      engine,
      prepare: (m) => m.poke(AT, bytes),
    });
    assertEquals([r.stop.kind, r.faults], ["halt", []], program);
    const [code = 0, ip = 0, cs = 0, image = 0, ...rest] = Array.from({ length: 10 }, (_, n) => r.result(n));
    const [eax = 0, ebx = 0, ecx = 0, edx = 0] = [16, 17, 18, 19].map((n) => r.result(n));
    return { r, code, ip, cs, flags: image, rest, eax, ebx, ecx, edx };
  };

  on.test("with a level below 3 each sensitive instruction faults where it stands", () => {
    const sensitive = ["cli", "sti", "pushf", "popf", "int 0x80", "iret", "pushfd", "popfd", "iretd", "in al, 0x21"];
    const privileged = ["hlt", "mov eax, cr0", "clts", "lidt [0]", "wrmsr"];
    for (const instruction of [...sensitive, ...privileged]) {
      for (const iopl of [0, 2]) {
        const e = run(`nop\n${instruction}\nhlt`, iopl, IF);
        const image = VM | (iopl << 12) | IF | 2;
        assertEquals([e.code, e.ip, e.cs, e.flags & ~0x10000], [0, 1, SEGMENT, image], instruction);
        assertEquals(e.rest, [0x400, 0x700, 0x1234, 0x800, 0x2345, 0x3456], instruction);
        assertEquals(e.eax, 0x11111111);
      }
    }
  });

  on.test("with level 3 the interrupt flag and the stack of flags are the program's", () => {
    const e = run(
      `
      pushf
      pop ax
      sti
      pushf
      pop bx
      cli
      pushf
      pop cx
      push word 0x0ed7
      popf
      pushfd
      pop edx
      int 0x80
    `,
      3,
    );
    assertEquals([e.eax & 0xffff, e.ebx, e.ecx], [0x3002, 0x3202, 0x3002]);
    assertEquals(e.edx, 0x3ed7);
    assertEquals([e.cs, e.flags & 0xffff, e.code], [SEGMENT, 0x3ed7, 0xffff]);
    assert((e.flags & VM) !== 0);
  });

  on.test("with level 3 IRET goes on in the program, and INT to a gate of the kernel's alone is refused", () => {
    const e = run(
      `
      pushf
      push cs
      push word there
      iret
      hlt
      there:
      mov bx, 0x77
      pushfd
      push dword 0x600
      push dword further
      iretd
      hlt
      further:
      mov cx, 0x99
      int 0x0d
    `,
      3,
    );
    assertEquals([e.ebx, e.ecx, e.code, e.cs], [0x77, 0x99, 13 * 8 + 2, SEGMENT]);
  });

  on.test("ports are those of the bitmap, whatever the level", () => {
    for (const iopl of [0, 3]) {
      const refused = run("in al, 7\nhlt", iopl);
      assertEquals([refused.code, refused.ip, refused.cs], [0, 0, SEGMENT]);
      const allowed = run(
        "in al, 7\nmov dx, 7\nin ax, dx\nhlt",
        iopl,
        0,
        () => "and dword [tss+0x68], 0xffffff7f",
      );
      assertEquals([allowed.code, allowed.ip, allowed.cs], [0, 5, SEGMENT]); // port 8 is not free
    }
  });

  on.test("an interrupt of a controller reaches the kernel and comes back", () => {
    const e = run("mov ax, 0x55\nmov bx, 0x66\nhlt", 0, IF, () => `
      mov dword [${FREE_TABLE}], 0xfee00013
      mov dword [0x400000f0], 0x1ff
      mov dword [0x40000300], 0x00040031
    `);
    assertEquals([e.code, e.ip, e.cs, e.eax & 0xffff, e.ebx], [0, 6, SEGMENT, 0x55, 0x66]);
    assertEquals(new DataView(e.r.m.peek(TICKS, 4).buffer).getUint32(0, true), 1);
    assertEquals(e.rest, [0x400, 0x700, 0x1234, 0x800, 0x2345, 0x3456]);
  });

  on.test("a page fault of the program is the kernel's to handle", () => {
    const e = run("mov ax, 0x55\nmov [0xffff], al\nhlt", 0, 0, () => `
      ${gate(14, "v86_end", 0x8e00)}
      mov dword [0x41000+4*0x17], 0
      mov eax, cr3
      mov cr3, eax
    `);
    assertEquals([e.code, e.ip, e.cs], [6, 3, SEGMENT]);
  });
});
