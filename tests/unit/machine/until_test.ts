/** Several conditions at once: what listens is heard at the instruction, what does not is polled. */
import { any, asm, type Condition, i386, type Machine, machine, MiB, ram, reached } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";

/** Counts in EAX, two instructions a turn. */
function counting(): Machine {
  const m = machine({ cpu: i386({ engine: "interpreter" }), memory: [ram({ at: 0, size: MiB })] });
  m.load(
    0x7c00,
    asm`
again:
    inc eax
    jmp again`,
  );
  return m;
}

/** A condition that is polled, and how often it was. */
function polled(m: Machine, limit: number, every?: number): Condition & { readonly asked: number } {
  const name = `EAX ${limit}`;
  let asked = 0;
  return {
    name,
    test: () => {
      asked++;
      return m.cpu.eax >= limit;
    },
    ...(every === undefined ? {} : { every }),
    get asked() {
      return asked;
    },
  };
}

Deno.test("any() of conditions that listen listens, and is not polled", () => {
  const all = any(reached(0x7c01), reached(0x9000));
  assert(all.listen !== undefined && all.every === undefined);
  const m = counting();
  assertEquals(m.run({ until: all }).kind, "until");
  assertEquals([m.cpu.eip, m.cpu.instructions], [0x7c01, 1]);
});

Deno.test("any() of conditions that do not listen is polled as often as the most eager one", () => {
  const m = counting(), seldom = polled(m, 1e9), often = polled(m, 1000, 100);
  const all = any(seldom, often);
  assertEquals([all.listen, all.every], [undefined, 100]);
  const stop = m.run({ until: all });
  assertEquals(stop, { kind: "until", name: "EAX 1000000000 or EAX 1000", eip: 0x7c00 });
  assertEquals(m.cpu.instructions, 2000);
  assert(seldom.asked >= 20, `${seldom.asked}`);
});

Deno.test("any() of both kinds: a polled one ends the run although another one listens", () => {
  const m = counting(), stop = m.run({ until: any(reached(0x9000), polled(m, 1000, 500)) });
  assertEquals([stop.kind, m.cpu.instructions], ["until", 2000]);
  const n = counting();
  assertEquals(n.run({ until: any(reached(0x7c01), polled(n, 1000, 500)) }).kind, "until");
  assertEquals(n.cpu.instructions, 1);
});
