/**
 * Repeated string instructions in lockstep on all engines: what is done at once must look as if it had been done one by
 * one, at the end of every slice, whatever its length. Overlaps, page ends, both directions, all sizes, segments with
 * limits, aliased, read-only and absent pages, MMIO, code as destination.
 */
import { Prng } from "../../../../../lib/base/prng.ts";
import { interpreter } from "../../../../../lib/cpu/i386/engines/interpreter/engine.ts";
import { jit } from "../../../../../lib/cpu/i386/engines/jit/engine.ts";
import { reference } from "../../../../../lib/cpu/i386/engines/reference.ts";
import { writeEflags } from "../../../../../lib/cpu/i386/flags.ts";
import { Layout, ModeBit, Seg } from "../../../../../lib/cpu/i386/state.ts";
import { mmio } from "../../../../../lib/memory/region.ts";
import { asm, i386, machine, ram } from "../../../../../mod.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { type Mode, MODES, Rig, setMode } from "../rig.ts";

const CODE = 0x4000, DIRECTORY = 0x1000, TABLE = 0x2000, DEVICE = 0x10000;
/** Movs, cmps, stos, lods, scas without their width bit. */
const OPCODES = [0xa4, 0xa6, 0xaa, 0xac, 0xae] as const;
/** Modes of segments; in the last one 16-bit offsets wrap in the middle of a page of RAM. */
const ALL: readonly Mode[] = [...MODES, {
  name: "bases below 0",
  protect: true,
  segments: [MODES[0].segments[0], MODES[0].segments[1], [0xfffff345 | 0, 0xffffffff, true], [
    -0x1234,
    0xffffffff,
    true,
  ]],
}];
const ENGINES = [reference, interpreter, jit({ threshold: 1 })];

/** A rig with a device behind its RAM; what is read from it changes with each access. */
class DeviceRig extends Rig {
  readonly accesses: (readonly number[])[] = [];

  constructor(engine: typeof interpreter) {
    super(engine);
    const handler = {
      read: (offset: number, width: number): number => this.accesses.push([offset, width]) * 0x01010101,
      write: (offset: number, value: number, width: number): void => void this.accesses.push([offset, width, value]),
    };
    this.space.add(mmio({ at: DEVICE, size: 0x1000, handler }));
  }
}

/** One to three repeated instructions and a jump back to the first. */
function program(r: Prng): number[] {
  const bytes: number[] = [];
  for (let n = 1 + r.below(3); n > 0; n--) {
    if (r.below(4) === 0) bytes.push(0x66);
    if (r.below(3) === 0) bytes.push(0x67);
    if (r.below(5) === 0) bytes.push(r.pick([0x26, 0x2e, 0x36, 0x64]));
    bytes.push(r.pick([0xf2, 0xf3]), r.pick(OPCODES) | r.below(2));
  }
  return [...bytes, 0xeb, 0x100 - bytes.length - 2];
}

/** Long equal stretches, so that comparisons go on. */
function fillMemory(rig: Rig, r: Prng): void {
  const bytes = new Uint8Array(0x10000).fill(0x55);
  for (let i = 0; i < 40; i++) {
    const at = r.below(0xff00);
    bytes.fill(r.pick([0x55, 0, 0xaa]), at, at + r.below(0x800));
  }
  for (let i = 0; i < 60; i++) bytes[r.below(0x10000)] = r.u32();
  rig.space.writePhysical(0, bytes);
}

/** The first pages and the device are where they are, all others any page of RAM; some are read-only or absent. */
function mapPages(rig: Rig, r: Prng): void {
  const table = new Uint32Array(1024);
  for (let page = 0; page < 34; page++) {
    const fixed = page < 5 ? 3 : r.pick([3, 3, 3, 3, 3, 3, 3, 3, 1, 0]);
    table[page] = (page < 5 || page === 16 ? page : 5 + r.below(11)) << 12 | fixed;
  }
  rig.space.writePhysical(DIRECTORY, new Uint8Array(Uint32Array.of(TABLE | 3).buffer));
  rig.space.writePhysical(TABLE, new Uint8Array(table.buffer));
}

function prepare(rig: DeviceRig, seed: number, paged: boolean): void {
  const r = new Prng(seed);
  rig.accesses.length = 0;
  fillMemory(rig, r);
  rig.space.writePhysical(CODE, Uint8Array.from(program(r)));
  if (paged) mapPages(rig, r);
}

/** Registers, segments and direction for a new round, which may end in a fault; the loop begins anew. */
function begin(rig: DeviceRig, mode: Mode, r: Prng, paged: boolean): void {
  const { cpu } = rig, s = cpu.state, last = paged ? 0x22000 : 0x10800;
  const place = (): number =>
    r.pick([
      0x5000 + r.below(0xb000),
      0x6000 + r.below(11) * 0x1000 + r.below(16) - 8,
      0x6000 + r.below(11) * 0x1000 + r.below(16) - 8,
      r.below(last),
      CODE + r.below(0x100),
      0xffe0 + r.below(64),
    ]);
  cpu.reset();
  setMode(cpu, mode);
  for (const n of [4, 5]) { // FS and GS
    s.setSeg(n, Seg.base, n * 0x800);
    s.setSeg(n, Seg.lo, r.below(2) * 0x3000);
    s.setSeg(n, Seg.hi, 0x7000 + r.below(0x2000));
    s.setSeg(n, Seg.rights, 7);
  }
  if (paged) {
    s.set(Layout.cr3, DIRECTORY);
    s.set(Layout.cr0, 0x80010011 | 0); // PG, WP, PE
  }
  cpu.flushTlb(true);
  cpu.modeChanged();
  const esi = place();
  const edi = r.below(2) === 0 ? place() : esi + r.below(129) - 64;
  s.setReg32(6, r.below(20) === 0 ? esi | 0x50000 : esi);
  s.setReg32(7, edi);
  s.setReg32(1, r.pick([r.below(6), r.below(100), r.below(400), r.below(3000), r.below(9) << 16 | r.below(50)]));
  s.setReg32(0, r.pick([0x55555555, 0, 0xaaaaaaaa | 0, 0x55, r.u32() | 0]));
  writeEflags(s, (r.u32() & 0x8d5) | (r.below(3) === 0 ? 0x400 : 0) | 2);
  cpu.set("eip", CODE - mode.segments[0][0]);
}

for (const [mode, paged] of [...ALL.map((m) => [m, false] as const), [MODES[0], true] as const]) {
  Deno.test(`string runs are as single iterations: ${mode.name}${paged ? ", paged" : ""}`, () => {
    const rigs = ENGINES.map((engine) => new DeviceRig(engine));
    for (let seed = 1; seed <= 60; seed++) {
      for (const rig of rigs) prepare(rig, seed, paged);
      for (let round = 0; round < 5; round++) {
        const slices = new Prng(seed * 100 + round);
        const rounds = rigs.map(() => new Prng(seed * 1000 + round));
        rigs.forEach((rig, i) => begin(rig, mode, rounds[i], paged));
        for (let slice = 0; slice < 5; slice++) {
          const limit = slices.pick([1, 2, 7, 1000, 1000]);
          const [a, b, c] = rigs.map((rig) => [rig.outcome(rig.cpu.run(limit)), rig.accesses.slice(-20)]);
          const where = `${mode.name}, seed ${seed}, round ${round}, slice ${slice} of ${limit}`;
          assertEquals(b, a, `interpreter, ${where}`);
          assertEquals(c, a, `jit, ${where}`);
        }
      }
    }
  });
}

Deno.test("a run does not pass by an alignment check", () => {
  for (const engine of ENGINES) {
    const rig = new Rig(engine), s = rig.cpu.state;
    rig.space.writePhysical(CODE, Uint8Array.of(0xf3, 0xa5));
    setMode(rig.cpu, MODES[0]);
    s.set(Layout.cpl, 3);
    s.set(Layout.cr0, s.get(Layout.cr0) | 0x40000);
    writeEflags(s, 0x40002);
    rig.cpu.modeChanged();
    assertEquals((s.get(Layout.mode) & ModeBit.user) !== 0, true);
    for (const [n, value] of [[1, 20], [6, 0x8000], [7, 0x9000]]) s.setReg32(n, value);
    rig.cpu.set("eip", CODE);
    rig.cpu.run(10);
    s.setReg32(6, s.reg32(6) + 1);
    assertEquals([rig.cpu.run(5) === "count", s.reg32(1)], [false, 10], engine.name);
  }
});

Deno.test("a hook on a repeated instruction is met at every iteration, a watched page at every access", () => {
  for (const engine of ["reference", "interpreter", "jit"] as const) {
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 0x10000 })] });
    const met = [0, 0];
    const code = asm`mov esi, 0x8000
                     mov edi, 0x9000
                     mov ecx, 40
                     rep movsd
                     mov edi, 0xa000
                     mov ecx, 30
                     rep stosd
                     hlt`;
    m.load(CODE, code);
    const remove = m.onInstruction("movsd", () => met[0]++);
    m.onMemory({ at: 0xa000, size: 0x20, access: "write" }, () => met[1]++);
    assertEquals(m.run({ instructions: 1000 }).kind, "halt");
    assertEquals(met, [40, 8], engine);
    remove();
    m.reset();
    assertEquals(m.run({ instructions: 1000 }).kind, "halt");
    assertEquals([met, m.cpu.instructions], [[40, 16], 2 * 76], engine);
  }
});

Deno.test("a run down from an element over a page end does not touch what lies behind the page in RAM", () => {
  for (const engine of ["reference", "interpreter", "jit"] as const) {
    const m = machine({ cpu: i386({ engine }), memory: [ram({ at: 0, size: 0x10000 })] });
    const table = Uint32Array.from([...Array(16).keys()], (page) => (page === 9 ? 12 : page) << 12 | 0x63);
    m.load(DIRECTORY, new Uint8Array(Uint32Array.of(TABLE | 3).buffer));
    m.load(TABLE, new Uint8Array(table.buffer));
    const code = asm`mov eax, 0x1000
                     mov cr3, eax
                     mov eax, 0x80000011
                     mov cr0, eax
                     mov [0x8000], eax
                     mov [0x9000], eax
                     mov eax, 0x44332211
                     mov edi, 0x8ffe
                     mov ecx, 8
                     std
                     rep stosd
                     hlt`;
    m.load(CODE, code);
    assertEquals(m.run({ instructions: 1000 }).kind, "halt", engine);
    assertEquals([m.read(0x8ffe, 16), m.read(0x9000), m.read(0xc000)], [0x2211, 0, 0x80004433], engine);
  }
});
