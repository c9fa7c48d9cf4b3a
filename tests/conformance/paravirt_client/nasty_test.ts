/**
 * The nasty guest on every backend: each edge ends as written down, on both engines in the same state, and a snapshot
 * taken before it restores exactly.
 */
import { guests, nastyEdges, type VmiPcMachine } from "../../../mod.ts";
import { assert, assertEquals, assertThrows } from "../../../scripts/deps/std.ts";
import { nastyCalls } from "../../../lib/guests/nasty/nasty.ts";
import { NATIVE_CODE } from "../../../lib/spec/paravirt_native.ts";
import { CANDIDATES, TRANSPARENT } from "../paravirt/backends.ts";
import { finish, nastyMachine } from "./nasty.ts";
import { NASTY_EXPECTED, NASTY_TRANSPARENT } from "./nasty_expected.ts";

/** Where a de-privileging backend lives by default. */
const HYPERVISOR = 0x7c000000;

/** What is written down for a backend. */
function expected(edge: string, backend: string): string | undefined {
  const entry = NASTY_EXPECTED[edge];
  if (typeof entry === "string" || entry === undefined) return entry;
  return Object.entries(entry).find(([backends]) => backends.split(" ").includes(backend))?.[1];
}

/** The edge begins. */
function toTheEdge(m: VmiPcMachine): void {
  assertEquals(m.run({ until: m.serial.contains("edge "), instructions: 100_000 }).kind, "until");
}

for (const [name, candidate] of Object.entries(CANDIDATES)) {
  for (const edge of nastyEdges) {
    Deno.test(`nasty guest on ${name}: ${edge}`, () => {
      const m = nastyMachine(candidate, edge);
      toTheEdge(m);
      const before = m.snapshot(), start = m.hash();
      assertEquals(finish(m).text, expected(edge, name));
      const end = m.hash();
      m.restore(before);
      assertEquals(m.hash(), start, "a snapshot taken before restores exactly");
      finish(m);
      assertEquals(m.hash(), end, "the same again");
      const other = nastyMachine(candidate, edge, "jit");
      toTheEdge(other);
      finish(other);
      assertEquals(other.hash(), end, "the same when translated");
    });
  }

  if (!candidate.deprivileges) continue;
  Deno.test(`nasty guest on ${name}: no edge reaches the hypervisor's memory`, () => {
    for (const edge of nastyEdges.filter((e) => e.includes("hypervisor"))) {
      const m = nastyMachine(candidate, edge);
      toTheEdge(m);
      finish(m);
      const first = new DataView(m.peek(HYPERVISOR, 4).slice().buffer).getUint32(0, true);
      assertEquals(first === 0x300007, false, edge);
    }
  });
}

/** Edges that are about the ROM itself. */
const ABOUT_ROM: readonly string[] = [
  "SetPxE into the ROM",
  "SetLinearMapping that lies, then SetPxE into the ROM",
  "Init from ring 3",
  "Init twice",
  "calls before Init",
  "GetRelocationInfo of numbers that are none",
  "a jump into the middle of the ROM's code",
  "the place where injected calls return",
  "a store into the ROM",
  "arguments beyond the mapped stack",
];
const WITHOUT_ROM = nastyEdges.filter((edge) =>
  !ABOUT_ROM.includes(edge) &&
  nastyCalls(edge).every((call) => NATIVE_CODE[call as keyof typeof NATIVE_CODE] !== undefined)
);

for (const [name, candidate] of Object.entries(TRANSPARENT)) {
  for (const edge of WITHOUT_ROM) {
    Deno.test(`nasty guest on ${name}, which tells it nothing: ${edge}`, () => {
      const m = nastyMachine(candidate, edge);
      toTheEdge(m);
      const before = m.snapshot(), start = m.hash();
      assertEquals(finish(m).text, NASTY_TRANSPARENT[edge]?.[name] ?? expected(edge, "native"));
      const end = m.hash();
      m.restore(before);
      assertEquals(m.hash(), start, "a snapshot taken before restores exactly");
      const other = nastyMachine(candidate, edge, "jit");
      toTheEdge(other);
      finish(other);
      assertEquals(other.hash(), end, "the same when translated");
    });
  }
}

Deno.test("nasty guest: most edges are tried where nothing is told, the others need a ROM or a call without instructions", () => {
  assert(WITHOUT_ROM.length > 70, `${WITHOUT_ROM.length}`);
  for (const edge of [...ABOUT_ROM, ...Object.keys(NASTY_TRANSPARENT)]) assert(nastyEdges.includes(edge), edge);
});

Deno.test("nasty guest: every edge has a name of its own and an outcome; an unknown one is refused", () => {
  assertEquals(new Set(nastyEdges).size, nastyEdges.length);
  assertEquals(Object.keys(NASTY_EXPECTED).sort(), [...nastyEdges].sort());
  assertThrows(() => guests.nasty("nice"), Error, "nastyEdges");
});
