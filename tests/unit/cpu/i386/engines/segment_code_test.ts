/** Transfers of 16-bit code over 64 KiB and over 0: they wrap, also where the limit of CS lies beyond; on all engines. */
import { assemble } from "../../../../../lib/cpu/i386/asm/assemble.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { type Mode, Rig, setMode } from "../rig.ts";

const DATA = [0, 0xffffffff, true] as const;

/** Limits of CS: as it is in real mode, somewhat larger, and flat. */
const LIMITS = [0xffff, 0x1ffff, 0xffffffff];

/** Where it begins, and pieces of code by address. */
type Program = readonly [number, readonly (readonly [number, string])[]];

const PROGRAMS: Readonly<Record<string, Program>> = {
  "JMP over 0": [0x10, [
    [0x10, "inc ax\ndb 0xe9\ndw (0xfff0-$-2) & 0xffff"],
    [0xfff0, "inc bx\ndb 0xe9\ndw (0x10-$-2) & 0xffff"],
  ]],
  "short JMP over 0": [0x10, [
    [0x10, "inc ax\ndb 0xeb\ndb (0xfff0-$-1) & 0xff"],
    [0xfff0, "inc bx\ndb 0xeb\ndb (0x10-$-1) & 0xff"],
  ]],
  "CALL over 0": [0x10, [
    [0x10, "inc ax\ndb 0xe8\ndw (0xfff0-$-2) & 0xffff\ndb 0xeb\ndb (0x10-$-1) & 0xff"],
    [0xfff0, "inc bx\nret"],
  ]],
  "Jcc over 64 KiB": [0xfff0, [
    [0xfff0, "or bl, 1\ndb 0x75\ndb (0x10-$-1) & 0xff"],
    [0x10, "inc ax\njmp word [0x8000]"],
  ]],
  "LOOP over 64 KiB": [0xfff0, [
    [0xfff0, "mov cx, 7\ndb 0xe2\ndb (0x10-$-1) & 0xff"],
    [0x10, "inc ax\njmp word [0x8000]"],
  ]],
};

const ENGINES = [reference, interpreter, jit({ threshold: 2 }), jit({ threshold: 20 })];

/** What a program has done at several moments. */
function outcomes(rig: Rig, mode: Mode, [start, pieces]: Program): unknown[] {
  const { cpu, space } = rig;
  for (const [origin, text] of pieces) space.writePhysical(origin, assemble(text, { bits: 16, origin }).bytes);
  space.writePhysical(0x8000, Uint8Array.of(0xf0, 0xff));
  setMode(cpu, mode);
  for (let n = 0; n < 8; n++) cpu.state.setReg32(n, n === 4 ? 0xa000 : n);
  cpu.set("eip", start);
  const all = [7, 100, 1000, 333].map((limit) => rig.outcome(cpu.run(limit)));
  assertEquals(cpu.instructions, 1440); // nothing faults
  return all;
}

for (const [name, program] of Object.entries(PROGRAMS)) {
  Deno.test(`16-bit code wraps: ${name}`, () => {
    for (const limit of LIMITS) {
      const mode: Mode = { name, protect: true, segments: [[0, limit, false], DATA, DATA, DATA] };
      const [expected, ...others] = ENGINES.map((engine) => outcomes(new Rig(engine), mode, program));
      others.forEach((other, n) =>
        assertEquals(other, expected, `${ENGINES[n + 1].name}, limit ${limit.toString(16)}`)
      );
    }
  });
}
