/** VMware's personality against guests written here, on every engine. */
import {
  asm,
  ConfigError,
  hypervisor,
  i386,
  machine,
  MiB,
  pc,
  type PersonalityPcMachine,
  ram,
  vmware,
} from "../../../../mod.ts";
import type { VmwareCallName } from "../../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
const MAGIC = 0x564d5868;
type Vmware = PersonalityPcMachine<VmwareCallName>;

function guest(
  program: ReturnType<typeof asm>,
  more: Parameters<typeof pc>[0] = {},
  calls: "port" | "vmcall" = "port",
): Vmware {
  return pc({ memory: 4 * MiB, personality: vmware({ calls }), ...more }).load(0x7c00, program) as Vmware;
}

/** One access by a given instruction. */
function access(how: string, command: number, { eax = MAGIC, ebx = 0x11, edx = 0x5658 } = {}): ReturnType<typeof asm> {
  const instruction = how === "vmcall" ? asm`vmcall` : how === "in" ? asm`in eax, dx` : asm`out dx, eax`;
  const [a = 0, b = 0, c = 0] = instruction.bytes;
  return asm`
  mov eax, ${eax}
  mov ebx, ${ebx}
  mov ecx, ${command}
  mov edx, ${edx}
  mov esi, 0x55
  db ${a}, ${instruction.bytes.length > 1 ? b : 0x90}, ${instruction.bytes.length > 2 ? c : 0x90}
  hlt
`;
}

const registers = (m: Vmware): number[] => [m.cpu.eax, m.cpu.ebx, m.cpu.ecx, m.cpu.edx, m.cpu.esi];

Deno.test("CPUID names VMware with the frequencies, and how to call", () => {
  for (const [calls, bit] of [["port", 0], ["vmcall", 2]] as const) {
    const m = guest(
      asm`
  mov eax, 0x40000000
  cpuid
  mov [0x600], ebx
  mov [0x604], ecx
  mov [0x608], edx
  mov [0x60c], eax
  mov eax, 0x40000010
  cpuid
  hlt
`,
      { hz: 250_000_000 },
      calls,
    );
    m.run();
    assertEquals(new TextDecoder().decode(m.physical.peek(0x600, 12)), "VMwareVMware");
    assertEquals(m.physical.peek32(0x60c), 0x40000010);
    assertEquals(registers(m).slice(0, 3), [250_000, 250_000, bit]);
  }
});

Deno.test("commands return their registers, by IN, OUT and VMCALL", () => {
  const cases: [number, number[]][] = [
    [0x01, [250, 0x11, 0x01, 0x5658, 0x55]],
    [0x0a, [6, MAGIC, 2, 0x5658, 0x55]],
    [0x14, [4, 0x11, 0x14, 0x5658, 0x55]],
    [0x2d, [250_000_000, 0, 250_000_000, 0x5658, 0x55]],
    [0x17, [86_400, 0, 0, 0, 0x55]],
    [0x2e, [MAGIC, 0, 0, 86_400, 0]],
    [0x44, [0xffffffff, 0x11, 0x44, 0x5658, 0x55]],
    [0x5b, [0xffffffff, 0x11, 0x5b, 0x5658, 0x55]],
    [0xffff, [0xffffffff, 0x11, 0xffff, 0x5658, 0x55]],
    [0x1230000a, [6, MAGIC, 2, 0x5658, 0x55]], // the command is the low half
  ];
  for (const engine of ENGINES) {
    for (const how of ["in", "out", "vmcall"]) {
      for (const [command, expected] of cases) {
        const more = { engine, hz: 250_000_000, date: "1970-01-02T00:00:00" };
        const m = guest(access(how, command), more, "vmcall");
        const seen = m.hypercalls.record();
        assertEquals(m.run().kind, "halt");
        assertEquals(registers(m), expected, `${engine} ${how} 0x${command.toString(16)}`);
        assertEquals(seen.length, 1);
      }
    }
  }
});

Deno.test("time is virtual: GETTIME counts seconds and microseconds from the date at power-on", () => {
  const m = guest(
    asm`
again:
  jmp again
`,
    { date: "1970-01-01T00:00:10" },
  );
  m.run({ ticks: 250_000_100 }); // 2.500001 s
  const seen = m.hypercalls.record();
  m.hypercalls.after("GETTIME", (call, result) => assertEquals([call.way, result], ["script", 12]));
  assertEquals(m.hypercalls.inject("GETTIME"), 12);
  assertEquals(seen.entries[0].result, 12);
});

Deno.test("without the magic, with another width, or beside the port nobody answers", () => {
  const m = guest(access("in", 0x0a, { eax: MAGIC + 1 }));
  const seen = m.hypercalls.record();
  m.run();
  assertEquals(registers(m), [0xffffffff, 0x11, 0x0a, 0x5658, 0x55]);
  for (const port of [0x5657, 0x5659, 0x565a, 0x565b]) {
    const beside = guest(access("in", 0x0a, { edx: port }));
    beside.run();
    assertEquals([beside.cpu.eax, beside.hypercalls.stats().calls], [0xffffffff, {}], `0x${port.toString(16)}`);
  }
  const narrow = guest(asm`
  mov eax, 0x564d5868
  mov ecx, 10
  mov edx, 0x5658
  in al, dx
  in ax, dx
  out dx, al
  out dx, ax
  hlt
`);
  narrow.run();
  assertEquals([narrow.cpu.eax & 0xffff, narrow.hypercalls.stats().calls], [0xffff, {}]);
  assertEquals(seen.length, 0);
});

Deno.test("VMCALL is undefined unless it is advertised and the magic is there", () => {
  for (const [calls, eax] of [["port", MAGIC], ["vmcall", 1]] as const) {
    const stop = guest(access("vmcall", 0x0a, { eax }), { stopOnFault: true }, calls).run();
    assert(stop.kind === "fault" && stop.vector === 6, calls);
  }
});

Deno.test("override answers at the port with several registers; others do as before; kill leaves the guest at it", () => {
  for (const engine of ENGINES) {
    const m = guest(access("in", 0x2d), { engine });
    m.hypercalls.override("GETHZ", () => ({ eax: 5, ebx: 6, ecx: -1 }));
    m.run();
    assertEquals(registers(m), [5, 6, 0xffffffff, 0x5658, 0x55]);
  }
  const m = guest(access("in", 0x2d));
  m.hypercalls.before("GETHZ", (call) => call.kill());
  const stop = m.run();
  assert(stop.kind === "killed" && stop.call === "GETHZ");
});

Deno.test("a script's error at the port names the command and a snapshot restores", () => {
  for (const engine of ENGINES) {
    const m = guest(access("in", 0x2d), { engine });
    const here = m.snapshot();
    const remove = m.hypercalls.before("GETHZ", () => {
      throw new Error("mine");
    });
    assertThrows(() => m.run(), ConfigError, "A function for GETHZ failed: mine");
    remove();
    m.restore(here);
    m.run();
    assertEquals(m.cpu.eax, m.clock.hz, engine);
  }
});

Deno.test("no account of stolen time, no frequency beyond 32 bits, no other way of calling", () => {
  const m = guest(access("in", 1));
  assertThrows(() => m.hypercalls.steal(1), ConfigError, "no account");
  const fast = { cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })], hz: 2 ** 32 };
  const paravirt = hypervisor({ personality: vmware(), memory: 1 * MiB });
  assertThrows(() => machine({ ...fast, paravirt }), ConfigError, "32 bits");
  assertThrows(() => vmware({ calls: "smoke" as "port" }), ConfigError, "smoke");
  const other = guest(access("in", 1), {}, "vmcall").snapshot();
  assertThrows(() => m.restore(other), ConfigError, "vmcall");
});
