/** Damaged snapshots: refused with the library's own error or run within their budget, and the machine is left as it was. */
import { type FieldValue, guests, MiB, pc, Snapshot, vmiPc } from "../../mod.ts";
import { ConfigError } from "../../lib/core/errors.ts";
import { Prng } from "../../lib/base/prng.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../scripts/deps/std.ts";

/** The guest that ships, ready: a board with all its devices in use. */
const m = vmiPc({ memory: 16 * MiB });
m.boot(guests.minikernel());
m.run({ until: m.serial.contains("ready"), instructions: 50_000_000 });
const good = m.snapshot();
const bytes = good.toBytes();
/** Behind the sections come the pages: a number and 4096 bytes each, which may hold anything. */
const pages = bytes.length - good.pages().size * 4100;

Deno.test("a snapshot with damaged bytes is refused or runs, and nothing is left of it", () => {
  const random = new Prng(0x5a4b);
  let refused = 0, ran = 0;
  for (let i = 0; i < 400; i++) {
    const bad = bytes.slice();
    for (let n = random.below(3); n >= 0; n--) {
      const at = random.below(pages);
      bad[at] = [0, 0xff, bad[at] ^ (1 << random.below(8)), random.below(256)][random.below(4)];
    }
    const here = m.hash();
    try {
      m.restore(Snapshot.fromBytes(bad));
    } catch (error) {
      assert(error instanceof ConfigError, `case ${i}: ${(error as Error).stack}`);
      assertEquals(m.hash(), here, `case ${i}: ${error.message}`);
      refused++;
      continue;
    }
    m.run({ instructions: 5000 });
    ran++;
    m.restore(good);
    assertEquals(m.hash(), good.hash(), `case ${i}`);
  }
  assert(refused > 100 && ran > 20, `${refused} refused, ${ran} ran`);
});

/** The snapshot with one section changed. */
function changed(name: string, change: (fields: { [name: string]: FieldValue }) => FieldValue | void): Snapshot {
  const sections = new Map(good.sections);
  const section = sections.get(name);
  assert(section !== undefined, name);
  const fields = structuredClone(section.fields) as { [name: string]: FieldValue };
  change(fields);
  sections.set(name, { version: section.version, fields });
  return new Snapshot(good.shape, sections, good.pages(), undefined);
}

Deno.test("a snapshot names the section that is wrong", () => {
  m.restore(good);
  const cases: readonly (readonly [Snapshot, string])[] = [
    [changed("cpu0", (f) => void delete f.eip), '"cpu0"'],
    [changed("cpu0", (f) => void (f.eflags = 0)), '"cpu0"'],
    [changed("pit", (f) => void (f.counters = [{}, {}, {}])), "is missing or of another kind"],
    [changed("cpu0", (f) => void (f.segments = null)), "cannot be loaded"],
    [changed("machine", (f) => void (f.a20 = "high")), '"machine"'],
  ];
  for (const [snapshot, text] of cases) {
    const { code, message } = assertThrows(() => m.restore(snapshot), ConfigError);
    assertEquals(code, "snapshot-corrupt");
    assertStringIncludes(message, text);
    assertEquals(m.hash(), good.hash());
  }
});

Deno.test("a snapshot of one machine is taken by another described alike, under every engine", () => {
  const hashes = (["reference", "interpreter", "jit"] as const).map((engine) => {
    const other = vmiPc({ memory: 16 * MiB, engine });
    other.restore(Snapshot.fromBytes(bytes));
    assertEquals(other.hash(), good.hash());
    other.run({ instructions: 5000 });
    return other.hash();
  });
  assertEquals(hashes, [hashes[0], hashes[0], hashes[0]]);
  assertStringIncludes(assertThrows(() => pc().restore(good), ConfigError).message, "of another machine");
});
