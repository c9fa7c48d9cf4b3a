/**
 * The numbered lessons in scripts/: each runs as a person would run it, with exactly the permissions of its first line.
 */
import { assert, assertEquals, assertStringIncludes, fromFileUrl } from "../scripts/deps/std.ts";
import { guestSync } from "./guests/guest.ts";
import { busyboxInitrd } from "./guests/initrd.ts";

const FOLDER = fromFileUrl(new URL("../scripts/", import.meta.url));
const SHEBANG = "#!/usr/bin/env -S deno run";

/** Runs a lesson with the flags of its first line. */
async function lesson(name: string, ...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [first] = Deno.readTextFileSync(FOLDER + name).split("\n", 1);
  assert(first === SHEBANG || first.startsWith(`${SHEBANG} --`), `first line of ${name}: ${first}`);
  const flags = first.slice(SHEBANG.length).split(" ").filter((flag) => flag !== "");
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, FOLDER + name, ...args],
    env: { NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

const LESSONS: readonly (readonly [string, string])[] = [
  ["01_first_script.ts", "The sum is 55; it took 34 instructions.\n"],
  ["02_ports_and_hooks.ts", "The guest printed: hello! world\n"],
  ["03_interrupts_and_time.ts", "interrupts in a tenth of a second"],
  ["04_paging_and_faults.ts", "The handler mapped it: "],
  ["05_snapshots.ts", "Back, and the same way again: "],
  ["06_hypercalls.ts", "Injected GetCycleFrequency: 100000000 cycles a second.\n"],
  ["08_several_cpus.ts", "Twice the same, to the last bit.\n"],
  ["10_processes.ts", "The hypervisor saw 5 address spaces come and go"],
  ["11_system_calls.ts", "hardware, SYSENTER: nothing leaves the guest\n"],
  ["12_lazy_updates.ts", "The guest said the same both times.\n"],
  ["13_broken_hypervisor.ts", "One update refused: the run ends as killed, at SetPxE.\n"],
  ["14_kvm_guest.ts", "Injected CLOCK_PAIRING: 1767225600 seconds since 1970.\n"],
  ["15_own_cpu.ts", "It printed 55 after 85 instructions; gone back and on, it ended the same.\n"],
  ["16_own_region.ts", "The banks went back with the machine, and came out the same.\n"],
  ["17_own_backend.ts", "With a share of 20 page-table entries it ends at SetPxE: refused.\n"],
  ["20_cluster.ts", "The token came back as 106.\n"],
  ["21_remote_memory.ts", "All boards are alike after "],
  ["22_faults.ts", "Each of them was seen, and none went unseen.\n"],
  ["23_own_filter.ts", "and it shouts.\n"],
  ["24_two_sites.ts", "The result was the same each time: sum "],
  ["26_own_network.ts", "it waits its turn: 2000 bytes after 120000 ns,10 bytes after 120000 ns\n"],
];

/** Lessons with tests of their own below: they need permissions or arguments. */
const OTHERS: readonly string[] = ["07_debian.ts", "09_debugger.ts", "25_workers.ts"];

Deno.test("every numbered lesson is run by a test, and named in the README", () => {
  const found = [...Deno.readDirSync(FOLDER)].map((e) => e.name).filter((name) => /^\d/.test(name)).sort();
  assertEquals([...LESSONS.map(([name]) => name), ...OTHERS].sort(), found);
  const readme = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
  for (const name of found) assertStringIncludes(readme, `\`${name.slice(0, -3)}\``);
});

for (const [name, line] of LESSONS) {
  Deno.test(`scripts/${name} runs without permissions`, async () => {
    const { code, stdout, stderr } = await lesson(name);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, line);
    assertEquals(Deno.readTextFileSync(FOLDER + name).split("\n", 1)[0], SHEBANG);
  });
}

Deno.test("scripts/25_workers.ts runs with its permissions", async () => {
  const { code, stdout, stderr } = await lesson("25_workers.ts");
  assertEquals([code, stderr], [0, ""]);
  assertStringIncludes(stdout, "EP on four ranks: 674.16");
});

Deno.test("scripts/07_debian.ts prints its usage when the files are missing", async () => {
  const { code, stderr } = await lesson("07_debian.ts");
  assertEquals(code, 64);
  assertStringIncludes(stderr, "Usage: scripts/07_debian.ts KERNEL INITRD");
});

const INIT = `#!/bin/sh
export PS1='# '
exec /bin/busybox sh -i
`;

const kernel = guestSync("linux-686");
const busybox = guestSync("busybox");
const available = kernel.available && busybox.available;

Deno.test({
  name: `scripts/07_debian.ts talks to a shell${available ? "" : " (guest not available)"}`,
  ignore: !available,
  async fn() {
    if (!kernel.available || !busybox.available) return;
    const initrd = Deno.makeTempFileSync({ suffix: ".cpio" });
    try {
      Deno.writeFileSync(
        initrd,
        busyboxInitrd(Deno.readFileSync(busybox.path), INIT),
      );
      const { code, stdout, stderr } = await lesson("07_debian.ts", kernel.path, initrd);
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(stdout, "  echo $((6 * 7)) is the answer\n  42 is the answer\n");
    } finally {
      Deno.removeSync(initrd);
    }
  },
});

Deno.test("scripts/09_debugger.ts serves its guest to a client of GDB's protocol", async () => {
  const [first] = Deno.readTextFileSync(FOLDER + "09_debugger.ts").split("\n", 1);
  assertEquals(first, `${SHEBANG} --allow-net=127.0.0.1`);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-net=127.0.0.1", `${FOLDER}09_debugger.ts`, "0"],
    env: { NO_COLOR: "1" },
    stdout: "piped",
  }).spawn();
  let said = "";
  let answered = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    const port = /127\.0\.0\.1:(\d+)\n/.exec(said)?.[1];
    if (port === undefined || answered !== "") continue;
    const client = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
    await client.write(new TextEncoder().encode("$c#63")); // continue, to the halt
    const buffer = new Uint8Array(1000);
    while (!/\$T05[^#]*#../.test(answered)) {
      answered += new TextDecoder().decode(buffer.subarray(0, await client.read(buffer) ?? 0));
    }
    await client.write(new TextEncoder().encode("$bs#d5")); // one instruction back: before HLT
    await client.write(new TextEncoder().encode("$D#44"));
    client.close();
  }
  assertEquals((await child.status).code, 0);
  assertStringIncludes(said, "After 33 instructions the sum is 57.");
});
