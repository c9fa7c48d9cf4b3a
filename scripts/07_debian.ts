#!/usr/bin/env -S deno run --allow-read
/**
 * Lesson 7, a real system: boot Debian's kernel for 686 with an initial file system that ends in a shell on the serial
 * port, type a command there and check the answer. Needs to read the two files that are given:
 *
 *   scripts/07_debian.ts vmlinuz initrd.cpio
 */
import { expect, linux, MiB, pc } from "../mod.ts";

const [kernel, initrd] = Deno.args;
if (kernel === undefined || initrd === undefined) {
  console.error("Usage: scripts/07_debian.ts KERNEL INITRD\n\nINITRD must start a shell with the prompt # on ttyS0.");
  Deno.exit(64);
}

const m = pc({ memory: 128 * MiB });
m.boot(linux({
  kernel: Deno.readFileSync(kernel),
  initrd: Deno.readFileSync(initrd),
  append: "console=ttyS0 nokaslr quiet",
}));

const up = m.run({ until: m.serial.contains("# "), instructions: 20_000_000_000 });
expect(up.kind).toBe("until");
console.log(`The shell is there after ${(m.now / m.clock.hz).toFixed(1)} virtual seconds.`);

// What is typed comes back as an echo, so the answer must be something that was not typed.
m.serial.clear();
m.serial.send("echo $((6 * 7)) is the answer\n");
const answer = m.run({ until: m.serial.contains("42 is the answer"), instructions: 5_000_000_000 });
expect(answer.kind).toBe("until");

const prompt = m.run({ until: m.serial.contains("# "), instructions: 5_000_000_000 });
expect(prompt.kind).toBe("until");
console.log("The session:");
const text = m.serial.text.replaceAll("\x1b[6n", ""); // BusyBox asks the terminal where its cursor is
for (const line of text.trim().split(/\r?\n/)) console.log(`  ${line}`);
