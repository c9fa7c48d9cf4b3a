/** The C library for guests: programs made by a real compiler run on emulated machines, and give what host-side ranks do. */
import { MESSAGE_C_PROGRAMS } from "../../../../lib/guests/message/c_programs.ts";
import { matrixProduct } from "../../../../lib/vmi/message/programs/classic.ts";
import { cluster, elf, job, sampleSort } from "../../../../mod.ts";
import { assertEquals } from "../../../../scripts/deps/std.ts";
import { compileGuest, gcc } from "./compile.ts";

/** Counts where the library's own collectives differ from the card's. */
const COLLECTIVES = `
#include "vmikit_message.h"
enum { WORDS = 300, MOST = 8 };
static msg_u32 mine[WORDS], theirs[WORDS], out[MOST * WORDS], in[MOST * WORDS], card[MOST * WORDS];

int msg_main(void) {
  msg_mesh();
  msg_u32 me = msg_self.rank, size = msg_self.size, bad = 0;
  for (msg_u32 round = 0; round < 3; round++) {
    for (msg_u32 i = 0; i < WORDS; i++) mine[i] = (me + 1) * 2654435761u + i * i + round;
    msg_allreduce(mine, theirs, sizeof mine, MSG_SUM | MSG_U32);
    msg_tree_sum(mine, WORDS);
    for (msg_u32 i = 0; i < WORDS; i++) bad += mine[i] != theirs[i];
    for (msg_u32 i = 0; i < size * WORDS; i++) out[i] = me * 1000000 + i;
    msg_collective(MSG_OP_ALLTOALL, 0, out, size * sizeof mine, card, sizeof card, 0);
    msg_tree_alltoall(out, in, sizeof mine);
    for (msg_u32 i = 0; i < size * WORDS; i++) bad += in[i] != card[i];
    for (msg_u32 root = 0; root < size; root++) {
      msg_u32 word = me == root ? 77 + root : 0;
      msg_tree_broadcast(root, &word, 4);
      bad += word != 77 + root;
    }
    /* A message of rank 3 that comes while the library waits for others is kept for rank 0. */
    if (me == 3) msg_send(0, &round, 4);
    msg_tree_sum(mine, WORDS);
    msg_u32 from, got = 0;
    if (me == 0 && size > 3) bad += msg_receive(&from, &got, 4) != 4 || from != 3 || got != round;
    msg_tree_barrier();
  }
  return (int)bad;
}
`;

/** Compiles a C program that ships, or the one above. */
function compile(name: keyof typeof MESSAGE_C_PROGRAMS | "collectives", flags: readonly string[]): Promise<Uint8Array> {
  const source = name === "collectives" ? COLLECTIVES : MESSAGE_C_PROGRAMS[name];
  return compileGuest(source, ["-mfpmath=387", ...flags]);
}

const skip = gcc.available ? "" : " (no 32-bit compiler here)";

Deno.test({
  name: `NPB EP in C verifies on 1, 2, 4 and 8 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const program = elf(await compile("ep", []));
    for (const nodes of [1, 2, 4, 8]) {
      const result = await cluster({ nodes, program }).run();
      assertEquals(result.ranks.map((r) => [r.value, r.error]), new Array(nodes).fill([51285, undefined]));
    }
  },
});

Deno.test({
  name: `NPB IS class S in C verifies all 51 checks on 1, 2, 4 and 8 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const program = elf(await compile("is", []));
    for (const nodes of [1, 2, 4, 8]) {
      const result = await cluster({ nodes, program }).run();
      assertEquals(result.ranks.map((r) => [r.value, r.error]), new Array(nodes).fill([51, undefined]));
    }
  },
});

Deno.test({
  name: `matrix multiplication and sort in C give what host-side ranks give, on 1, 3 and 8 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const [matrix, sort] = [elf(await compile("matrix", ["-DMATRIX_N=40"])), elf(await compile("sort", []))];
    const product = matrixProduct(40);
    for (const nodes of [1, 3, 8]) {
      const m = await cluster({ nodes, program: matrix }).run();
      const word = Number(BigInt.asUintN(32, BigInt(product.sum) + 31n * BigInt(product.trace)));
      assertEquals(m.ranks.map((r) => [(r.value as number) >>> 0, r.error]), new Array(nodes).fill([word, undefined]));
      const s = await cluster({ nodes, program: sort }).run();
      const { check } = (await job({ ranks: nodes, program: sampleSort(1000) }).run()).ranks[0].value as {
        check: number;
      };
      assertEquals(s.ranks.map((r) => [(r.value as number) >>> 0, r.error]), new Array(nodes).fill([check, undefined]));
    }
  },
});

Deno.test({
  name: `collectives of the C library agree with the card's, on 1, 2, 5 and 8 machines${skip}`,
  ignore: !gcc.available,
  async fn() {
    const program = elf(await compile("collectives", []));
    for (const nodes of [1, 2, 5, 8]) {
      const result = await cluster({ nodes, program }).run();
      assertEquals(result.ranks.map((r) => [r.value, r.error]), new Array(nodes).fill([0, undefined]));
    }
  },
});
