/** The shipped kernel at work on every backend and engine, and without any: processes, further CPUs, snapshots in mid-run. */
import { guests, pc, vmiPc, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals, assertGreater } from "../../../scripts/deps/std.ts";
import type { Candidate } from "./backends.ts";
import { conformance, type Engine as SuiteEngine, NO_CALLS } from "./suite.ts";

const ENGINES = ["interpreter", "reference", "jit"] as const;
const KINDS = ["syscall", "fault", "fork", "switch", "tick", "mixed"] as const;

type Engine = typeof ENGINES[number];
type Workload = typeof KINDS[number];

/** The engines of a cell: the reference goes with the interpreter. */
const enginesOf = (engine: SuiteEngine): readonly Engine[] => engine === "jit" ? ["jit"] : ["interpreter", "reference"];
/** Hashes by what was run, of the engines that came first. */
const hashes = new Map<string, string>();

/** Every engine comes to the same state. */
function agree(what: string, m: VmiPcMachine): void {
  const hash = m.hash(), other = hashes.get(what) ?? hash;
  hashes.set(what, hash);
  assertEquals(hash, other, `${what}: the engines agree`);
}

/** A machine with the kernel that is to do so much. */
function working(candidate: Candidate, engine: Engine, workload: Workload, count: number): VmiPcMachine {
  const m = vmiPc({ backend: candidate.make(), engine });
  m.boot(guests.minikernel({ workload, count }));
  return m;
}

function finish(m: VmiPcMachine): string {
  const stop = m.run({ until: m.serial.contains("ready"), instructions: 20_000_000 });
  assertEquals(stop.kind, "until", m.serial.text);
  return m.serial.text;
}

conformance("workload", (on) => {
  const { candidate, engine, backend } = on;
  on.test("the shipped kernel ends in the same state on every engine, and every time", () => {
    for (const one of [...enginesOf(engine), engine]) {
      const m = vmiPc({ backend: candidate.make(), engine: one });
      m.boot(guests.minikernel());
      m.run({ instructions: 150_000 });
      agree(`${backend}, start`, m);
    }
  });

  for (const kind of KINDS) {
    on.test(`work of kind ${kind} comes to its end, nothing is lost, engines agree`, () => {
      for (const one of enginesOf(engine)) {
        const m = working(candidate, one, kind, 5), end = "memory: all that the processes had is free again\nready";
        assert(finish(m).endsWith(`workload: ${kind}\nworkload: done\n${end}`), m.serial.text);
        agree(`${backend}, ${kind}`, m);
      }
    });
  }

  on.test("a snapshot amid forks goes on as the run it was taken from", () => {
    const [whole, cut, other] = [1, 2, 3].map(() => working(candidate, engine, "mixed", 12)) as [
      VmiPcMachine,
      VmiPcMachine,
      VmiPcMachine,
    ];
    whole.run({ instructions: 700_000 });
    for (const pieces of [1, 2, 3, 4, 5, 6, 7]) {
      cut.run({ instructions: 100_000 });
      const here = cut.snapshot();
      cut.run({ instructions: 3_000 * pieces });
      cut.restore(here);
      other.restore(here);
    }
    assert(whole.serial.text.includes("workload: mixed\n"));
    assertEquals(whole.serial.text.includes("workload: done"), false);
    assertEquals([cut.hash(), other.hash()], [whole.hash(), whole.hash()]);
    agree(`${backend}, cut`, whole);
  });

  on.test("a second and a third CPU start and answer", () => {
    for (const one of enginesOf(engine)) {
      const m = vmiPc({ backend: candidate.make(), engine: one, cpus: 3 });
      m.boot(guests.minikernel());
      const text = finish(m);
      for (const n of [1, 2]) {
        assert(text.includes(`cpu ${n}: started, answered 3 messages, the last with 500500\n`), text);
      }
      if (candidate.deprivileges) { for (const cpu of m.cpus) assertEquals(cpu.get("cpl"), 1); }
      agree(`${backend}, three CPUs`, m);
    }
  });

  on.unless(NO_CALLS).test("forks make tables known and forget them", () => {
    const m = working(candidate, engine, "fork", 4);
    const seen = m.paravirt.record();
    finish(m);
    const allocated = seen.filter("AllocatePage"), released = seen.filter("ReleasePage");
    const clones = allocated.filter((e) => e.args["flags"] === 0x62);
    assertEquals(clones.length, 1 + 5); // the kernel's own directory, the first process, its children
    assertEquals(released.filter((e) => e.args["flags"] === 0x42).length, 5);
    const ended = new Set(released.map((e) => e.args["pfn"]));
    for (const e of clones.slice(1)) assert(ended.has(e.args["pfn"]), `directory ${e.args["pfn"]}`);
    const deferred = seen.filter("SetPxE").filter((e) => (Number(e.args["flags"]) & 0x20) !== 0);
    assertGreater(deferred.length, 4);
    assertEquals(new Set(seen.filter("SetLazyMode").map((e) => e.args["mode"])), new Set([0, 1, 2]));
  });
});

for (const engine of ENGINES) {
  Deno.test(`without a ROM, engine ${engine}: the same account of everything but the interface`, () => {
    const plain = pc({ engine, cpus: 2 }), m = vmiPc({ engine, cpus: 2 });
    for (const one of [plain, m]) {
      one.boot(guests.minikernel());
      assertEquals(one.run({ until: one.serial.contains("ready"), instructions: 20_000_000 }).kind, "until");
    }
    const account = (text: string): string => text.replaceAll(/^(paravirt|clock): .*\n/gm, "");
    assertEquals(account(plain.serial.text), account(m.serial.text));
  });
}
