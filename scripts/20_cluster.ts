#!/usr/bin/env -S deno run
/**
 * Lesson 20, a cluster: three emulated machines with memories of their own pass a token around; a fourth rank is not a
 * machine but a function. They share nothing but messages. Needs no permission.
 */
import { cluster, expect, messageGuest } from "../mod.ts";

// The message library stands behind every guest program: msg_mesh connects all pairs, msg_receive waits.
const machine = messageGuest(`
  call msg_mesh
  mov edi, token        ; wait for the token
  mov ecx, 4
  call msg_receive
  mov eax, [msg_rank]
  inc eax
  add [token], eax      ; add one more than the rank
  mov esi, token        ; pass it on
  mov ecx, 4
  call msg_send
  mov eax, [token]
  jmp msg_exit
token: dd 0
`);

const job = cluster({
  nodes: 4,
  program: [machine, machine, machine, async (rank) => {
    await rank.mesh();
    rank.to(0).sendInline(Uint8Array.of(100, 0, 0, 0));
    const { data, source } = await rank.receive();
    return { token: data[0], from: source, at: rank.now };
  }],
});
const result = await job.run();

expect(result.ranks.map((r) => r.state)).toEqual(["done", "done", "done", "done"]);
for (const r of result.ranks) console.log(`rank ${r.rank} ended at ${r.time} ns with ${JSON.stringify(r.value)}`);
const last = result.ranks[3].value as { token: number; from: number; at: number };
expect(last.token).toBe(100 + 1 + 2 + 3);
console.log(`Machine 2 executed ${job.machine(2).cpu.instructions} instructions.`);

// Time is virtual: the same job takes the same time again, to the nanosecond.
expect(last.at).toBe(result.ranks[3].time);
console.log(`The token came back as ${last.token}.`);
