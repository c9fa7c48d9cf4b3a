/** Comparing state blocks word by word, quickly: a test looks at many. */
import { Layout } from "../../../../../lib/cpu/i386/state.ts";
import { assertEquals } from "../../../../../scripts/deps/std.ts";

/** Word numbers of fields that only an engine or the TypeScript functions use. */
const IGNORED: ReadonlySet<number> = new Set(
  [
    ...[Layout.fop, Layout.fip, Layout.fcs, Layout.fdp, Layout.fds],
    ...[Layout.flagsKind, Layout.flagsA, Layout.flagsB, Layout.flagsC],
    ...Array.from({ length: 16 }, (_, n) => Layout.fpScratch + 4 * n),
  ].map((at) => at >>> 2),
);

/** Throws unless all words are equal. */
export function assertSame(a: Int32Array, b: Int32Array, what: string): void {
  for (let n = 0; n < a.length; n++) {
    if (a[n] !== b[n]) assertEquals(a[n] >>> 0, b[n] >>> 0, `${what}: byte offset 0x${(4 * n).toString(16)}`);
  }
}

/** Throws unless two state blocks are equal in what an instruction itself changes. */
export function assertSameState(a: Int32Array, b: Int32Array, what: string): void {
  for (let n = 0; n < a.length; n++) {
    if (a[n] === b[n] || IGNORED.has(n)) continue;
    assertEquals(a[n] >>> 0, b[n] >>> 0, `${what}: state at 0x${(4 * n).toString(16)}`);
  }
}
