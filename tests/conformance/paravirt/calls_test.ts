/** Every call that returns, made in a booted guest on each backend: effects, and the registers a caller may rely on. */
import { guests, inject, type ParavirtName, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import { Reg } from "../../../lib/spec/i386_regs.ts";
import { PARAVIRT_CALLS } from "../../../lib/spec/paravirt_calls.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import type { Candidate } from "./backends.ts";
import { conformance, type Engine, NO_CALLS } from "./suite.ts";

/** Free memory of the booted guest: linear, and the same byte physically. */
const FREE = 0xc0300000;
const FREE_PHYSICAL = 0x300000;

function booted(candidate: Candidate, engine: Engine): VmiPcMachine {
  const m = vmiPc({ backend: candidate.make(), engine });
  m.boot(guests.minikernel());
  assertEquals(m.run({ until: m.serial.contains("ready"), instructions: 5_000_000 }).kind, "until");
  return m;
}

/** Calls that cannot be made here, with the reason. */
const SKIPS: Partial<Record<ParavirtName, string>> = {
  SetTR: "the task register's descriptor is busy already",
  Halt: "waits for an interrupt",
  RDPMC: "the CPU model counts nothing",
};

/** Arguments that leave the guest working; others are 0. */
function argsOf(m: VmiPcMachine, name: ParavirtName): Record<string, number | bigint> {
  switch (name) {
    case "SetCR0":
      return { value: inject(m, "GetCR0") };
    case "SetCR3":
      return { value: inject(m, "GetCR3") };
    case "WRMSR":
    case "RDMSR":
      return { msr: 0x174 };
    case "SetGDT":
      inject(m, "GetGDT", { pointer: FREE });
      return { pointer: FREE };
    case "SetIDT":
      inject(m, "GetIDT", { pointer: FREE });
      return { pointer: FREE };
    case "GetGDT":
    case "GetIDT":
      return { pointer: FREE };
    case "WriteGDTEntry":
    case "WriteLDTEntry":
    case "WriteIDTEntry":
      return { base: FREE };
    case "SetInitialAPState":
      return { state: FREE };
    case "SetPxE":
    case "SetPxELong":
      return { ptep: FREE };
    default:
      if (/^(IN|OUT)S/.test(name)) return { port: 0x80, address: FREE };
      return /^(IN|OUT)/.test(name) ? { port: 0x80 } : {};
  }
}

conformance("calls", (on) => {
  const { candidate, engine } = on;
  on.unless(NO_CALLS).test("every call keeps the registers its row says", () => {
    const m = booted(candidate, engine);
    const done: string[] = [];
    for (const { no, name, clobbers, result } of PARAVIRT_CALLS) {
      if (result === "no-return" || SKIPS[name] !== undefined || m.paravirt.rom.slots[no].lines.length === 0) continue;
      const args = argsOf(m, name);
      const general = (): number[] => [0, 1, 2, 3, 4, 5, 6, 7].map((n) => m.cpu.cpu.get(REGS[n] ?? "") as number);
      for (const n of [Reg.ebx, Reg.ebp, Reg.esi, Reg.edi]) m.cpu.set(REGS[n] ?? "", 0x11110000 + n);
      let [entry, back]: number[][] = [[], []];
      const removers = [
        m.paravirt.before(name, () => entry = general()),
        m.paravirt.after(name, () => back = general()),
      ];
      m.paravirt.call(name, args);
      removers.forEach((remove) => remove());
      assertEquals([entry.length, back.length], [8, 8], `${name} was not observed`);
      const may = MAY_CHANGE[clobbers];
      for (let n = 0; n < 8; n++) {
        if (may.includes(n) || (name === "CPUID" && n < 4)) continue;
        assertEquals(back[n], entry[n], `${name} changed ${REGS[n]}`);
      }
      done.push(name);
    }
    assert(done.length > 55, `${done.length}`);
  });

  on.unless(NO_CALLS).test("calls have their effect", () => {
    const m = booted(candidate, engine);
    const entry = (): bigint => new DataView(m.peek(FREE_PHYSICAL, 8).buffer).getBigUint64(0, true);
    inject(m, "SetPxELong", { pte: 0x8000_0000_1234_5063n, ptep: FREE, flags: 1 });
    assertEquals(entry(), 0x8000_0000_1234_5063n);
    inject(m, "WriteLDTEntry", { base: FREE - 0x88, index: 0x11, low: 0x89abcdef, high: 0x01234567 });
    assertEquals(entry(), 0x01234567_89abcdefn);
    for (const number of [0, 1, 2, 3]) inject(m, "SetDR", { number, value: 0x1000 * number });
    assertEquals([0, 1, 2, 3, 4].map((number) => inject(m, "GetDR", { number })), [0, 0x1000, 0x2000, 0x3000, 0]);
    inject(m, "EnableInterrupts");
    assertEquals(m.cpu.eflags & 0x200, 0x200);
    inject(m, "SetInterruptMask", { mask: 0 });
    assertEquals(m.cpu.eflags & 0x200, 0);
    inject(m, "SetInterruptMask", { mask: 0x200 });
    assertEquals(m.cpu.eflags & 0x200, 0x200);
    inject(m, "DisableInterrupts");
    assertEquals(m.cpu.eflags & 0x200, 0);
    inject(m, "SetCR0", { value: (inject(m, "GetCR0") | 8) >>> 0 });
    assertEquals(inject(m, "GetCR0") & 8, 8);
    inject(m, "CLTS");
    assertEquals(inject(m, "GetCR0") & 8, 0);
    inject(m, "SetCR2", { value: 0xabcd });
    assertEquals(inject(m, "GetCR2"), 0xabcd);
    assertEquals(inject(m, "GetTR"), 0x80);
    assertEquals(inject(m, "GetLDT"), 0);
    inject(m, "FlushTLB", { flags: 3 });
    assertEquals(inject(m, "CPUID", { leaf: 1 }) >>> 8 & 15, 15); // family of the default model
    assertEquals(inject(m, "INB", { port: 0x21 }) & 0xff, 0xfe); // the guest's interrupt mask
  });

  on.unless(NO_CALLS).test("alarms and counters agree with the machine's clock", () => {
    const m = booted(candidate, engine);
    const [hz, now] = [inject(m, "GetCycleFrequency"), inject(m, "GetCycleCounter", { counter: 0 })];
    assertEquals([hz, now], [BigInt(m.clock.hz), BigInt(m.now)]);
    assertEquals(inject(m, "CancelAlarm", { flags: 0x100 }), 1);
    assertEquals(inject(m, "CancelAlarm", { flags: 0x100 }), 0);
    const [first] = [inject(m, "GetWallclockTime"), m.run({ instructions: 1000 })];
    assert(inject(m, "GetWallclockTime") >= first);
    assertEquals(inject(m, "WallclockUpdated"), 0);
  });
});

const REGS: readonly string[] = ["eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"];
const STANDARD: readonly number[] = [Reg.eax, Reg.ecx, Reg.edx];
const MAY_CHANGE: Readonly<Record<string, readonly number[]>> = {
  "standard": STANDARD,
  "flags": [],
  "eax+flags": [Reg.eax],
  "eax": [Reg.eax],
  "string": [Reg.ecx, Reg.esi, Reg.edi],
  "none": [],
};
