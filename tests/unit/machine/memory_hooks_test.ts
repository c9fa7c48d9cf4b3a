/** Memory hooks of a machine: accesses that reach into a watched page from the page before it. */
import { assertEquals } from "../../../scripts/deps/std.ts";
import { asm } from "../../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../../lib/cpu/i386/factory.ts";
import { machine } from "../../../lib/machine/machine.ts";
import { ram } from "../../../lib/memory/region.ts";

const CODE = asm`
  mov eax, 0x11223344
  mov [0x1fffe], eax
  mov ebx, [0x1ffff]
  mov [0x1fffc], eax
  mov word [0x1ffff], 0x55aa
  movups xmm0, [0x1fffa]
  mov esi, 0x1fffe
  mov edi, 0x30000
  mov ecx, 2
  rep movsd
  inc dword [0x1fffd]
  hlt`;

/** Everything the watch of 4 bytes at 0x20000 sees. */
const SEEN = [
  "write 1fffe 4 11223344",
  "read 1ffff 4 112233",
  "write 1ffff 2 55aa",
  "read 1fffe 4 1155aa22",
  "read 20002 4 0",
  "read 1fffe 4 1155aa22",
  "read 20002 4 0",
  "read 1fffd 4 55aa2233",
  "write 1fffd 4 55aa2234",
];

for (const engine of ["reference", "interpreter", "jit"] as const) {
  Deno.test(`${engine}: memory hooks see accesses that begin in the page before`, () => {
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })] });
    m.load(0x7c00, CODE);
    m.cpu.set("cr4", 0x200);
    const seen: string[] = [];
    m.onMemory({ at: 0x20000, size: 4 }, (e) => {
      seen.push(`${e.access} ${e.linear.toString(16)} ${e.size} ${e.value.toString(16)}`);
    });
    assertEquals(m.run({ instructions: 1000 }).kind, "halt");
    assertEquals(seen, SEEN);
  });
}
