/**
 * Round trips a second of hypercalls: the bare instruction answered by a script's hypervisor, and paravirtual calls
 * through the ROM, trapped and as plain code, with and without observers. Run with `deno run -A` or `deno bench -A`.
 */
import { asm } from "../../lib/cpu/i386/asm/template.ts";
import { i386 } from "../../lib/cpu/i386/factory.ts";
import { type Machine, machine } from "../../lib/machine/machine.ts";
import { paravirt, type ParavirtHypervisor } from "../../lib/machine/paravirt.ts";
import type { Hypervisor, HypervisorHost } from "../../lib/machine/platform.ts";
import { ram } from "../../lib/memory/region.ts";
import { native } from "../../lib/vmi/paravirt/backends/native.ts";
import { scripted } from "../../lib/vmi/paravirt/backends/scripted.ts";
import type { ParavirtBackend } from "../../lib/vmi/paravirt/backend.ts";
import { least, rate } from "./measure.ts";

const N = 500_000;

/** Answers every hypercall by adding one to EAX. */
class Plain implements Hypervisor {
  readonly name = "plain";
  readonly regions = [];
  #host: HypervisorHost | undefined;
  attach(host: HypervisorHost): void {
    this.#host = host;
  }
  hypercall(cpu: number): boolean {
    const guest = this.#host?.context(cpu);
    guest?.setReg(0, guest.reg(0) + 1);
    return true;
  }
  reset(): void {}
  save(): { version: number; fields: Record<string, never> } {
    return { version: 1, fields: {} };
  }
  load(): void {}
}

type Engine = "interpreter" | "jit";
type Call = "GetInterruptMask" | "SetPxE";

/** A guest that calls Init once, then one call over and over. */
function caller(engine: Engine, backend: ParavirtBackend, call: Call): [Machine, ParavirtHypervisor] {
  const hypervisor = paravirt({ backend });
  const low = ram({ at: 0, size: hypervisor.at });
  const m = machine({ cpu: i386({ engine }), memory: [low], paravirt: hypervisor });
  const slots = hypervisor.rom.slots;
  const place = (name: string): number => hypervisor.at + (slots.find((s) => s.name === name)?.at ?? 0);
  m.load(
    0x8000,
    asm`
    mov ebx, ${place("Init")}
    call ebx
    mov ebx, ${place(call)}
    mov edx, 0x9000
    again: call ebx
    jmp again`,
  );
  m.cpu.set("esp", 0x7000);
  m.run({ instructions: 100 });
  return [m, hypervisor];
}

/** Measures one call; `arm` adds observers. */
function measure(engine: Engine, what: string, backend: ParavirtBackend, call: Call, arm: Arm): void {
  const [m, h] = caller(engine, backend, call);
  arm(h, m);
  let calls = 0; // an overridden call takes fewer instructions
  const remove = h.before(call, () => void calls++);
  m.run({ instructions: 60_000 });
  remove();
  const instructions = Math.round(N * 60_000 / calls);
  rate(`${call} of ${backend.name}, ${what}: calls`, N, least(() => void m.run({ instructions })), 7);
}

type Arm = (h: ParavirtHypervisor, m: Machine) => void;

/** All that a script can ask of a call. */
const WAYS: readonly (readonly [what: string, arm: Arm])[] = [
  ["not observed", () => {}],
  ["before()", (h) => void h.before("GetInterruptMask", () => {})],
  ["after()", (h) => void h.after("GetInterruptMask", () => {})],
  ["override()", (h) => void h.override("GetInterruptMask", () => 0)],
  ["record()", (h) => void h.record({ most: 10_000 })],
  ["onHypercall()", (_, m) => void m.onHypercall(undefined, () => {})],
  ["another call observed", (h) => void h.before("SetPxE", () => {})],
];

for (const engine of ["interpreter", "jit"] as const) {
  console.log(`engine ${engine}`);
  const bare = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 << 20 })], paravirt: new Plain() });
  bare.load(
    0x8000,
    asm`
    again: vmcall
    jmp again`,
  );
  rate("VMCALL answered by a script: calls", N, least(() => void bare.run({ instructions: 2 * N })), 7);
  for (const [what, arm] of WAYS) {
    measure(engine, `trapped, ${what}`, scripted({ GetInterruptMask: () => 1 }), "GetInterruptMask", arm);
  }
  for (const [what, arm] of WAYS) measure(engine, `plain code, ${what}`, native(), "GetInterruptMask", arm);
  const seesArgs: Arm = (h) => void h.before("SetPxE", (call) => void call.args.ptep);
  measure(engine, "plain code, before() that reads an argument", native(), "SetPxE", seesArgs);
  measure(engine, "plain code, record()", native(), "SetPxE", (h) => void h.record({ most: 10_000 }));
}
