/** Exits of a processor with virtualization: exactly those that were asked for, and none that the guest could notice. */
import {
  ConfigError,
  guests,
  hardware,
  HARDWARE_EXITS,
  type HardwareExit,
  vmiPc,
  type VmiPcMachine,
} from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, rogue } from "./rogue.ts";

const HYPERVISOR = 0x7c000000;

/** What the body below does once each. */
const BODY = `
  cpuid
  invlpg [0x5000]
  mov eax, cr0
  mov cr0, eax
  clts
  mov eax, cr3
  mov cr3, eax
  mov eax, cr4
  mov cr4, eax
  mov eax, dr7
  mov dr7, eax
  in al, 0x21
  out 0x80, al
  mov ecx, 0x174
  rdmsr
  rdtsc
  wbinvd
  sgdt [0x8100]
  mov dword [${FREE_TABLE}], 0xfee00013
  mov eax, [0x40000020]
`;
const EXPECTED: Readonly<Partial<Record<HardwareExit, number>>> = {
  "cpuid": 1,
  "invlpg": 1,
  "cr0": 3,
  "cr3-load": 2,
  "cr3-store": 1,
  "cr4": 1,
  "dr": 2,
  "io": 2,
  "msr": 1,
  "rdtsc": 1,
  "wbinvd": 1,
  "descriptor": 4,
  "mmio": 1,
  "hlt": 1,
};

function counts(exits: readonly HardwareExit[]): Readonly<Record<string, number>> {
  const backend = hardware({ exits });
  const r = rogue({ make: () => backend, deprivileges: false, transparent: true }, () => BODY);
  assertEquals(r.stop.kind, "halt");
  return backend.stats();
}

Deno.test("hardware leaves the guest under each condition alone, and counts it", () => {
  for (const [exit, n] of Object.entries(EXPECTED)) {
    assertEquals(counts([exit as HardwareExit]), { [`exits ${exit}`]: n });
  }
  assertEquals(counts([]), {});
});

Deno.test("hardware counts no exit for an instruction that faults first", () => {
  const backend = hardware({ exits: HARDWARE_EXITS });
  const candidate = { make: () => backend, deprivileges: false, transparent: true };
  const r = rogue(
    candidate,
    (k) => `${k.user("in_user")}\nin_user:\n${k.attempt("hlt")}\n${k.attempt("in al, 0x21")}\nint 0x80`,
  );
  assertEquals([r.stop.kind, r.faults.length], ["halt", 2]);
  const { "exits hlt": hlt, "exits io": io = 0, "exits exception": exceptions } = backend.stats();
  assertEquals([hlt, io, exceptions], [1, 0, 2]);
});

function ready(paging: "nested" | "shadow"): VmiPcMachine & { readonly pageFaults: number } {
  const m = vmiPc({ backend: hardware({ paging, exits: HARDWARE_EXITS }) });
  let pageFaults = 0;
  m.onFault(14, () => pageFaults++);
  m.boot(guests.minikernel());
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  return Object.assign(m, { pageFaults });
}

Deno.test("hardware with nested paging leaves the guest for page faults of its own only", () => {
  const [one, other] = [ready("nested"), ready("shadow")];
  const nested = one.paravirt.stats().backend, shadow = other.paravirt.stats().backend;
  assertEquals([one.pageFaults, other.pageFaults], [nested["exits page-fault"], nested["exits page-fault"]]);
  assertEquals((shadow["exits page-fault"] ?? 0) - (shadow["page faults hidden"] ?? 0), other.pageFaults);
  assert((shadow["page faults hidden"] ?? 0) > 0, JSON.stringify(shadow));
  assertEquals(nested["exits interrupt"], shadow["exits interrupt"]);
  assertEquals(nested["exits io"], shadow["exits io"]);
});

Deno.test("hardware with shadow paging: mapping a page of the hypervisor ends the guest", () => {
  const candidate = { make: () => hardware({ paging: "shadow" }), deprivileges: false, transparent: true };
  const r = rogue(candidate, () => `mov dword [${FREE_TABLE}], ${HYPERVISOR + 7}\nmov dword [0x40000000], 1`);
  assert(r.stop.kind === "killed" && r.stop.code === "hypervisor-memory", JSON.stringify(r.stop));
});

Deno.test("hardware with shadow paging: CR2 and the interrupted event survive hidden page faults", () => {
  const candidate = { make: () => hardware({ paging: "shadow" }), deprivileges: false, transparent: true };
  const r = rogue(candidate, (k) => `
    ${k.attempt("mov eax, [0x40000123]")}
    mov eax, [0x410000]                 ; hidden: nothing has used this page yet
    mov eax, cr2
    ${k.store(0)}
    mov eax, cr3
    mov cr3, eax                        ; the tables of the handler are not shadowed now
    ${k.attempt("int3")}
    mov eax, cr3
    mov cr3, eax
    ${k.attempt("mov ecx, 0x999\n rdmsr")}
  `);
  assertEquals([r.stop.kind, r.result(0)], ["halt", 0x40000123]);
  assertEquals(r.faults.map((f) => [f.vector, f.errorCode]), [[14, 0], [3, 0xffff], [13, 0]]);
});

Deno.test("hardware refuses exits and pagings it does not know", () => {
  assertThrows(() => hardware({ exits: ["vmexit" as HardwareExit] }), ConfigError, "vmexit");
  assertThrows(() => hardware({ paging: "none" as "nested" }), ConfigError, "nested");
});
