import { assertEquals } from "../../../scripts/deps/std.ts";
import { irqHub } from "../../../lib/device/irq_hub.ts";
import { vgaText } from "../../../lib/device/vga_text.ts";
import { FakeHost } from "./fake_host.ts";

Deno.test("vgaText: text, scrolled start and cursor; state survives save and load", () => {
  const host = new FakeHost();
  const vga = host.add(vgaText());
  for (const [i, c] of [..."Hello"].entries()) host.writeMmio(0xb8000 + 160 + 2 * i, c.charCodeAt(0) | 0x700, 16);
  assertEquals(vga.text().length, 25);
  assertEquals(vga.text()[1]?.trimEnd(), "Hello");
  for (const [i, v] of [[12, 0], [13, 80], [14, 0], [15, 85]] as const) {
    host.out(0x3d4, i);
    host.out(0x3d5, v);
  }
  assertEquals(vga.text()[0]?.trimEnd(), "Hello");
  assertEquals(vga.cursor, { row: 0, column: 5, visible: true });
  const copy = new FakeHost().add(vgaText());
  copy.load(vga.save());
  assertEquals(copy.text(), vga.text());
  assertEquals(copy.save(), vga.save());
});

Deno.test("irqHub: shared lines are joined, line 0 reaches pins 2 and 0", () => {
  const seen: string[] = [];
  const sink = (name: string) => ({
    line: (n: number) => ({ set: (l: boolean) => void seen.push(`${name}${n} ${l}`) }),
  });
  const hub = irqHub(sink("pic"), sink("io"));
  const a = hub.irq(0);
  const b = hub.irq(0);
  a.set(true);
  b.set(true);
  a.set(false);
  b.set(false);
  const [up, down] = [["pic0 true", "io2 true", "io0 true"], ["pic0 false", "io2 false", "io0 false"]];
  assertEquals(
    seen,
    [...up, ...down, ...up, ...down],
    "a second source gives a new edge, the line falls with the last",
  );
});
