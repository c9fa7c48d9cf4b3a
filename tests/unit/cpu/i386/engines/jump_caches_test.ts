/** The jump caches: two places for each EIP, found alike by TypeScript and by the code that is generated. */
import { JUMP_CACHES_BYTES, JumpCaches } from "../../../../../lib/cpu/i386/engines/interpreter/jump_caches.ts";
import { emitJumpEntry, jumpEntry } from "../../../../../lib/cpu/i386/engines/interpreter/jump_entry.ts";
import { interpreterSettings } from "../../../../../lib/cpu/i386/engines/interpreter/options.ts";
import { FunctionBody } from "../../../../../lib/wasm/body.ts";
import { ModuleBuilder } from "../../../../../lib/wasm/module.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

const AT = 0x10000, PAGES = AT / 0x10000 + JUMP_CACHES_BYTES / 0x10000;

/** Some EIPs of one first place. */
function rivals(count: number): number[] {
  const first = 0xc1000000 | 0, out = [first];
  for (let eip = (first + 1) | 0; out.length < count; eip++) if (jumpEntry(eip) === jumpEntry(first)) out.push(eip);
  return out;
}

/** Caches in a memory, and a generated function EIP -> record. */
function caches(): { jumps: JumpCaches; record: (eip: number) => number } {
  const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
  const m = new ModuleBuilder(), f = new FunctionBody(1), t = f.local("i32");
  m.importMemory("env", "memory", PAGES);
  emitJumpEntry(f, 0, t, AT, () => {});
  f.get(t);
  f.mem("i32.load", AT);
  f.get(0);
  f.num("i32.eq");
  f.if();
  f.get(t);
  f.mem("i32.load", AT + 4);
  f.return();
  f.end();
  f.i32(0);
  m.addFunction({ params: ["i32"], results: ["i32"] }, f, "record");
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.bytes()), { env: { memory } });
  return {
    jumps: new JumpCaches(memory, AT, interpreterSettings()),
    record: exports.record as (eip: number) => number,
  };
}

Deno.test("JumpCaches keeps two EIPs of one place; a third one takes the place of one of them", () => {
  const { jumps, record } = caches(), eips = rivals(3);
  jumps.remember(eips[0], 32, false, false);
  jumps.remember(eips[1], 64, false, false);
  assertEquals(eips.map(record), [32, 64, 0]);
  jumps.remember(eips[1], 96, false, false); // decoded anew
  assertEquals(eips.map(record), [32, 96, 0]);
  jumps.remember(eips[2], 128, false, false);
  assertEquals(record(eips[2]), 128);
  assertEquals([record(eips[0]), record(eips[1])].filter((r) => r !== 0).length, 1);
});

Deno.test("JumpCaches forgets jumps to pages that are not global in either place", () => {
  const { jumps, record } = caches(), [a, b] = rivals(2);
  jumps.remember(a, 32, false, false);
  jumps.remember(b, 64, false, true);
  jumps.forgetLocal();
  assertEquals([record(a), record(b)], [32, 0]);
  jumps.remember(b, 96, false, true);
  assertEquals([record(a), record(b)], [32, 96]);
  jumps.forget();
  assertEquals([record(a), record(b)], [0, 0]);
});
