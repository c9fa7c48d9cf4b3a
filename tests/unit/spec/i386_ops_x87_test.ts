/** The x87 rows: no encoding twice, none without a function, reserved ones absent. */
import { assertEquals } from "../../../scripts/deps/std.ts";
import { X87_FNS } from "../../../lib/cpu/i386/x87/index.ts";
import type { OpRow } from "../../../lib/spec/i386_op_row.ts";
import { X87_ROWS } from "../../../lib/spec/i386_ops_x87.ts";

function matches(row: OpRow, opcode: number, modrm: number): boolean {
  if (row.opcode !== opcode) return false;
  if (row.modrm !== undefined) return row.modrm === modrm;
  return row.digit === ((modrm >>> 3) & 7) && (row.mod === "mem") === (modrm < 0xc0);
}

Deno.test("X87_ROWS: every encoding has at most one row, reserved ones have none", () => {
  const reserved: string[] = [];
  for (let opcode = 0xd8; opcode <= 0xdf; opcode++) {
    for (let modrm = 0; modrm < 256; modrm++) {
      const rows = X87_ROWS.filter((row) => matches(row, opcode, modrm));
      if (rows.length > 1) assertEquals(rows.map((row) => row.mnemonic), [], `${opcode} ${modrm}`);
      if (rows.length === 0 && (modrm < 0x40 ? (modrm & 7) === 0 : modrm >= 0xc0)) {
        reserved.push(((opcode << 8) | modrm).toString(16));
      }
    }
  }
  const eight = (first: number) => Array.from({ length: 8 }, (_, n) => (first + n).toString(16));
  assertEquals(reserved, [
    "d908",
    ...Array.from({ length: 7 }, (_, n) => (0xd9d1 + n).toString(16)),
    ..."d9e2 d9e3 d9e6 d9e7 d9ef".split(" "),
    ...[...eight(0xdae0), ...eight(0xdae8), ...eight(0xdaf0), ...eight(0xdaf8)].filter((e) => e !== "dae9"),
    ..."db08 db20 db30 dbe5 dbe6 dbe7".split(" "),
    ...eight(0xdbf8),
    ..."dd08 dd28".split(" "),
    ...[...eight(0xddf0), ...eight(0xddf8)],
    ...eight(0xded8).filter((e) => e !== "ded9"),
    "df08",
    ...eight(0xdfe0).filter((e) => e !== "dfe0"),
    ...eight(0xdff8),
  ]);
});

Deno.test("X87_ROWS: every sem has a function", () => {
  assertEquals(X87_ROWS.filter((row) => X87_FNS[row.sem] === undefined).map((row) => row.sem), []);
});
