/** The scripts that the design promises, word for word where they can be. */
import { asm, asm16, expect, guests, i386, inject, machine, MiB, ram, vmiPc } from "../../../mod.ts";

for (const engine of ["reference", "interpreter", "jit"] as const) {
  Deno.test(`${engine}: the first script`, () => {
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 1 * MiB })] });
    m.load(
      0x7c00,
      asm`
        mov eax, 40
        add eax, 2
        hlt
      `,
    );
    const stop = m.run({ instructions: 1_000 });
    expect(stop.kind).toBe("halt");
    expect(m.cpu.eax).toBe(42);
  });

  Deno.test(`${engine}: the paravirtual script`, () => {
    const m = vmiPc({ engine, memory: 8 * MiB });
    m.boot(guests.minikernel());
    const seen = m.paravirt.record();
    m.paravirt.override("GetWallclockTime", () => 1_000_000_000n);
    const stop = m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
    expect(stop.kind).toBe("until");
    expect(inject(m, "GetCycleFrequency")).toBeGreaterThan(1_000_000n);
    expect(seen.names()).toStartWith(["Init", "GetRelocationInfo"]);
    expect(m.serial.text).toContain("clock: 1 seconds since 1970");
  });
}

Deno.test("both engines give the guest that ships the same life, cut or whole", () => {
  const run = (engine: "reference" | "interpreter", piece: number): string => {
    const m = vmiPc({ engine, memory: 8 * MiB });
    m.boot(guests.minikernel());
    for (let left = 40_000; left > 0; left -= piece) m.run({ instructions: Math.min(piece, left) });
    return m.hash();
  };
  const whole = run("interpreter", 40_000);
  expect(run("interpreter", 777)).toBe(whole);
  expect(run("reference", 40_000)).toBe(whole);
});

Deno.test("labels are relative to where a program is loaded", () => {
  const m = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })] });
  m.load(
    0x2000,
    asm`
      mov eax, [value]
      hlt
      value: dd 0x12345678
    `,
  );
  m.run();
  expect(m.cpu.eax).toBe(0x12345678);
  const real = machine({ cpu: i386(), memory: [ram({ at: 0, size: 1 * MiB })] });
  real.load(
    0x7c00,
    asm16`mov ax, 0x1234
    hlt`,
  );
  real.run();
  expect(real.cpu.eax & 0xffff).toBe(0x1234);
});
