/**
 * Machines that run ahead of what they cannot notice: whatever they do, results, times, links and traces are those of
 * machines that do not.
 */
import { barrierGuest, heatGuest, pingPongGuest, ringGuest } from "../../../../lib/guests/message/programs.ts";
import { matrixGuest } from "../../../../lib/guests/message/matrix_program.ts";
import { sortGuest } from "../../../../lib/guests/message/sort_program.ts";
import { messageGuest } from "../../../../lib/guests/message/library.ts";
import { cluster, type ClusterOptions } from "../../../../lib/machine/message/cluster.ts";
import type { Program } from "../../../../lib/machine/program.ts";
import type { JobResult } from "../../../../lib/vmi/message/job.ts";
import type { LayerSpec, MessageSpec } from "../../../../lib/vmi/message/spec.ts";
import { assert, assertEquals, assertThrows } from "../../../../scripts/deps/std.ts";

const spec = (...layers: LayerSpec[]): MessageSpec => ({
  devices: {
    delay: { module: "builtin:delay", parameters: { latencyUs: 30, jitterUs: 20 } },
    // A spec with this one lets no machine run ahead.
    ...(layers.includes("loggp") ? { loggp: { module: "builtin:loggp", parameters: { preset: "myrinet-2000" } } } : {}),
  },
  chains: [{ name: "c", layers: ["trace", ...layers, "loopback"] }],
});

/** Looks at the card without waiting, and computes longer and longer between the looks. @param go Runs the entry. */
const poller = (go: string): Program =>
  messageGuest(`
    call msg_mesh
    mov eax, [msg_rank]
    inc eax
    xor edx, edx
    div dword [msg_size]
    mov eax, edx
    mov esi, msg_rank
    mov ecx, 4
    call msg_send
    xor ebp, ebp
    xor edi, edi
  .look:
    mov al, 0x60
    call msg_begin
    mov dword [msg_entry + e_address], msg_done
    mov dword [msg_entry + e_length], 32
    mov dword [msg_entry + e_paddress], behind
    mov dword [msg_entry + e_plength], 4
    mov eax, edi
    ${go}
    inc ebp
    mov ecx, ebp
  .work:
    loop .work
    cmp byte [msg_done], 0x82
    jne .look
    call msg_time
    add eax, ebp
    add eax, edi
    call msg_exit
  `);

const PROGRAMS = {
  ring: ringGuest(5),
  barrier: barrierGuest(4),
  ping: pingPongGuest(3000, 6),
  heat: heatGuest(16, 10),
  matrix: matrixGuest(24),
  sort: sortGuest(200),
  poll: poller("call msg_go"),
  vmcall: poller("mov eax, 0x564d0060\n mov ebx, msg_entry\n vmcall\n add edi, eax"),
};

type Outcome = Pick<JobResult, "ranks" | "time" | "log" | "links" | "trace">;

async function outcome(options: ClusterOptions, untilNs?: number, kill?: number): Promise<Outcome> {
  const c = cluster(options);
  if (kill !== undefined) c.kill(1, kill);
  const { ranks, time, log, links, trace } = await c.run(untilNs === undefined ? {} : { untilNs });
  return { ranks, time, log, links, trace };
}

for (const [name, program] of Object.entries(PROGRAMS)) {
  Deno.test(`machines of ${name} end alike whether they run ahead or not`, async () => {
    for (const layers of [["credit"], ["delay"], ["loggp"]]) {
      const options = { nodes: name === "ping" ? 2 : 3, program, spec: spec(...layers) };
      const plain = await outcome({ ...options, ahead: false });
      assert(plain.ranks.every((r) => r.state === "done"), JSON.stringify(plain.ranks));
      assertEquals(await outcome(options), plain, `${name} over ${layers}`);
      if (layers[0] !== "credit") continue;
      // Cut short, and with a rank that dies.
      for (const part of [0.3, 0.8]) {
        const at = Math.floor(plain.time * part);
        assertEquals(await outcome(options, at), await outcome({ ...options, ahead: false }, at), `${name} to ${at}`);
        const kill = [at * 2, at] as const;
        assertEquals(await outcome(options, ...kill), await outcome({ ...options, ahead: false }, ...kill));
      }
    }
  });
}

Deno.test("cluster() refuses an ahead that is neither true nor false", () => {
  const ahead = 1 as unknown as boolean;
  assertThrows(() => cluster({ nodes: 1, program: ringGuest(1), ahead }), Error, "ahead must be true or false, not 1");
});
