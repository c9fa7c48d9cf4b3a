#!/usr/bin/env -S deno run
/**
 * Lesson 21, what ranks can do besides sending: lend memory to a peer, write into it and read from it, hear of it, and
 * work together in collective operations. Needs no permission.
 */
import { expect, job } from "../mod.ts";

const result = await job({
  ranks: 4,
  program: async (rank) => {
    await rank.mesh();

    // Every rank lends a board of four words to every other; each writes its square into the others' boards.
    const board = new Uint32Array(rank.size);
    const mine = rank.register(new Uint8Array(board.buffer));
    const square = rank.register(new Uint8Array(Uint32Array.of(rank.rank ** 2).buffer));
    let written = 0;
    for (let peer = 0; peer < rank.size; peer++) {
      if (peer === rank.rank) continue;
      const connection = rank.to(peer);
      connection.onPublish((remote) => {
        const local = [{ region: square, offset: 0, length: 4 }];
        connection.put({ local, remote, remoteOffset: 4 * rank.rank, notify: true });
      });
      connection.onPut((size, context) => {
        expect([size, context]).toEqual([4, 7]);
        written++;
      });
      connection.publish(mine, { context: 7 });
    }
    board[rank.rank] = rank.rank ** 2;
    await rank.until(() => written === rank.size - 1);

    // All boards are alike now: the sum over all ranks is size times one board.
    const [sum] = await rank.all.allreduce(Uint32Array.of(board.reduce((a, b) => a + b)));
    const longest = await rank.all.allreduce(Float64Array.of(rank.now), "max");
    return { board: [...board], sum, longest: longest[0] };
  },
}).run();

for (const { rank, value, error } of result.ranks) {
  expect(error).toBe(undefined);
  const { board, sum } = value as { board: number[]; sum: number };
  expect(board).toEqual([0, 1, 4, 9]);
  expect(sum).toBe(4 * 14);
  console.log(`rank ${rank} has ${board.join(" ")}`);
}
console.log(`All boards are alike after ${result.time} ns.`);
