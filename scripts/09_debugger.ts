#!/usr/bin/env -S deno run --allow-net=127.0.0.1
/**
 * Lesson 9, the debugger: GDB attaches to a guest and goes forwards and backwards in it. The guest has a bug: its sum of
 * 1 to 10 is wrong. Start this, then GDB in another window, and find out where the sum goes wrong:
 *
 *   gdb -ex "target remote 127.0.0.1:1234"
 *   (gdb) continue                      the guest halts; its sum is at 0x9000
 *   (gdb) print *(int*)0x9000           57, not 55
 *   (gdb) watch *(int*)0x9000
 *   (gdb) reverse-continue              back to the last write
 *   (gdb) x/4i $eip                     what wrote it?
 *
 * Needs the network of this host only, for GDB to connect; another port may be given.
 */
import { asm, MiB, pc } from "../mod.ts";
import { serveGdb } from "../lib/host/mod.ts";

const m = pc({ memory: 4 * MiB });
m.load(
  0x7c00,
  asm`
    mov ecx, 10
  again:
    add [0x9000], ecx
    dec ecx
    jnz again
    add dword [0x9000], 2
    cli
    hlt
  `,
);

const server = serveGdb(m, {
  port: Number(Deno.args[0] ?? 1234),
  once: true,
  say: (text) => console.log(text),
});
console.log(`Waiting for GDB: target remote 127.0.0.1:${server.address.port}`);
await server.done;
console.log(`After ${m.cpu.instructions} instructions the sum is ${m.physical.peek32(0x9000)}.`);
