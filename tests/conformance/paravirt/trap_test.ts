/** What `trap` keeps for a guest stays within bounds. */
import { trap } from "../../../mod.ts";
import { assert, assertEquals } from "../../../scripts/deps/std.ts";
import { rogue } from "./rogue.ts";

Deno.test("trap forgets its patched instructions when there are too many, as a translator empties its cache", () => {
  const ends = (["interpreter", "jit"] as const).map((engine) => {
    const backend = trap();
    const r = rogue(
      { make: () => backend, deprivileges: true, transparent: true },
      (k) => `
      mov edi, 0x500000
      mov ecx, 70000
      mov eax, 0x9d9c                   ; pushfd, popfd
      rep stosw
      mov byte [edi], 0xc3
      mov eax, 0x500000
      call eax
      ${k.store(0)}`,
      { engine },
    );
    assertEquals(r.stop.kind, "halt");
    const { "sites patched": sites = 0, "translations forgotten": forgotten } = backend.stats();
    assert(sites >= 70_000, `${sites}`);
    assertEquals(forgotten, 0x10000);
    return r.m.hash();
  });
  assertEquals(ends[0], ends[1]);
});
