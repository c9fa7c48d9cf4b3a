/**
 * Hypercalls that no sane guest makes: traps that belong to no call, wild arguments, stacks that are not there, jumps
 * into the middle of the ROM. The run ends with a StopReason, on each backend; scripts that inject nonsense are told so.
 */
import {
  asm,
  assemble,
  ConfigError,
  guests,
  inject,
  MiB,
  native,
  PARAVIRT_CALLS,
  type ParavirtBackend,
  type ParavirtName,
  Prng,
  scripted,
  shadow,
  type StopReason,
  vmiPc,
  type VmiPcMachine,
} from "../../mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../scripts/deps/std.ts";

const BACKENDS: Readonly<Record<string, () => ParavirtBackend>> = { native, scripted, shadow };
const ODD = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fff0, 0x3f_f000, 0x40_0000, 0xc_8000, 0x1234_5678];

/** A program in flat memory whose faults end the run. */
function guest(backend: ParavirtBackend): VmiPcMachine {
  return vmiPc({ memory: 4 * MiB, backend });
}

Deno.test("a hypercall instruction outside the ROM is undefined to the guest", () => {
  for (const make of Object.values(BACKENDS)) {
    const m = guest(make());
    m.load(
      0x10_0000,
      asm`
      nop
      vmcall`,
    );
    const stop = m.run({ instructions: 10 });
    assert(stop.kind === "fault" && stop.vector === 6 && stop.eip === 0x10_0001, JSON.stringify(stop));
  }
});

Deno.test("a trap in the ROM that belongs to no call ends the guest as an unknown call, and says where", () => {
  const m = guest(native());
  const at = m.paravirt.at + m.paravirt.rom.returnAt;
  m.load(0x10_0000, asm`jmp ${at}`);
  const stop = m.run({ instructions: 10 });
  assert(stop.kind === "killed" && stop.code === "unknown-call" && stop.eip === at, JSON.stringify(stop));
  assertStringIncludes(stop.call, `0x${m.paravirt.rom.returnAt.toString(16)}`);
});

Deno.test("a trapped call whose stack is not there ends the guest as a bad argument, not the program", () => {
  const m = guest(scripted());
  const call = PARAVIRT_CALLS.find((row) => row.args.some((a) => a.includes("stack")));
  assert(call !== undefined);
  const slot = m.paravirt.rom.slots[call.no];
  m.load(
    0x10_0000,
    asm`
    mov eax, 0x200000 ; a page directory that maps the first 4 MiB, and nothing else
    mov dword [eax], 0x83
    mov cr3, eax
    mov eax, cr4
    or eax, 0x10
    mov cr4, eax
    mov eax, cr0
    or eax, 0x80000000
    mov cr0, eax
    mov esp, 0x500000
    jmp ${m.paravirt.at + slot.at}`,
  );
  const stop = m.run({ instructions: 20 });
  assert(stop.kind === "killed" && stop.code === "bad-argument" && stop.call === call.name, JSON.stringify(stop));
});

for (const [name, make] of Object.entries(BACKENDS)) {
  Deno.test(`backend ${name}: every call with wild arguments ends with a StopReason`, () => {
    const random = new Prng(name.length);
    const m = guest(make());
    const fresh = m.snapshot();
    const kinds = new Set<StopReason["kind"]>();
    for (const { at } of m.paravirt.rom.slots) {
      for (let round = 0; round < 12; round++) {
        const odd = (): number => ODD[random.below(ODD.length)];
        m.restore(fresh);
        m.load(
          0x10_0000,
          assemble(
            `mov eax, ${odd()}\nmov edx, ${odd()}\nmov ecx, ${odd()}\npush dword ${odd()}\npush dword ${odd()}\n` +
              `mov ebx, ${m.paravirt.at + at}\ncall ebx\nhlt`,
          ),
        );
        const stop = m.run({ instructions: 5000 });
        kinds.add(stop.kind);
        assert(stop.eip >= 0);
      }
    }
    assert(kinds.has("fault"), [...kinds].join());
  });

  Deno.test(`backend ${name}: jumps all over the ROM end with a StopReason`, () => {
    const m = guest(make());
    const fresh = m.snapshot();
    const recording = m.paravirt.record();
    for (let offset = 0; offset < m.paravirt.rom.bytes.length; offset += 3) {
      m.restore(fresh);
      m.start({ mode: "flat32", entry: m.paravirt.at + offset, stack: 0x8000, registers: { eax: 0x7fff_ffff } });
      assert(m.run({ instructions: 300 }).eip >= 0);
    }
    assert(recording.names().length > 0);
  });
}

Deno.test("inject() refuses unknown calls, unknown arguments and guests that are not ready, each in words", () => {
  const m = guest(native());
  const wrong = (name: string, args: Record<string, number>, says: string): void => {
    const error = assertThrows(() => inject(m, name as ParavirtName, args as never), ConfigError);
    assertStringIncludes(error.message, says);
  };
  wrong("SetCr3", {}, "SetCR3");
  wrong("", {}, "call");
  wrong("SetCR3", { vlaue: 1 }, 'no argument "vlaue"');
  assertThrows(() => inject(guest(native()), "SetCR3", { value: 0 }), ConfigError);
});

Deno.test("inject() with wild arguments into a booted guest is answered or refused, and the guest lives on", () => {
  const m = vmiPc({ backend: scripted() });
  m.boot(guests.minikernel());
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  const here = m.snapshot();
  const random = new Prng(3);
  let [answered, refused] = [0, 0];
  for (const { name, args } of PARAVIRT_CALLS) {
    for (let round = 0; round < 4; round++) {
      m.restore(here);
      const values = Object.fromEntries(args.map((a) => [a.split("@")[0], ODD[random.below(ODD.length)]]));
      try {
        inject(m, name, values as never);
        answered++;
      } catch (error) {
        assert(error instanceof ConfigError, `${name}: ${error instanceof Error ? error.stack : error}`);
        refused++;
      }
    }
  }
  assert(answered > 50 && refused > 0, `${answered} answered, ${refused} refused`);
  m.restore(here);
  assertEquals(m.run({ instructions: 100_000 }).kind, "budget");
});
