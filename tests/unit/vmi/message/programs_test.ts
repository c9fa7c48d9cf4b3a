/** The classic programs against published values and plain loops. */
import { job, type JobOptions } from "../../../../lib/vmi/message/job.ts";
import { ep, EP_SUMS } from "../../../../lib/vmi/message/programs/ep.ts";
import { is } from "../../../../lib/vmi/message/programs/is.ts";
import {
  heat,
  matrixMultiply,
  matrixProduct,
  pingPong,
  ring,
  sampleSort,
} from "../../../../lib/vmi/message/programs/classic.ts";
import { power46, times46 } from "../../../../lib/vmi/message/programs/npb_random.ts";
import { Prng } from "../../../../lib/base/prng.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

async function run(ranks: number, program: JobOptions["program"], spec?: JobOptions["spec"]): Promise<unknown[]> {
  const result = await job({ ranks, program, ...(spec === undefined ? {} : { spec }) } as JobOptions).run();
  assertEquals(result.ranks.map((r) => [r.state, r.error]), new Array(ranks).fill(["done", undefined]));
  return result.ranks.map((r) => r.value);
}

Deno.test("times46() and power46() agree with big integers", () => {
  let x = 314159265;
  for (let i = 0; i < 1000; i++) {
    const want = (5n ** 13n * BigInt(x)) % 2n ** 46n;
    x = times46(5 ** 13, x);
    assertEquals(BigInt(x), want);
  }
  assertEquals(BigInt(power46(5 ** 13, 1000)), 5n ** 13000n % 2n ** 46n);
});

const COUNTS: ReadonlyMap<number, readonly number[]> = new Map([
  [16, [24010, 22707, 4297, 265, 6]],
  [18, [96200, 91230, 16950, 1056, 22]],
  [20, [384310, 366072, 68758, 4318, 103]],
]);

Deno.test("EP of the small sizes gives the expected sums and annuli on 1 to 8 ranks", async () => {
  for (const [m, annuli] of COUNTS) {
    for (const ranks of m === 20 ? [2] : [1, 3, 8]) {
      for (const r of await run(ranks, ep(m)) as { verified: boolean; annuli: number[] }[]) {
        assert(r.verified);
        assertEquals(r.annuli.slice(0, 5), annuli);
      }
    }
  }
  assert(EP_SUMS.has(24));
  assertThrows(() => ep(3), ConfigError);
});

Deno.test("EP class S verifies", async () => {
  const [r] = await run(2, ep(24)) as { verified: boolean }[];
  assert(r.verified, JSON.stringify(r));
});

Deno.test("IS class S verifies all 51 checks on 1, 2, 3, 4 and 8 ranks", async () => {
  for (const ranks of [1, 2, 3, 4, 8]) {
    for (const r of await run(ranks, is("S"))) assertEquals(r, { passed: 51, verified: true }, `${ranks} ranks`);
  }
});

Deno.test("IS class W verifies", async () => {
  for (const r of await run(2, is("W"))) assertEquals(r, { passed: 51, verified: true });
});

Deno.test("IS class S verifies through drop, duplicate and corrupt under reliable", async () => {
  const spec = {
    devices: {
      d: { module: "builtin:drop", parameters: { probability: 0.1 } },
      u: { module: "builtin:duplicate", parameters: { probability: 0.1 } },
      c: { module: "builtin:corrupt", parameters: { probability: 0.01 } },
    },
    chains: [{ name: "bad", layers: ["reliable", "checksum", "d", "u", "c", "loopback"] }],
  };
  for (const r of await run(4, is("S"), spec)) assertEquals(r, { passed: 51, verified: true });
});

Deno.test("heat gives the same sum and hash on any number of ranks", async () => {
  const cases = [[16, 10, 2172780, 3010691392], [64, 100, 23398176, 1575220480], [128, 1000, 130243928, 1656358528]];
  for (const [n, steps, sum, hash] of cases) {
    for (const ranks of n === 128 ? [3] : [1, 2, 5]) {
      assertEquals((await run(ranks, heat(n, steps)))[0], { sum, hash }, `${n} on ${ranks}`);
    }
  }
});

Deno.test("matrix multiplication agrees with plain loops", async () => {
  for (const [n, ranks] of [[20, 1], [33, 4], [60, 5]]) {
    assertEquals((await run(ranks, matrixMultiply(n)))[0], matrixProduct(n));
  }
});

Deno.test("sample sort keeps all keys and puts them in order", async () => {
  for (const ranks of [1, 2, 7]) {
    for (
      const r of await run(ranks, sampleSort(2000)) as {
        count: number;
        before: number;
        after: number;
        sorted: boolean;
        check: number;
      }[]
    ) {
      assertEquals([r.count, r.sorted, r.after], [2000 * ranks, true, r.before]);
      const all = Array.from({ length: ranks }, (_, k) => new Prng(k + 1)).flatMap((prng) =>
        Array.from({ length: 2000 }, () => prng.u32())
      );
      const want = Uint32Array.from(all).sort().reduce((sum, k, i) => (sum + Math.imul(i + 1, k)) >>> 0, 0);
      assertEquals(r.check, want);
    }
  }
});

Deno.test("ring and ping-pong", async () => {
  assertEquals((await run(5, ring(6)))[0], 60);
  assertEquals((await run(3, pingPong(1000, 10)))[0], 1000);
});
