/**
 * Guests that do random things to their page tables, with every means of writing they have, and use what comes of it. All
 * the time the tables that the processor really walks are looked at: none leads to the hypervisor's memory, and where the
 * guest's own tables are used in place, none of them can be written.
 */
import { Prng, type VmiPcMachine } from "../../../mod.ts";
import { assert } from "../../../scripts/deps/std.ts";
import { FREE_TABLE, type Kit, rogue } from "./rogue.ts";
import { conformance, HIDES_NOTHING } from "./suite.ts";
import { Copier } from "./copier.ts";

/** Guests. */
const SEEDS = 10;
const HYPERVISOR = 0x7c000000, HYPERVISOR_SIZE = 0x2000000;
/** Page tables that the guest plays with, the first of them in use from the start; their directory entries. */
const TABLES = [FREE_TABLE, 0x45000, 0x46000, 0x47000] as const;
const DIRECTORY = 0x40000;
/** The directory entries of linear 0x40000000 on. */
const SLOTS = [0x400, 0x404, 0x408, 0x40c] as const;
/** Frames that entries lead to: data and tables, and now and then the hypervisor's memory or none. */
const FRAMES = [0x300, 0x301, 0x302, ...TABLES.map((t) => t >>> 12)];
const ODD = [0x7c000, 0x7c021, 0x7c026, 0x7dfff, 0xc8, 0xfee00, 0x90000];
const SETTERS = ["SetPxE", "WriteGDTEntry", "WriteLDTEntry", "WriteIDTEntry"] as const;

const pick = <T>(random: Prng, list: readonly T[]): T => list[random.below(list.length)] as T;
/** An entry: frame and some of the flags present, write, user, accessed, dirty, large, global. */
const entryOf = (random: Prng): number =>
  (pick(random, random.below(60) === 0 ? ODD : FRAMES) * 0x1000 + (random.below(8) === 0 ? 0 : 1) +
    2 * random.below(256)) >>> 0;

/** One store of `value` at `at`, linear and physical. */
function store(k: Kit, random: Prng, at: number, value: number): string {
  const how = random.below(9);
  if (how === 0) return `mov dword [${at}], ${value}`;
  if (how === 1) return `mov eax, ${value}\nxchg eax, [${at}]`;
  if (how === 2) return `mov edi, ${at}\nmov eax, ${value}\nmov ecx, 1\nrep stosd`;
  if (how === 3) return `mov edx, 0x6f0\nmov eax, ${at}\nout dx, eax\nmov edx, 0x6f4\nmov eax, ${value}\nout dx, eax`;
  if (how === 4) return `mov esp, ${at + 4}\npush dword ${value}\nmov esp, 0x8f00`;
  if (how === 5) return `mov edx, 0x6f0\nmov eax, ${value}\nout dx, eax\nmov edi, ${at}\ninsd`;
  if (how === 6) {
    // Through whatever is mapped by the first table: the table itself perhaps.
    return k.attempt(
      `mov dword [${0x40000000 + 0x400000 * random.below(4) + 0x1000 * random.below(4) + (at & 0xfff)}], ${value}`,
    );
  }
  const call = pick(random, SETTERS), [index, offset] = [(at & 0xfff) >>> 3, at & 4];
  if (call === "SetPxE") {
    return `mov eax, ${value}\nmov edx, ${at}\nmov ecx, ${1 + random.below(64)}\n${k.call("SetPxE")}`;
  }
  const [low, high] = offset === 0 ? [value, 0] : [0, value];
  return `push dword ${high}\nmov eax, ${(at & ~0xfff) >>> 0}\nmov edx, ${index}\nmov ecx, ${low}\n${
    k.call(call)
  }\nadd esp, 4`;
}

function step(k: Kit, random: Prng): string {
  const linear = 0x40000000 + 0x400000 * random.below(4) + 0x1000 * random.below(4) + 4 * random.below(4);
  const table = pick(random, TABLES), value = entryOf(random), what = random.below(32);
  if (what === 0) {
    const entry = DIRECTORY + pick(random, SLOTS);
    return store(k, random, entry, pick(random, TABLES) + 1 + 2 * random.below(64));
  }
  if (what === 1) return `mov eax, ${DIRECTORY}\n${k.call("SetCR3")}`;
  if (what === 2) return `mov eax, ${1 + 2 * random.below(2)}\n${k.call("FlushTLB")}`;
  if (what === 3) {
    const call = pick(random, ["AllocatePage", "ReleasePage"] as const);
    return `push dword 0\npush dword 0\nmov eax, ${table >>> 12}\nmov edx, 0x41\nxor ecx, ecx\n${
      k.call(call)
    }\nadd esp, 8`;
  }
  if (what < 6) return `mov eax, ${linear}\n${k.call("InvalPage")}`;
  if (what < 13) return k.attempt(`mov eax, [${linear}]`);
  if (what < 16) return k.attempt(`mov dword [${linear}], ${value}`);
  if (what < 18) return k.attempt(`lmsw [${linear}]`);
  return store(k, random, table + 4 * random.below(4), value);
}

interface Leaf {
  readonly linear: number;
  readonly frame: number;
  readonly canWrite: boolean;
}

/** What the processor's own tables map, and the frames of the lowest tables; two levels. */
function realTables(m: VmiPcMachine): { readonly leaves: Leaf[]; readonly tables: Set<number> } {
  const words = (at: number): Uint32Array => new Uint32Array(m.peek(at, 4096).slice().buffer);
  const leaves: Leaf[] = [], tables = new Set<number>();
  words((m.cpu.get("cr3") as number) & ~0xfff).forEach((pde, i) => {
    if ((pde & 1) === 0) return;
    if ((pde & 0x80) !== 0) {
      leaves.push({ linear: i * 0x400000, frame: pde >>> 12, canWrite: (pde & 2) !== 0 });
      return;
    }
    tables.add(pde >>> 12);
    words((pde & ~0xfff) >>> 0).forEach((pte, j) => {
      if ((pte & 1) === 0) return;
      leaves.push({ linear: i * 0x400000 + j * 0x1000, frame: pte >>> 12, canWrite: (pte & pde & 2) !== 0 });
    });
  });
  return { leaves, tables };
}

conformance("confined", (on) => {
  const { candidate, engine, backend } = on;
  on.unless(HIDES_NOTHING).test("whatever a guest does to its page tables, no real one leads to the hypervisor", () => {
    const ends = new Map<string, number>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = new Prng(seed);
      const r = rogue(candidate, (k) => {
        const zero = TABLES.map((t) => `mov edi, ${t}\nmov ecx, 1024\nxor eax, eax\nrep stosd`).join("\n");
        const steps = Array.from({ length: 150 }, () => step(k, random)).join("\n");
        const filled = TABLES.map((t, i) =>
          `mov dword [${DIRECTORY + (SLOTS[i] ?? 0)}], ${t + 7}\n${
            [0, 4, 8, 12].map((at) => `mov dword [${t + at}], ${entryOf(random)}`).join("\n")
          }`
        ).join("\n");
        return `${zero}\n${filled}\n${steps}`;
      }, { engine, devices: [new Copier()], budget: 8000 });
      const { m } = r;
      let { stop } = r, taken = false;
      for (let pieces = 0; pieces < 400; pieces++) {
        const real = m.cpu.get("cr3") as number;
        taken ||= real >= HYPERVISOR;
        if (taken) assert(real >= HYPERVISOR && real < HYPERVISOR + HYPERVISOR_SIZE, real.toString(16));
        const { leaves, tables } = taken ? realTables(m) : { leaves: [], tables: new Set<number>() };
        for (const { linear, frame, canWrite } of leaves) {
          const at = `${linear.toString(16)} leads to frame ${frame.toString(16)}, seed ${seed}, piece ${pieces}`;
          assert(frame * 4096 < HYPERVISOR || frame * 4096 >= HYPERVISOR + HYPERVISOR_SIZE, at);
          // While one instruction is stepped over, the table it writes is open to it.
          const stepped = (m.cpu.eflags & 0x100) !== 0;
          if (backend === "direct" && canWrite && !stepped) assert(!tables.has(frame), `${at}, a table`);
        }
        if (stop.kind !== "budget") break;
        stop = m.run({ instructions: 97 });
      }
      assert(taken, JSON.stringify(stop));
      const how = stop.kind === "killed" ? `killed ${stop.code}` : stop.kind;
      ends.set(how, (ends.get(how) ?? 0) + 1);
    }
    for (const kind of ends.keys()) assert(/^(halt|killed|fault)/.test(kind), JSON.stringify([...ends]));
    assert(ends.size > 1, JSON.stringify([...ends]));
  });
});
