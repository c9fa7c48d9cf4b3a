/**
 * Executes one instruction, given as bytes, on a {@linkcode FakeContext}: decoder, tree, evaluator. For tests of trees.
 */
import { decode, Decoded, DecodeStatus } from "../../../../lib/cpu/i386/decode.ts";
import { enter } from "../../../../lib/cpu/i386/enter.ts";
import { evaluate } from "../../../../lib/cpu/i386/evaluate.ts";
import { readEflags } from "../../../../lib/cpu/i386/flags.ts";
import { opcodeIndex } from "../../../../lib/cpu/i386/opcode_index.ts";
import { Operation } from "../../../../lib/cpu/i386/operation.ts";
import { Layout, ModeBit } from "../../../../lib/cpu/i386/state.ts";
import { treeFor } from "../../../../lib/cpu/i386/trees.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { FAKE_MODEL, type FakeContext } from "./fake_context.ts";

const decoded: Decoded = new Decoded();

/** Executes; EIP moves as in an engine. A guest fault is thrown and leaves EIP. */
export function step(c: FakeContext, bytes: readonly number[]): void {
  const s = c.state, d = decoded;
  const padded = Uint8Array.from([...bytes, ...new Array(15).fill(0)]);
  const is32 = (s.get(Layout.mode) & ModeBit.code32) !== 0;
  assertEquals(decode(padded, 0, 15, is32, opcodeIndex(FAKE_MODEL.features), d), DecodeStatus.ok);
  assertEquals(d.length, bytes.length, "length");
  const op = Operation.copy(c, d, d.length);
  c.nextEip = (s.get(Layout.eip) + d.length) >>> 0;
  if (d.row.sem === "enter") enter(c, op);
  else {
    const rep = d.row.rep === undefined ? 0 : d.rep;
    const stack = (s.get(Layout.mode) & ModeBit.stack32) !== 0 ? 32 : 16;
    evaluate(c, op, treeFor(d.rowIndex, d.isMem, d.opSize, d.addrSize, rep, stack));
  }
  s.set(Layout.eip, c.nextEip);
}

/** Executes until EIP moves on: for repeated string instructions. @returns Number of executions. */
export function stepAll(c: FakeContext, bytes: readonly number[]): number {
  const from = c.state.get(Layout.eip);
  for (let n = 1; n < 10000; n++) {
    step(c, bytes);
    if (c.state.get(Layout.eip) !== from) return n;
  }
  throw new Error("The instruction does not end");
}

/** Registers, EIP and EFLAGS, for comparing before and after. */
export function registers(c: FakeContext): number[] {
  const s = c.state;
  return [...Array(8).keys()].map((n) => s.reg32(n) >>> 0).concat(s.get(Layout.eip) >>> 0, readEflags(s));
}
