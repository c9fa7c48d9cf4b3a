/** Emulated machines in one job: the guest library, the programs, and time. */
import { cluster, type ClusterOptions } from "../../../../lib/machine/message/cluster.ts";
import { clusterSplit, ringEnds } from "../../../conformance/message/split.ts";
import { messageGuest } from "../../../../lib/guests/message/library.ts";
import { barrierGuest, heatGuest, pingPongGuest, ringGuest } from "../../../../lib/guests/message/programs.ts";
import type { JobResult } from "../../../../lib/vmi/message/job.ts";
import { ConfigError } from "../../../../lib/core/errors.ts";
import { hostClock } from "../../../../lib/host/message/clock.ts";
import { matrixProduct } from "../../../../lib/vmi/message/programs/classic.ts";
import { asm, job, type Machine, matrixGuest, type NodeProgram, pc, sampleSort, sortGuest } from "../../../../mod.ts";
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

Deno.test("matrix and sort guests give what host-side ranks give, on 1 to 8 machines", async () => {
  for (const [n, nodes] of [[1, 1], [17, 3], [64, 8], [3, 5]]) {
    const { sum, trace } = matrixProduct(n);
    const word = Number(BigInt.asUintN(32, BigInt(sum) + 31n * BigInt(trace)));
    const got = values(await cluster({ nodes, program: matrixGuest(n) }).run());
    assertEquals(got.map((v) => (v as number) >>> 0), new Array(nodes).fill(word), `${n} on ${nodes}`);
  }
  for (const [count, nodes] of [[1, 1], [1, 3], [500, 2], [2000, 8]]) {
    const [want] = values(await job({ ranks: nodes, program: sampleSort(count) }).run()) as { check: number }[];
    const got = values(await cluster({ nodes, program: sortGuest(count) }).run());
    assertEquals(got.map((v) => (v as number) >>> 0), new Array(nodes).fill(want.check), `${count} on ${nodes}`);
  }
  assertThrows(() => matrixGuest(257), ConfigError, "n must be");
  assertThrows(() => sortGuest(0), ConfigError, "count must be");
});

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

Deno.test("machines that meet before they take what was sent to them do meet, and lose nothing", async () => {
  const program = messageGuest(`
  call msg_mesh
  mov ebp, 300
  cmp dword [msg_rank], 0
  jne meet
send:
  mov [cell], ebp
  mov eax, 1
  mov esi, cell
  mov ecx, 4
  call msg_send
  test eax, eax
  jnz bad
  dec ebp
  jnz send
meet:
  call msg_barrier
  xor eax, eax
  cmp dword [msg_rank], 1
  jne msg_exit
  mov ebp, 300
take:
  mov edi, cell
  mov ecx, 4
  call msg_receive
  cmp [cell], ebp
  jne bad
  dec ebp
  jnz take
  mov eax, 77
  jmp msg_exit
bad:
  mov eax, -1
  jmp msg_exit
cell: dd 0
`);
  const result = await cluster({ nodes: 3, program }).run();
  assertEquals(result.ranks.map((r) => [r.state, r.value, r.error]), [0, 77, 0].map((n) => ["done", n, undefined]));
});

Deno.test("collectives of the guest library agree with the card's, on 1 to 9 machines", async () => {
  // Sums of (rank + 1) and its square by both ways, a broadcast from every rank, and barriers before and after.
  const program = messageGuest(`
  call msg_mesh
  mov ebp, [msg_rank]
  inc ebp
  mov [mine], ebp
  imul eax, ebp, 3
  mov [mine + 4], eax
  call msg_tree_barrier
  mov esi, mine
  mov edi, theirs
  mov ecx, 8
  mov eax, 0x100
  call msg_allreduce
  mov edi, mine
  mov ecx, 8
  call msg_tree_sum
  mov eax, [mine]
  cmp eax, [theirs]
  jne bad
  mov eax, [mine + 4]
  cmp eax, [theirs + 4]
  jne bad
  xor ebx, ebx
  xor ebp, ebp
each:
  mov eax, [msg_rank]
  imul eax, 7
  inc eax
  mov [word_], eax
  mov edi, word_
  mov ecx, 4
  call msg_tree_broadcast
  add ebp, [word_]
  call msg_tree_barrier
  inc ebx
  cmp ebx, [msg_size]
  jb each
  ; a message of rank 3 that comes while the library waits for others is kept for rank 0
  cmp dword [msg_rank], 3
  jne no_sender
  xor eax, eax
  mov esi, mine
  mov ecx, 4
  call msg_send
no_sender:
  mov edi, theirs
  mov ecx, 8
  call msg_tree_sum
  cmp dword [msg_rank], 0
  jne alone
  cmp dword [msg_size], 4
  jb alone
  mov edi, word_
  mov ecx, 4
  call msg_receive
  cmp eax, 4
  jne bad
  cmp ebx, 3
  jne bad
  mov eax, [word_]
  cmp eax, [mine]
  jne bad
alone:
  call msg_tree_barrier
  mov eax, ebp
  jmp msg_exit
bad:
  mov eax, 0xbad
  jmp msg_exit
mine: dd 0, 0
theirs: dd 0, 0
word_: dd 0
`);
  for (const nodes of [1, 2, 3, 4, 7, 9]) {
    const want = 7 * ((nodes * (nodes - 1)) / 2) + nodes;
    assertEquals(values(await cluster({ nodes, program }).run()), new Array(nodes).fill(want), `${nodes}`);
  }
});

Deno.test("a machine that sends over loggp loses the overhead, on one part and on two alike", async () => {
  const program = messageGuest(`
  call msg_mesh
  call msg_barrier
  mov ebp, 20
  cmp dword [msg_rank], 1
  je take
  call msg_time
  mov ebx, eax
again:
  mov eax, 1
  mov esi, msg_rank
  mov ecx, 4
  call msg_send
  dec ebp
  jnz again
  call msg_time
  sub eax, ebx
  jmp msg_exit
take:
  mov edi, where
  mov ecx, 4
  call msg_receive
  dec ebp
  jnz take
  xor eax, eax
  jmp msg_exit
where: dd 0`);
  const run = (o: number, net: string): ClusterOptions => ({
    nodes: 2,
    program,
    spec: {
      devices: { model: { module: "builtin:loggp", parameters: { L: 5, o, g: 0.1, G: 0.1 } } },
      chains: [{ name: "c", layers: ["model", net] }],
    },
  });
  const [free] = values(await cluster(run(0, "loopback")).run()) as number[];
  const paid = await cluster(run(2, "loopback")).run();
  const more = Number(paid.ranks[0].value) - free;
  // Twenty sends; the clock reads in ticks of 10 ns.
  assert(more >= 20 * 2000 - 200 && more <= 20 * 2000 + 2400, `${more} ns`);
  const split = await clusterSplit(run(2, "worker"), ringEnds(2));
  assertEquals(JSON.stringify(split.ranks), JSON.stringify(paid.ranks));
});

Deno.test("a node's snapshot is taken back before the job began, and refused loudly once it has", async () => {
  const c = cluster({ nodes: 2, program: ringGuest(3) });
  const fresh = c.machine(0).snapshot();
  c.machine(0).restore(fresh);
  let midway: ReturnType<Machine["snapshot"]> | undefined;
  let said = "";
  c.at(3000, () => {
    midway = c.machine(0).snapshot();
    for (const s of [midway, fresh]) {
      const error = assertThrows(() => c.machine(0).restore(s), ConfigError);
      assertEquals(error.code, "message-snapshot");
      said = error.message;
    }
  });
  assertEquals(values(await c.run())[0], 3); // and the refusal has changed nothing
  assertStringIncludes(said, "cannot be restored once it has used its message card");
  assert(midway !== undefined);
});

Deno.test("machines in real time: the same results, on the host's clock", async () => {
  const clock = hostClock();
  const real = (nodes: number, program: NodeProgram | NodeProgram[]): Promise<JobResult> =>
    cluster({ nodes, program, time: "real", clock }).run({ untilNs: 60e9 });
  assertEquals((await real(4, ringGuest(7))).ranks.map((r) => [r.state, r.value])[0], ["done", 42]);
  assertEquals((await real(3, barrierGuest(5))).ranks.map((r) => r.value), [5, 5, 5]);
  const heat = (await real(3, heatGuest(16, 10))).ranks[0];
  assertEquals([heat.state, (heat.value as number) >>> 0], ["done", 2172780]);
  const [ping] = (await real(2, pingPongGuest(8, 20))).ranks;
  assert(Number(ping.value) > 0 && ping.time > 40 * Number(ping.value), `${ping.value} ns, ${ping.time} ns`);
});

Deno.test("a machine in real time that waits until a deadline or halts until its timer takes the host's time", async () => {
  const deadline = messageGuest(`
  call msg_init
  call msg_time
  mov ebx, eax
  mov al, 0x61
  call msg_begin
  mov dword [msg_entry + e_address], msg_done
  mov dword [msg_entry + e_length], 32
  mov dword [msg_entry + e_offset], 30000000
  call msg_go
  mov esi, [msg_done]
  call msg_time
  sub eax, ebx
  cmp esi, 1
  sbb edx, edx
  and eax, edx
  jmp msg_exit`);
  // Nine ticks of the PC's timer, which come every 10 ms.
  const timer = messageGuest(`
  jmp begin
handler:
  inc dword [ticks]
  push eax
  mov al, 0x20
  out 0x20, al
  pop eax
  iret
align 8
gdt: dq 0, 0x00cf9a000000ffff, 0x00cf92000000ffff
the_gdtr: dw 23
  dd gdt
the_idtr: dw 0x20 * 8 + 7
  dd idt
ticks: dd 0
align 8
idt: times 0x21 dq 0
begin:
  lgdt [the_gdtr]
  lidt [the_idtr]
  mov eax, handler
  mov [idt + 0x20 * 8], ax
  mov word [idt + 0x20 * 8 + 2], cs
  mov word [idt + 0x20 * 8 + 4], 0x8e00
  shr eax, 16
  mov [idt + 0x20 * 8 + 6], ax
  mov al, 0x11
  out 0x20, al
  mov al, 0x20
  out 0x21, al
  mov al, 4
  out 0x21, al
  mov al, 1
  out 0x21, al
  mov al, 0xfe
  out 0x21, al
  mov al, 0x34
  out 0x43, al
  mov al, 0x9c
  out 0x40, al
  mov al, 0x2e
  out 0x40, al
  call msg_time
  mov ebx, eax
wait:
  sti
  hlt
  cli
  cmp dword [ticks], 9
  jb wait
  call msg_time
  sub eax, ebx
  jmp msg_exit`);
  const result = await cluster({
    nodes: 2,
    program: [deadline, timer],
    time: "real",
    clock: hostClock(),
    at: 0x200000, // the stack below must be RAM
    machine: (_rank, card) => pc({ memory: 4 << 20, cards: [card] }),
  }).run({ untilNs: 60e9 });
  assertEquals(result.ranks.map((r) => [r.state, r.error]), [["done", undefined], ["done", undefined]]);
  const [waited, ticked] = result.ranks.map((r) => Number(r.value));
  assert(waited >= 30e6, `${waited} ns`);
  assert(ticked >= 75e6, `${ticked} ns`); // a tick may be early by a piece of a run
});

Deno.test("cluster() says what is wrong", () => {
  const program = ringGuest(1);
  const cases: [() => unknown, string][] = [
    [() => cluster({ nodes: 2, program: [program] }), "1 programs for 2 nodes"],
    [() => cluster({ nodes: 2, program, memory: 5 }), "memory must be"],
    [() => cluster({ nodes: 2, program, speed: 1 } as never), 'Unknown key "speed"'],
    [() => cluster({ nodes: 1, program: () => {} }).machine(0), "host-side program"],
    [() => cluster({ nodes: 2, program: [program, 3] } as never), "program[1] must be"],
    [() => cluster({ nodes: 2, program, machine: 3 } as never), "machine must be a function"],
    [() => heatGuest(3, 1), "n must be"],
  ];
  for (const [make, text] of cases) assertStringIncludes(assertThrows(make, ConfigError).message, text);
});
