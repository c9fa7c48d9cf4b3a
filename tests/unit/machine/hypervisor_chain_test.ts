/** Several hypervisor interfaces in one machine: a monitor, and the personality it presents to its guest. */
import {
  asm,
  ConfigError,
  hardware,
  hypervisor,
  HypervisorChain,
  i386,
  inject,
  kvm,
  machine,
  MiB,
  paravirt,
  ram,
  shadow,
  trap,
  vmiPc,
  vmware,
} from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { rogue } from "../../conformance/paravirt/rogue.ts";

const ENGINES = ["reference", "interpreter", "jit"] as const;
const MEMORY = 4 * MiB;
/** Where a hypervisor keeps its memory unless told otherwise. */
const HYPERVISOR = 0x7c000000;

/** What a guest of both sees: signature, a register, a hypercall, the port. */
const TOUR = asm`
  mov eax, 0x40000000
  cpuid
  mov [0x600], ebx
  mov ecx, 0x4b564d01
  mov eax, 0x2001
  xor edx, edx
  wrmsr
  rdmsr
  mov [0x604], eax
  mov eax, 10             ; SEND_IPI to nobody
  xor ebx, ebx
  xor ecx, ecx
  xor edx, edx
  xor esi, esi
  vmcall
  mov [0x608], eax
  hlt
`;

Deno.test("backend hardware passes CPUID, registers and hypercalls on to KVM, and counts them as exits, on every engine", () => {
  for (const engine of ENGINES) {
    for (const paging of ["nested", "shadow"] as const) {
      const m = vmiPc({ backend: hardware({ paging }), personality: kvm(), memory: MEMORY, engine });
      m.load(0x7c00, TOUR);
      const seen = m.hypercalls.record();
      assertEquals(m.run().kind, "halt");
      assertEquals(new TextDecoder().decode(m.physical.peek(0x600, 4)), "KVMK");
      assertEquals(m.physical.peek32(0x604), 0x2001);
      assertEquals(m.physical.peek32(0x608), 0);
      assertEquals(m.physical.peek32(0x2000), 2); // system time was written
      assertEquals([seen.names(), m.hypercalls.stats().calls], [["SEND_IPI"], { SEND_IPI: 1 }]);
      const exits = { "exits cpuid": 1, "exits hlt": 1, "exits msr": 2, "exits vmcall": 1 };
      assertEquals(m.paravirt.stats().backend, exits);
    }
  }
});

Deno.test("backend hardware passes VMware's port on, and counts it", () => {
  for (const engine of ENGINES) {
    const m = vmiPc({ backend: hardware(), personality: vmware(), memory: MEMORY, engine });
    m.load(
      0x7c00,
      asm`
  mov eax, 0x564d5868
  mov ecx, 10
  mov edx, 0x5658
  in eax, dx
  hlt
`,
    );
    assertEquals(m.run().kind, "halt");
    assertEquals([m.cpu.eax, m.cpu.ebx], [6, 0x564d5868]);
    assertEquals(m.paravirt.stats().backend["exits io"], 1);
  }
});

Deno.test("a hypercall that nobody answers is undefined under both", () => {
  const m = vmiPc({ backend: hardware(), personality: vmware(), memory: MEMORY, stopOnFault: [6] });
  m.load(0x7c00, asm`vmcall`);
  const stop = m.run();
  assert(stop.kind === "fault" && stop.vector === 6, stop.kind);
});

Deno.test("a personality writes nothing into memory that the backend keeps, whatever the guest names", () => {
  const m = vmiPc({ backend: hardware({ paging: "shadow" }), personality: kvm(), memory: MEMORY });
  m.load(
    0x7c00,
    asm`
  mov ecx, 0x4b564d01
  mov eax, 0x7c000001
  xor edx, edx
  wrmsr
  hlt
`,
  );
  const before = m.peek(HYPERVISOR, 64);
  assertEquals(m.run().kind, "halt");
  assertEquals(m.peek(HYPERVISOR, 64), before);
  assert(m.trace.tail(16).some((e) => e.text.includes("0x7c000000 is not 32 bytes of RAM")));
  // A personality of one's own may not ask whether there is RAM: what it writes is lost all the same.
  const chain = new HypervisorChain([
    paravirt({ backend: shadow() }),
    hypervisor({
      personality: Object.assign(kvm(), {
        attach(host: { memory: { writePhysical(at: number, from: Uint8Array): number } }): void {
          assertEquals(host.memory.writePhysical(HYPERVISOR, new Uint8Array([1, 2, 3])), 0);
          assertEquals(host.memory.writePhysical(0x1000, new Uint8Array([1, 2, 3])), 3);
        },
      }),
      memory: MEMORY,
    }),
  ]);
  machine({ cpu: i386(), memory: [ram({ at: 0, size: 0xa0000 })], paravirt: chain });
});

Deno.test("KVM takes the kernel of backend trap for one in ring 0, its user programs not", () => {
  const make = () => trap();
  const r = rogue(
    { make, deprivileges: true, transparent: true },
    (k) => `
    mov eax, 9                          ; CLOCK_PAIRING
    mov ebx, 0x7000
    xor ecx, ecx
    vmcall
    ${k.store(0)}
    ${k.user("in_user")}
in_user:
    mov eax, 9
    mov ebx, 0x7000
    xor ecx, ecx
    vmcall
    ${k.store(1)}
    int 0x80
  `,
    { personality: kvm() },
  );
  assertEquals([r.stop.kind, r.faults], ["halt", []]);
  assertEquals([r.result(0), r.result(1) | 0], [0, -1]);
});

Deno.test("inject finds the interface that has the call", () => {
  const m = vmiPc({ personality: kvm(), memory: MEMORY });
  m.load(0x7c00, asm`jmp $`);
  m.run({ instructions: 10 });
  assertEquals(inject(m, "SEND_IPI", { low: 1, icr: 0x4030 }), 1);
  assertEquals(inject(m, "GetCycleFrequency"), BigInt(m.clock.hz));
  assertThrows(() => inject(m as never, "NoCall" as never), ConfigError, "NoCall");
});

Deno.test("a snapshot keeps both, and refuses a machine that lacks one", () => {
  const make = () => vmiPc({ backend: hardware(), personality: kvm(), memory: MEMORY }).load(0x7c00, TOUR);
  const m = make() as ReturnType<typeof vmiPc>, start = m.snapshot();
  m.run();
  const end = m.snapshot();
  m.restore(start);
  assertEquals(m.paravirt.stats().backend, {});
  m.restore(end);
  assertEquals(m.paravirt.stats().backend["exits vmcall"], 1);
  const other = make();
  other.restore(end);
  assertEquals(other.hash(), m.hash());
  const alone = vmiPc({ backend: hardware(), memory: MEMORY });
  assertThrows(() => alone.restore(end), ConfigError, "another machine");
});

Deno.test("a machine takes a list, and refuses what does not go together", () => {
  const both = [paravirt({ backend: hardware() }), hypervisor({ personality: kvm(), memory: MEMORY })];
  const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: MEMORY })], paravirt: both });
  assertEquals(m.hypervisor?.name, "paravirt+kvm");
  const twice = [hypervisor({ personality: kvm(), memory: 1 }), hypervisor({ personality: kvm(), memory: 1 })];
  assertThrows(() => machine({ cpu: i386(), paravirt: twice }), ConfigError, '"kvm"');
  assertThrows(
    () => machine({ cpu: i386(), paravirt: [{}] as never }),
    ConfigError,
    'paravirt has no function "attach"',
  );
  const owner = paravirt({ backend: shadow() });
  const other = Object.assign(hypervisor({ personality: kvm(), memory: 1 }), { privateMemory: { at: 0, size: 4096 } });
  assertThrows(() => new HypervisorChain([owner, other]), ConfigError, "Only one");
});
