/** Emulated machines in one job: the guest library, the programs, and time. */
import { cluster } from "../../../../lib/machine/message/cluster.ts";
import { messageGuest } from "../../../../lib/guests/message/library.ts";
import { barrierGuest, heatGuest, pingPongGuest, ringGuest } from "../../../../lib/guests/message/programs.ts";
import type { JobResult } from "../../../../lib/vmi/message/job.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { asm } from "../../../../mod.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../../scripts/deps/std.ts";

function values(result: JobResult): unknown[] {
  assertEquals(result.ranks.map((r) => [r.state, r.error]), result.ranks.map(() => ["done", undefined]));
  return result.ranks.map((r) => r.value);
}

for (const nodes of [2, 3, 5]) {
  Deno.test(`ring guest: ${nodes} machines pass a token`, async () => {
    const result = await cluster({ nodes, program: ringGuest(7) }).run();
    assertEquals(values(result)[0], 7 * (nodes * (nodes - 1)) / 2);
  });
}

Deno.test("barrier guest: machines of different speed pass the same number of barriers", async () => {
  assertEquals(values(await cluster({ nodes: 4, program: barrierGuest(10) }).run()), [10, 10, 10, 10]);
});

Deno.test("ping-pong guest: half a round trip is the network's latency and a little code", async () => {
  const run = async (latencyNs: number): Promise<number> => {
    const spec = {
      devices: { net: { module: "builtin:loopback", parameters: { latencyNs } } },
      chains: [{ name: "c", layers: ["net"] }],
    };
    const [half] = values(await cluster({ nodes: 2, program: pingPongGuest(64, 50), spec }).run());
    return Number(half);
  };
  const [near, far] = [await run(1000), await run(50_000)];
  assert(near > 1000 && near < 3000, `${near} ns`);
  assertEquals(far - near, 49_000);
});

const HEAT: readonly (readonly [n: number, steps: number, sum: number])[] = [[16, 10, 2172780], [64, 100, 23398176]];

for (const [n, steps, sum] of HEAT) {
  Deno.test(`heat guest: ${n} x ${n} cells after ${steps} steps sum to ${sum} on any number of machines`, async () => {
    for (const nodes of [1, 2, 4]) {
      const result = await cluster({ nodes, program: heatGuest(n, steps) }).run();
      assertEquals(values(result), new Array(nodes).fill(sum), `${nodes} nodes`);
    }
  });
}

Deno.test("a cluster repeats exactly, on each engine alike", async () => {
  const run = async (engine: "reference" | "interpreter" | undefined): Promise<unknown> => {
    const c = cluster({
      nodes: 3,
      program: ringGuest(3),
      ...(engine === undefined ? {} : { engine }),
      spec: {
        devices: { see: { module: "builtin:trace" } },
        chains: [{ name: "c", layers: ["see", "credit", "loopback"] }],
      },
    });
    const result = await c.run();
    values(result);
    return { result, hashes: [0, 1, 2].map((r) => c.machine(r).cpu.instructions) };
  };
  const first = await run(undefined);
  assertEquals(await run(undefined), first);
  assertEquals(await run("reference"), first);
  assertEquals(await run("interpreter"), first);
});

Deno.test("a machine and a host-side program talk in one job", async () => {
  const guest = messageGuest(`
  call msg_mesh
again:
  mov edi, buffer
  mov ecx, 64
  call msg_receive
  test eax, eax
  jz over
  ; answer with each byte plus one
  mov ecx, eax
  mov esi, buffer
.each:
  inc byte [esi + ecx - 1]
  loop .each
  mov ecx, eax
  mov eax, ebx
  call msg_send
  jmp again
over:
  mov esi, text
  mov ecx, 3
  call msg_log
  mov eax, 77
  jmp msg_exit
text: db "bye"
buffer: times 64 db 0
`);
  const result = await cluster({
    nodes: 2,
    program: [guest, async (rank) => {
      await rank.mesh();
      rank.to(0).sendInline(Uint8Array.of(1, 2, 3));
      const { data } = await rank.receive();
      rank.to(0).sendInline(new Uint8Array(0));
      return [...data];
    }],
  }).run();
  assertEquals(values(result), [77, [2, 3, 4]]);
  assertEquals(result.log, ["rank 0: bye"]);
});

Deno.test("guests that halt, abort or crash are told apart", async () => {
  const result = await cluster({
    nodes: 4,
    program: [
      asm`
        mov eax, 5
        cli
        hlt`,
      messageGuest("mov al, 0x65\ncall msg_begin\nmov dword [msg_entry + e_context], 9\ncall msg_go\nhlt"),
      asm`ud2`,
      asm`
        sti
        hlt`,
    ],
  }).run();
  assertEquals(result.ranks.map((r) => r.state), ["done", "failed", "failed", "blocked"]);
  assertStringIncludes(result.ranks[1].error ?? "", "code 9");
  assertStringIncludes(result.ranks[2].error ?? "", "fault");
});

Deno.test("cluster() says what is wrong", () => {
  const program = ringGuest(1);
  const cases: [() => unknown, string][] = [
    [() => cluster({ nodes: 2, program: [program] }), "1 programs for 2 nodes"],
    [() => cluster({ nodes: 2, program, time: "real" }), "virtual time"],
    [() => cluster({ nodes: 2, program, memory: 5 }), "memory must be"],
    [() => cluster({ nodes: 2, program, speed: 1 } as never), 'Unknown key "speed"'],
    [() => cluster({ nodes: 1, program: () => {} }).machine(0), "host-side program"],
    [() => heatGuest(3, 1), "n must be"],
  ];
  for (const [make, text] of cases) assertStringIncludes(assertThrows(make, ConfigError).message, text);
});
