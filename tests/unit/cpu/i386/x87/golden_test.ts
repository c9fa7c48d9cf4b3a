/**
 * A checksum over generated cases that the library and a processor agreed on: holds the x87 to it on hosts that cannot
 * run the comparison (see tests/oracle/x87_test.ts, which also tells what a change of the checksum is about).
 */
import { assertEquals } from "../../../../../scripts/deps/std.ts";
import { makeCases } from "../../../../oracle/x87_native.ts";
import { OPERAND_AT, X87Machine } from "../../../../oracle/x87_machine.ts";

/** FNV-1a over state, EFLAGS and memory after each case. */
function checksum(seed: number, count: number): string {
  const machine = new X87Machine(), image = new DataView(new ArrayBuffer(112));
  const bytes = new Uint8Array(image.buffer);
  let hash = 0x811c9dc5;
  for (const c of makeCases(seed, count)) {
    machine.load(c.image, c.eflags);
    machine.bytes.set(c.memory, OPERAND_AT);
    machine.execute(c.row, c.modrm);
    machine.save(image);
    image.setUint32(108, machine.eflags, true);
    for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
    for (let n = 0; n < 16; n++) hash = Math.imul(hash ^ machine.bytes[OPERAND_AT + n], 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

Deno.test("x87: generated cases give the results that were compared with a processor", () => {
  assertEquals([checksum(1, 6000), checksum(2, 6000)], ["9ab7b2fd", "8310f3e1"]);
});
